/* The I/O bus: claims, unclaimed accesses, splitting (DESIGN.md section 4, "unclaimed reads are all ones").
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/bus.h"
#include "vmm/vcpu.h"

/* A device of 16 bytes of memory that writes down what it was asked. */
struct memory {
    uint8_t bytes[16];
    unsigned int accesses;
    unsigned int last_size;
    uint64_t last_offset;
    uint64_t order; /* offsets of all accesses, a nibble each, the latest lowest */
    struct vcpu *vcpu;
};

static void note(struct memory *m, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    m->accesses++;
    m->last_size = size;
    m->last_offset = offset;
    m->order = m->order << 4 | offset;
    m->vcpu = vcpu;
}

static uint64_t memory_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    struct memory *m = self;
    uint64_t value = 0xa5a5a5a5a5a5a5a5u; /* what is above `size` must not come through */
    note(m, vcpu, offset, size);
    assert_in_range(offset + size, 1, sizeof m->bytes);
    memcpy(&value, m->bytes + offset, size);
    return value;
}

static void memory_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct memory *m = self;
    note(m, vcpu, offset, size);
    assert_in_range(offset + size, 1, sizeof m->bytes);
    if (size < 8)
        assert_int_equal(value >> (size * 8), 0);
    memcpy(m->bytes + offset, &value, size);
}

static struct bus bus;
static struct memory device;
static struct vcpu vcpus[2];

static void setup_width(unsigned int width)
{
    bus_init(&bus);
    memset(&device, 0, sizeof device);
    for (unsigned int i = 0; i < sizeof device.bytes; i++)
        device.bytes[i] = (uint8_t)(0x10 + i);
    struct bus_range range = {.base = 0x300,
                              .length = 16,
                              .width = width,
                              .read = memory_read,
                              .write = memory_write,
                              .self = &device,
                              .name = "memory"};
    bus_claim_ports(&bus, &range);
    range.base = 0xfed00000u;
    bus_claim_mmio(&bus, &range);
}

static void unclaimed_is_all_ones(void **state)
{
    (void)state;
    setup_width(1);
    assert_int_equal(bus_port_read(&bus, vcpus, 0x2ff, 1), 0xff);
    assert_int_equal(bus_port_read(&bus, vcpus, 0x310, 2), 0xffff);
    assert_int_equal(bus_port_read(&bus, vcpus, 0x310, 4), 0xffffffff);
    assert_int_equal(bus_port_read(&bus, vcpus, 0xffff, 4), 0xffffffff);
    assert_true(bus_mmio_read(&bus, vcpus, 0xfed00010u, 8) == UINT64_MAX);
    assert_true(bus_mmio_read(&bus, vcpus, UINT64_MAX, 8) == UINT64_MAX);
    bus_port_write(&bus, vcpus, 0x310, 4, 0);
    bus_mmio_write(&bus, vcpus, UINT64_MAX - 3, 8, 0);
    assert_int_equal(device.accesses, 0);
}

static void a_range_without_handlers(void **state)
{
    (void)state;
    bus_init(&bus);
    bus_claim_ports(&bus, &(struct bus_range){.base = 0x80, .length = 1, .width = 1, .name = "post"});
    assert_int_equal(bus_port_read(&bus, vcpus, 0x80, 1), 0xff);
    bus_port_write(&bus, vcpus, 0x80, 1, 0x55);
}

static void byte_device_gets_bytes(void **state)
{
    (void)state;
    setup_width(1);
    assert_int_equal(bus_port_read(&bus, vcpus, 0x302, 4), 0x15141312);
    assert_int_equal(device.accesses, 4);
    assert_int_equal(device.order, 0x2345); /* in order of address, as an ISA bridge does */
    assert_ptr_equal(device.vcpu, vcpus);
    bus_port_write(&bus, vcpus, 0x304, 2, 0xbeef);
    assert_int_equal(device.bytes[4], 0xef);
    assert_int_equal(device.bytes[5], 0xbe);
    assert_int_equal(device.last_size, 1);
}

