/* The IOAPIC against the 82093AA data sheet (sections 3.1, 3.2). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/ioapic.h"

/* A local APIC side that writes down the messages. */
static struct {
    unsigned int count;
    struct apic_message last;
    enum apic_result answer;
} taken;

static struct ioapic io;

static enum apic_result deliver(void *ctx, const struct apic_message *message)
{
    assert_ptr_equal(ctx, &taken);
    taken.count++;
    taken.last = *message;
    return taken.answer;
}

static int setup(void **state)
{
    (void)state;
    memset(&taken, 0, sizeof taken);
    taken.answer = APIC_ACCEPTED;
    ioapic_init(&io, 3, deliver, &taken);
    return 0;
}

static void select_reg(unsigned int reg)
{
    ioapic_mmio_write(&io, NULL, 0, 4, reg);
}

static void out(unsigned int reg, uint32_t value)
{
    select_reg(reg);
    ioapic_mmio_write(&io, NULL, 0x10, 4, value);
}

static uint32_t in(unsigned int reg)
{
    select_reg(reg);
    return (uint32_t)ioapic_mmio_read(&io, NULL, 0x10, 4);
}

static void route(unsigned int input, uint32_t high, uint32_t low)
{
    out(0x11 + 2 * input, high);
    out(0x10 + 2 * input, low);
}

static void id_version_arbitration(void **state)
{
    (void)state;
    assert_int_equal(in(0), 0x03000000);
    assert_int_equal(in(1), 0x00170011);
    assert_int_equal(in(2), 0x03000000);
    out(0, 0xffffffff);
    assert_int_equal(in(0), 0x0f000000); /* bits 27:24 only */
    assert_int_equal(in(2), 0x0f000000); /* loaded with the ID */
    out(1, 0);
    out(2, 0);
    assert_int_equal(in(1), 0x00170011);
    assert_int_equal(in(2), 0x0f000000);
}

static void window(void **state)
{
    (void)state;
    select_reg(0x1ab); /* eight bits wide */
    assert_int_equal(ioapic_mmio_read(&io, NULL, 0, 4), 0xab);
    ioapic_mmio_write(&io, NULL, 0, 1, 1);
    assert_int_equal(ioapic_mmio_read(&io, NULL, 0, 1), 1);
    assert_int_equal(ioapic_mmio_read(&io, NULL, 0x12, 1) & 0xff, 0x17);
    assert_int_equal(ioapic_mmio_read(&io, NULL, 0x12, 2) & 0xffff, 0x0017);
    /* IOWIN takes 32 bits at once or nothing. */
    select_reg(0x12);
    ioapic_mmio_write(&io, NULL, 0x10, 1, 0x55);
    ioapic_mmio_write(&io, NULL, 0x12, 2, 0);
    assert_int_equal(in(0x12), 0x10000);
    /* Beside the two registers there is nothing. */
    assert_true(ioapic_mmio_read(&io, NULL, 0x20, 4) == UINT64_MAX);
    assert_true(ioapic_mmio_read(&io, NULL, 0x40, 4) == UINT64_MAX);
    ioapic_mmio_write(&io, NULL, 0x40, 4, 0); /* version 20h's EOI register */
}

static void absent_registers(void **state)
{
    (void)state;
    for (unsigned int reg = 3; reg < 0x10; reg++) {
        out(reg, 0xffffffff);
        assert_int_equal(in(reg), 0);
    }
    for (unsigned int reg = 0x40; reg < 0x100; reg++) {
        out(reg, 0xffffffff);
        assert_int_equal(in(reg), 0);
    }
    assert_int_equal(taken.count, 0);
}

static void entries_read_back(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < IOAPIC_INPUTS; i++) {
        assert_int_equal(in(0x10 + 2 * i), 0x00010000);
        assert_int_equal(in(0x11 + 2 * i), 0);
        assert_true(ioapic_masked(&io, i));
    }
    route(5, 0xffffffff, 0xffffffff);
    assert_int_equal(in(0x11 + 10), 0xff000000);
    assert_int_equal(in(0x10 + 10),
                     0x0001afff); /* delivery status and remote IRR are read-only, 31:17 reserved */
    route(23, 0x12345678, 0x000000fe);
    assert_int_equal(in(0x3f), 0x12000000);
    assert_int_equal(in(0x3e), 0xfe);
}

