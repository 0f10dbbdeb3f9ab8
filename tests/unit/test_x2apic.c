/* Local APICs in x2APIC mode: SDM vol. 3, 10.12 (modes, figure 10-27; registers, table 10-6; destinations,
 * 10.12.10), through RDMSR and WRMSR of a VM of four processors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/support/fake_cpuid.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/bus.h"
#include "vmm/cpuid.h"
#include "vmm/ioapic.h"
#include "vmm/lapic_x2.h"

#define CPUS 4u
#define BASE 0xfee00000u
#define OFF  0x000u
#define X    0x800u
#define X2   0xc00u

#define ID   0x802u
#define TPR  0x808u
#define EOI  0x80bu
#define LDR  0x80du
#define SVR  0x80fu
#define ESR  0x828u
#define ICR  0x830u
#define SELF 0x83fu

static struct vm *vm;

static int setup(void **state)
{
    struct vm_config config = fake_vm_config();

    config.cpus = CPUS;
    config.x2apic = true;
    *state = vm = fake_vm_start(&config);
    return vm ? 0 : -1;
}

static bool base(unsigned int cpu, uint64_t mode)
{
    return msr_write(vm->vcpus[cpu], 0x1b, BASE | mode | (cpu == 0 ? 0x100 : 0));
}

static bool wr(unsigned int cpu, uint32_t msr, uint64_t value)
{
    return msr_write(vm->vcpus[cpu], msr, value);
}

static uint64_t rd(unsigned int cpu, uint32_t msr)
{
    uint64_t value = 0;

    assert_true(msr_read(vm->vcpus[cpu], msr, &value));
    return value;
}

static void all_x2(void)
{
    for (unsigned int i = 0; i < CPUS; i++) {
        assert_true(base(i, X2));
        assert_true(wr(i, SVR, 0x1ff));
    }
}

/* What has come: a bit for each vCPU. Taken and ended. */
static unsigned int took(uint8_t vector)
{
    unsigned int mask = 0;

    for (unsigned int i = 0; i < CPUS; i++) {
        int pending = lapic_pending(&vm->vcpus[i]->lapic);

        if (pending < 0)
            continue;
        assert_int_equal(pending, vector);
        lapic_ack(&vm->vcpus[i]->lapic);
        assert_true(wr(i, EOI, 0));
        mask |= 1u << i;
    }
    return mask;
}

static uint64_t to(uint32_t dest, uint32_t low)
{
    return (uint64_t)dest << 32 | low;
}