static void word_device_gets_aligned_words(void **state)
{
    (void)state;
    setup_width(2);
    assert_int_equal(bus_port_read(&bus, vcpus, 0x300, 4), 0x13121110);
    assert_int_equal(device.accesses, 2);
    assert_int_equal(bus_port_read(&bus, vcpus, 0x301, 2), 0x1211);
    assert_int_equal(device.accesses, 4);
    assert_int_equal(device.last_size, 1);
}

static void wide_device_gets_all(void **state)
{
    (void)state;
    setup_width(0);
    assert_true(bus_mmio_read(&bus, vcpus, 0xfed00003u, 8) == 0x1a19181716151413u);
    assert_int_equal(device.accesses, 1);
    bus_mmio_write(&bus, vcpus, 0xfed00001u, 4, 0xaabbccddeeff0011u);
    assert_int_equal(device.last_offset, 1);
    assert_int_equal(device.bytes[1], 0x11);
    assert_int_equal(device.bytes[4], 0xee);
    assert_int_equal(device.bytes[5], 0x15);
}

static void crossing_the_end(void **state)
{
    (void)state;
    setup_width(0);
    assert_int_equal(bus_port_read(&bus, vcpus, 0x30e, 4), 0xffff1f1e);
    assert_int_equal(bus_port_read(&bus, vcpus, 0x2ff, 2), 0x10ff);
    assert_int_equal(bus_port_read(&bus, vcpus, 0x30f, 4), 0xffffff1f);
    bus_port_write(&bus, vcpus, 0x2fe, 4, 0x44332211);
    assert_int_equal(device.bytes[0], 0x33);
    assert_int_equal(device.bytes[1], 0x44);
    assert_int_equal(device.bytes[2], 0x12);
}

static void ports_and_memory_are_apart(void **state)
{
    (void)state;
    setup_width(1);
    assert_int_equal(bus_mmio_read(&bus, vcpus, 0x300, 1), 0xff);
    assert_int_equal(bus_port_read(&bus, vcpus, 0, 1), 0xff);
}

static void own_page_of_each_vcpu(void **state)
{
    (void)state;
    static struct memory own[2];
    bus_init(&bus);
    memset(own, 0, sizeof own);
    for (unsigned int i = 0; i < 2; i++) {
        own[i].bytes[0] = (uint8_t)(0xc0 + i);
        bus_claim_mmio(&bus, &(struct bus_range){.base = 0xfee00000u,
                                                 .length = 16,
                                                 .read = memory_read,
                                                 .write = memory_write,
                                                 .self = &own[i],
                                                 .only = &vcpus[i]});
    }
    memset(&device, 0, sizeof device);
    bus_claim_mmio(
        &bus, &(struct bus_range){.base = 0xfec00000u, .length = 16, .read = memory_read, .self = &device});
    assert_int_equal(bus_mmio_read(&bus, &vcpus[0], 0xfee00000u, 1), 0xc0);
    assert_int_equal(bus_mmio_read(&bus, &vcpus[1], 0xfee00000u, 1), 0xc1);

    /* Moved over another device it wins, for its own vCPU. */
    bus_move_mmio(&bus, &own[1], 0xfec00000u, true);
    assert_int_equal(bus_mmio_read(&bus, &vcpus[1], 0xfec00000u, 1), 0xc1);
    assert_int_equal(bus_mmio_read(&bus, &vcpus[0], 0xfec00000u, 1), 0);
    assert_int_equal(bus_mmio_read(&bus, &vcpus[1], 0xfee00000u, 1), 0xff);

    bus_move_mmio(&bus, &own[1], 0xfec00000u, false);
    assert_int_equal(bus_mmio_read(&bus, &vcpus[1], 0xfec00000u, 1), 0);
    bus_move_mmio(&bus, &own[1], 0xfee00000u, true);
    assert_int_equal(bus_mmio_read(&bus, &vcpus[1], 0xfee00000u, 1), 0xc1);

    /* At the very top of the address space nothing wraps. */
    bus_move_mmio(&bus, &own[1], UINT64_MAX - 15, true);
    assert_int_equal(bus_mmio_read(&bus, &vcpus[1], 0, 1), 0xff);
    assert_int_equal(bus_mmio_read(&bus, &vcpus[1], UINT64_MAX - 15, 1), 0xc1);
}