static void message_fields(void **state)
{
    (void)state;
    static const uint8_t modes[] = {APIC_FIXED, APIC_LOWEST, APIC_SMI, APIC_NMI, APIC_INIT, APIC_EXTINT};
    for (unsigned int i = 0; i < sizeof modes; i++) {
        route(7, 0x5a000000, 0x800u | (uint32_t)modes[i] << 8 | 0x61);
        assert_int_equal(ioapic_raise(&io, 7), APIC_ACCEPTED);
        ioapic_lower(&io, 7);
        assert_int_equal(taken.last.vector, 0x61);
        assert_int_equal(taken.last.mode, modes[i]);
        assert_int_equal(taken.last.dest, 0x5a);
        assert_true(taken.last.logical);
        assert_false(taken.last.level);
        assert_int_equal(taken.last.shorthand, APIC_DEST_FIELD);
    }
    route(7, 0x02000000, 0x61);
    ioapic_raise(&io, 7);
    assert_int_equal(taken.last.dest, 2);
    assert_false(taken.last.logical);
}

static void edges(void **state)
{
    (void)state;
    route(2, 0, 0x30);
    assert_int_equal(ioapic_raise(&io, 2), APIC_ACCEPTED);
    ioapic_lower(&io, 2);
    taken.answer = APIC_MERGED;
    assert_int_equal(ioapic_raise(&io, 2), APIC_MERGED);
    assert_int_equal(taken.count, 2);
    assert_int_equal(in(0x14), 0x30); /* no remote IRR for an edge */
}

/* 3.2.4, bit 16: an edge at a masked input is not delivered and not held pending. */
static void masked_edge_is_lost(void **state)
{
    (void)state;
    route(2, 0, 0x10030);
    assert_int_equal(ioapic_raise(&io, 2), APIC_NO_TARGET);
    route(2, 0, 0x30);
    assert_int_equal(taken.count, 0);
    ioapic_lower(&io, 2);
    assert_int_equal(ioapic_raise(&io, 2), APIC_ACCEPTED);
}

static void level_handshake(void **state)
{
    (void)state;
    route(9, 0, 0x8041);
    assert_int_equal(ioapic_raise(&io, 9), APIC_ACCEPTED);
    assert_true(taken.last.level);
    assert_int_equal(in(0x22), 0xc041); /* remote IRR */
    assert_int_equal(ioapic_raise(&io, 9), APIC_MERGED);
    assert_int_equal(taken.count, 1);
    ioapic_eoi(&io, 0x42); /* somebody else's */
    assert_int_equal(in(0x22), 0xc041);
    ioapic_eoi(&io, 0x41); /* still up: sends again */
    assert_int_equal(taken.count, 2);
    assert_int_equal(in(0x22), 0xc041);
    ioapic_lower(&io, 9);
    ioapic_eoi(&io, 0x41);
    assert_int_equal(taken.count, 2);
    assert_int_equal(in(0x22), 0x8041);
    assert_int_equal(ioapic_raise(&io, 9), APIC_ACCEPTED);
}

static void level_masked_and_unmasked(void **state)
{
    (void)state;
    route(9, 0, 0x18041);
    assert_int_equal(ioapic_raise(&io, 9), APIC_NO_TARGET);
    out(0x22, 0x8041); /* the line is up: unmasking sends */
    assert_int_equal(taken.count, 1);
    out(0x22, 0x18041); /* masked in service */
    assert_int_equal(in(0x22), 0x1c041);
    ioapic_eoi(&io, 0x41);
    assert_int_equal(in(0x22), 0x18041);
    assert_int_equal(taken.count, 1);
    out(0x22, 0x8041);
    assert_int_equal(taken.count, 2);
}