/* Figure 10-27, each arrow and each missing one. */
static void changes_of_mode(void **state)
{
    static const struct {
        uint64_t from, to;
        bool allowed;
    } changes[] = {
        {X, X, true},     {X, X2, true},       {X, OFF, true},     {X, 0x400, false},
        {X2, X2, true},   {X2, X, false},      {X2, OFF, true},    {OFF, X, true},
        {OFF, X2, false}, {OFF, 0x400, false}, {X2, 0x400, false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        assert_true(base(1, OFF) && base(1, X));
        if (changes[i].from != X)
            assert_true(base(1, changes[i].from));
        assert_int_equal(base(1, changes[i].to), changes[i].allowed);
        assert_int_equal(rd(1, 0x1b), BASE | (changes[i].allowed ? changes[i].to : changes[i].from));
    }
}

/* CPUID says so, and x2apic=off says no. */
static void offered(void **state)
{
    uint32_t out[4];

    (void)state;
    cpuid_read(vm->vcpus[0], 1, 0, out);
    assert_true(out[CPUID_ECX] & 1u << 21);
    vm->vcpus[0]->lapic.x2apic = false;
    cpuid_read(vm->vcpus[0], 1, 0, out);
    assert_false(out[CPUID_ECX] & 1u << 21);
    assert_false(base(0, X2));
}

/* The page is there in one mode, the MSRs in the other; what they hold is the same. */
static void two_ways(void **state)
{
    uint64_t value;

    (void)state;
    assert_false(msr_read(vm->vcpus[2], ID, &value));
    assert_false(wr(2, TPR, 0));
    bus_mmio_write(&vm->bus, vm->vcpus[2], BASE + LAPIC_TPR, 4, 0x42);
    bus_mmio_write(&vm->bus, vm->vcpus[2], BASE + LAPIC_LVT_LINT1, 4, 0x10400);
    assert_true(base(2, X2));
    assert_int_equal(rd(2, TPR), 0x42);
    assert_int_equal(rd(2, 0x836), 0x10400);
    assert_int_equal(rd(2, ID), 2);
    assert_int_equal(rd(2, LDR), 4);
    assert_int_equal(bus_mmio_read(&vm->bus, vm->vcpus[2], BASE + LAPIC_TPR, 4), 0xffffffff);
    vm->vcpus[2]->lapic.id = 0x25;
    assert_int_equal(rd(2, LDR), 2u << 16 | 1u << 5);
    vm->vcpus[2]->lapic.id = 2;
    assert_true(base(2, OFF));
    assert_false(msr_read(vm->vcpus[2], TPR, &value));
}

/* Table 10-6: what is not there, or only one way, and the bits that must be zero. */
static void faults(void **state)
{
    static const uint32_t unread[] = {0x800, 0x801, 0x804, 0x809, EOI,   0x80c,
                                      0x80e, 0x82f, 0x831, SELF,  0x840, 0x8ff};
    static const uint32_t unwritten[] = {ID,    0x803, 0x80a, LDR,   0x80e, 0x810,
                                         0x827, 0x82f, 0x831, 0x839, 0x840};
    static const struct {
        uint32_t msr;
        uint64_t value;
    } reserved[] = {{TPR, 0x100},      {EOI, 1},           {SVR, 0x400},   {ESR, 1},
                    {0x832, 0x80000},  {0x835, 0x20000},   {0x83e, 4},     {SELF, 0x100},
                    {ICR, 0x1000},     {ICR, 0x2000},      {ICR, 0x10000}, {ICR, 0x100000},
                    {TPR, 1ull << 32}, {0x838, 1ull << 32}};
    uint64_t value;

    (void)state;
    all_x2();
    for (size_t i = 0; i < sizeof unread / sizeof unread[0]; i++)
        assert_false(msr_read(vm->vcpus[1], unread[i], &value));
    for (size_t i = 0; i < sizeof unwritten / sizeof unwritten[0]; i++)
        assert_false(wr(1, unwritten[i], 0));
    for (size_t i = 0; i < sizeof reserved / sizeof reserved[0]; i++)
        assert_false(wr(1, reserved[i].msr, reserved[i].value));
    assert_true(wr(1, 0x835, 0x15000)); /* read-only bits of an LVT entry are no fault */
    assert_int_equal(rd(1, 0x835), 0x10000);
    assert_true(wr(1, ESR, 0));
    assert_int_equal(took(0), 0);
}

static void destinations(void **state)
{
    (void)state;
    all_x2();
    assert_true(wr(1, ICR, to(2, 0x41)));
    assert_int_equal(took(0x41), 1u << 2);
    assert_int_equal(rd(1, ICR), to(2, 0x41));
    assert_true(wr(1, ICR, to(0xff, 0x42))); /* an id that nobody has */
    assert_int_equal(took(0x42), 0);
    assert_true(wr(1, ICR, to(UINT32_MAX, 0x43)));
    assert_int_equal(took(0x43), 0xf);
    assert_true(wr(1, ICR, to(0x5, 0x844))); /* logical: 0 and 2 of the first cluster */
    assert_int_equal(took(0x44), 0x5);
    assert_true(wr(1, ICR, to(0x10005, 0x845)));
    assert_int_equal(took(0x45), 0);
    assert_true(wr(1, ICR, to(0, 0xc0046))); /* all others */
    assert_int_equal(took(0x46), 0xd);
    assert_true(wr(1, ICR, to(0, 0x80047)));
    assert_int_equal(took(0x47), 0xf);
    assert_true(wr(1, ICR, to(0xe, 0x948))); /* lowest priority */
    assert_int_equal(took(0x48), 1u << 1);
}

static void self_ipi(void **state)
{
    (void)state;
    all_x2();
    assert_true(wr(3, ICR, to(7, 0x40055)));
    assert_int_equal(took(0x55), 1u << 3);
    assert_true(wr(3, SELF, 0x56));
    assert_int_equal(took(0x56), 1u << 3);
    assert_int_equal(rd(3, ICR), to(7, 0x40055)); /* another register */
    assert_true(wr(3, SELF, 5));                  /* an illegal vector is an error, as ever */
    assert_true(wr(3, ESR, 0));
    assert_int_equal(rd(3, ESR), ESR_SEND_ILLEGAL);
}

/* An IOAPIC has eight bits: ids below 255, all, and the first cluster's first eight. */
static void from_the_ioapic(void **state)
{
    struct ioapic *io = &vm->platform.ioapic;

    (void)state;
    all_x2();
    io->entries[5] = 0x61 | 3ull << RTE_DEST_SHIFT;
    ioapic_raise(io, 5);
    assert_int_equal(took(0x61), 1u << 3);
    io->entries[5] = 0x62 | RTE_LOGICAL | 6ull << RTE_DEST_SHIFT;
    ioapic_raise(io, 5);
    assert_int_equal(took(0x62), 0x6);
    io->entries[5] = 0x63 | 0xffull << RTE_DEST_SHIFT;
    ioapic_raise(io, 5);
    assert_int_equal(took(0x63), 0xf);
}

/* An EOI with nothing else requested leaves the run loop nothing to look at (vmm/vcpu.h, quiet). */
static void a_quiet_end(void **state)
{
    (void)state;
    all_x2();
    wr(0, SELF, 0x55);
    wr(0, SELF, 0x66);
    lapic_ack(&vm->vcpus[0]->lapic);
    assert_true(wr(0, EOI, 0));
    assert_false(vm->vcpus[0]->quiet);
    lapic_ack(&vm->vcpus[0]->lapic);
    assert_true(wr(0, EOI, 0));
    assert_true(vm->vcpus[0]->quiet);
    assert_false(wr(0, EOI, 1));
}

/* 10.12.5.1: RESET gives xAPIC mode back; INIT keeps the mode, and clears the rest. */
static void reset_and_init(void **state)
{
    (void)state;
    all_x2();
    lapic_init_reset(&vm->vcpus[1]->lapic);
    assert_int_equal(rd(1, 0x1b), BASE | X2);
    assert_int_equal(rd(1, SVR), 0xff);
    assert_int_equal(rd(1, LDR), 2);
    lapic_reset(&vm->vcpus[1]->lapic);
    assert_int_equal(rd(1, 0x1b), BASE | X);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(changes_of_mode), TEST(offered),      TEST(two_ways),
        TEST(faults),          TEST(destinations), TEST(self_ipi),
        TEST(from_the_ioapic), TEST(a_quiet_end),  TEST(reset_and_init),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