/* Runs a claim in a process of its own: true if an assertion stopped it. */
static bool claim_aborts(uint64_t base, uint64_t length)
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        bus_claim_ports(&bus, &(struct bus_range){.base = base, .length = length});
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

/* Two devices at one place are our own mistake. */
static void claims_do_not_overlap(void **state)
{
    (void)state;
    setup_width(1);
    assert_true(claim_aborts(0x300, 1));
    assert_true(claim_aborts(0x2ff, 2));
    assert_true(claim_aborts(0x30f, 4));
    assert_true(claim_aborts(0, 0x1000));
    assert_true(claim_aborts(0x200, 0));
    assert_false(claim_aborts(0x2ff, 1));
    assert_false(claim_aborts(0x310, 1));
    for (unsigned int i = 1; i < BUS_MAX_PORTS; i++)
        bus_claim_ports(&bus, &(struct bus_range){.base = 0x800 + i, .length = 1});
    assert_true(claim_aborts(0x900, 1)); /* the map is full */
}

/* Ports are found in two ways, below and above BUS_FAST_PORTS; a device across the border answers all of its
 * own. */
static void low_and_high_ports(void **state)
{
    (void)state;
    struct bus_range range = {.length = 16, .read = memory_read, .write = memory_write, .self = &device};
    static const uint16_t bases[] = {0, 0x5678, 0xfff0, BUS_FAST_PORTS - 8};
    bus_init(&bus);
    for (unsigned int i = 0; i < 4; i++) {
        range.base = bases[i];
        bus_claim_ports(&bus, &range);
    }
    for (uint32_t port = 0; port < 0x10000; port++) {
        bool claimed = false;
        for (unsigned int i = 0; i < 4; i++)
            claimed |= port >= bases[i] && port - bases[i] < 16;
        device.accesses = 0;
        bus_port_read(&bus, vcpus, (uint16_t)port, 1);
        assert_int_equal(device.accesses, claimed);
    }
}

/* Any access of any size at any place: bytes inside the range are the device's, all others are ones. */
static void every_place_and_size(void **state)
{
    (void)state;
    static const unsigned int widths[] = {0, 1, 2, 4, 8};
    for (unsigned int w = 0; w < 5; w++) {
        setup_width(widths[w]);
        for (uint64_t at = 0xfed00000u - 9; at < 0xfed00000u + 20; at++)
            for (unsigned int size = 1; size <= 8; size *= 2) {
                uint64_t value = bus_mmio_read(&bus, vcpus, at, size);
                for (unsigned int i = 0; i < 8; i++) {
                    uint64_t offset = at + i - 0xfed00000u;
                    unsigned int want = i >= size ? 0 : offset < 16 ? 0x10u + (unsigned int)offset : 0xff;
                    assert_int_equal(value >> (8 * i) & 0xff, want);
                }
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unclaimed_is_all_ones),      cmocka_unit_test(a_range_without_handlers),
        cmocka_unit_test(byte_device_gets_bytes),     cmocka_unit_test(word_device_gets_aligned_words),
        cmocka_unit_test(wide_device_gets_all),       cmocka_unit_test(crossing_the_end),
        cmocka_unit_test(ports_and_memory_are_apart), cmocka_unit_test(own_page_of_each_vcpu),
        cmocka_unit_test(claims_do_not_overlap),      cmocka_unit_test(low_and_high_ports),
        cmocka_unit_test(every_place_and_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