/* Without an EOI register: mask, edge, then as it was; remote IRR is gone (Linux's __eoi_ioapic_pin). */
static void edge_trick_ends_a_level(void **state)
{
    (void)state;
    route(9, 0, 0x8041);
    ioapic_raise(&io, 9);
    ioapic_lower(&io, 9);
    out(0x22, 0x10041);
    assert_int_equal(in(0x22), 0x10041);
    out(0x22, 0x8041);
    assert_int_equal(in(0x22), 0x8041);
    assert_int_equal(taken.count, 1);
}

/* A level interrupt that no local APIC takes is not in service: it is tried again. */
static void refused_level_is_tried_again(void **state)
{
    (void)state;
    taken.answer = APIC_NO_TARGET;
    route(9, 0, 0x8041);
    assert_int_equal(ioapic_raise(&io, 9), APIC_NO_TARGET);
    assert_int_equal(in(0x22), 0x8041);
    taken.answer = APIC_ACCEPTED;
    out(0x23, 0x01000000);
    assert_int_equal(taken.count, 2);
    assert_int_equal(taken.last.dest, 1);
    assert_int_equal(in(0x22), 0xc041);
}

/* NMI and its like are edges whatever the trigger bit says. */
static void nmi_is_an_edge(void **state)
{
    (void)state;
    route(4, 0, 0x8400);
    assert_int_equal(ioapic_raise(&io, 4), APIC_ACCEPTED);
    assert_false(taken.last.level);
    assert_int_equal(in(0x18), 0x8400);
    out(0x18, 0x8400);
    assert_int_equal(taken.count, 1);
}

/* Two inputs of one vector: an EOI ends both. */
static void shared_vector(void **state)
{
    (void)state;
    route(10, 0, 0x8050);
    route(11, 0, 0x8050);
    ioapic_raise(&io, 10);
    ioapic_raise(&io, 11);
    ioapic_lower(&io, 10);
    ioapic_eoi(&io, 0x50);
    assert_int_equal(taken.count, 3); /* 11 is still up */
    assert_int_equal(in(0x24), 0x8050);
    assert_int_equal(in(0x26), 0xc050);
}

static void reset_keeps_lines(void **state)
{
    (void)state;
    route(9, 0, 0x8041);
    ioapic_raise(&io, 9);
    ioapic_reset(&io, 5);
    assert_int_equal(in(0), 0x05000000);
    assert_int_equal(in(0x22), 0x10000);
    route(9, 0, 0x8041);
    assert_int_equal(taken.count, 2);
}

static void random_registers(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (unsigned int i = 0; i < 200000; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned int input = (seed >> 8) % IOAPIC_INPUTS;
        taken.answer = (enum apic_result)(seed >> 30) % 3;
        switch (seed >> 24 & 7) {
        case 0:
        case 1:
            ioapic_mmio_write(&io, NULL, seed >> 4 & 0x1c, 4, seed >> 3);
            break;
        case 2:
            ioapic_mmio_write(&io, NULL, seed >> 4 & 0xfff, 1u << (seed >> 20 & 1), seed);
            break;
        case 3:
            out(0x10 + 2 * input, seed ^ seed << 13);
            break;
        case 4:
            ioapic_raise(&io, input);
            break;
        case 5:
            ioapic_lower(&io, input);
            break;
        case 6:
            ioapic_eoi(&io, (uint8_t)(seed >> 12));
            break;
        default:
            ioapic_mmio_read(&io, NULL, seed >> 4 & 0xfff, 4);
        }
        for (unsigned int n = 0; n < IOAPIC_INPUTS; n++) {
            assert_int_equal(io.entries[n] & RTE_DELIVS, 0);
            assert_int_equal(io.entries[n] & 0x00fffffffffe0000ull, 0);
            if (io.entries[n] & RTE_REMOTE_IRR)
                assert_true(io.entries[n] & RTE_LEVEL);
        }
    }
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(id_version_arbitration),
        TEST(window),
        TEST(absent_registers),
        TEST(entries_read_back),
        TEST(message_fields),
        TEST(edges),
        TEST(masked_edge_is_lost),
        TEST(level_handshake),
        TEST(level_masked_and_unmasked),
        TEST(edge_trick_ends_a_level),
        TEST(refused_level_is_tried_again),
        TEST(nmi_is_an_edge),
        TEST(shared_vector),
        TEST(reset_keeps_lines),
        TEST(random_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
