/* KVM's paravirtual clock: Linux, Documentation/virt/kvm/x86/msr.rst and cpuid.rst; issue 4 item 5. The maths
 * is held against 128-bit fractions, the page against a reader as msr.rst writes one down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_cpuid.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "timers/tsc.h"
#include "vmm/cpuid.h"
#include "vmm/dispatch.h"
#include "vmm/msr.h"
#include "vmm/pvclock.h"

__extension__ typedef unsigned __int128 u128;

#define GHZ  1000000000ull
#define ODD  2899886543ull /* a frequency that 32 bits do not hold */
#define PAGE 0x20000ull    /* where the guest wants its line */
#define WALL 0x21ff4ull    /* 12 bytes before a page's end */

static struct vm *vm;
static struct vcpu *vcpu;

static uint64_t random64(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return *seed >> 33 ^ *seed << 31;
}

/* ---- the slope ---- */

static const uint64_t some_hz[] = {
    1,          2,         3,        1000,       99999999,   100000000,        499999999,   500000000,
    500000001,  999999999, GHZ,      GHZ + 1,    1999999999, 2 * GHZ,          2 * GHZ + 1, ODD,
    3800000000, 4 * GHZ,   10 * GHZ, UINT32_MAX, 1ull << 61, (1ull << 62) - 1, 1ull << 62};

/* mul * 2^shift / 2^32 is at most 10^9 / hz, and mul + 1 would be more: the largest that does not run ahead.
 */
static void slope_of(uint64_t hz)
{
    struct pvclock_scale s = pvclock_scale(hz);
    unsigned int left = s.shift > 0 ? (unsigned int)s.shift : 0,
                 right = s.shift < 0 ? (unsigned int)-s.shift : 0;
    u128 wanted = ((u128)GHZ << 32) << right;

    assert_true(s.mul >= 1u << 31); /* all bits count: less than 1 in 2^31 is lost */
    assert_true((((u128)s.mul * hz) << left) <= wanted);
    assert_true((((u128)s.mul + 1) * hz << left) > wanted);
    assert_int_equal(s.exact, (((u128)s.mul * hz) << left) == wanted);
}

static void the_slope(void **state)
{
    uint64_t seed = 3;

    (void)state;
    for (size_t i = 0; i < sizeof some_hz / sizeof some_hz[0]; i++)
        slope_of(some_hz[i]);
    for (unsigned int i = 0; i < 100000; i++)
        slope_of((random64(&seed) >> (2 + i % 62)) + 1);
    assert_true(pvclock_scale(GHZ).exact);       /* QEMU's */
    assert_true(pvclock_scale(100000000).exact); /* Bochs's */
    assert_false(pvclock_scale(ODD).exact);
}

/* How Linux works the TSC's frequency out of the page: rounded down, so a slope that ran ahead would come out
 * one kHz short. */
static void the_frequency_in_khz(void **state)
{
    (void)state;
    for (uint64_t khz = 50000; khz < 6000000; khz += 100) {
        struct pvclock_scale s = pvclock_scale(khz * 1000);
        uint64_t found = (1000000ull << 32) / s.mul;
        found = s.shift < 0 ? found << -s.shift : found >> s.shift;
        assert_int_equal(found, khz);
    }
}

/* msr.rst. */
static void the_layout(void **state)
{
    (void)state;
    assert_int_equal(offsetof(struct pvclock_time, version), 0);
    assert_int_equal(offsetof(struct pvclock_time, tsc_timestamp), 8);
    assert_int_equal(offsetof(struct pvclock_time, system_time), 16);
    assert_int_equal(offsetof(struct pvclock_time, mul), 24);
    assert_int_equal(offsetof(struct pvclock_time, shift), 28);
    assert_int_equal(offsetof(struct pvclock_time, flags), 29);
    assert_int_equal(offsetof(struct pvclock_wall, sec), 4);
    assert_int_equal(offsetof(struct pvclock_wall, nsec), 8);
}

/* ---- a VM ---- */

static struct vm *start(uint64_t hz, unsigned int cpus)
{
    struct vm_config config = fake_vm_config();
    struct vm *started;

    fake_reset();
    fake_host.hz = hz;
    config.cpus = cpus;
    started = fake_vm_create(&config);
    assert_non_null(started);
    started->started = true;
    vtime_unpause(&started->time);
    vtime_vcpu_run(&started->time, 0);
    vtime_advance(&started->time, fake_host.now);
    return started;
}

static int setup(void **state)
{
    *state = vm = start(GHZ, 1);
    vcpu = vm->vcpus[0];
    return 0;
}

static int setup_odd(void **state)
{
    *state = vm = start(ODD, 1);
    vcpu = vm->vcpus[0];
    return 0;
}

static int setup_three(void **state)
{
    *state = vm = start(GHZ, 3);
    vcpu = vm->vcpus[0];
    return 0;
}

/* A turn of the run loop. */
static void to(uint64_t rt)
{
    fake_host.now = rt;
    do
        vtime_advance(&vm->time, rt);
    while (vtime_deadline(&vm->time) <= rt);
    platform_poll(vm);
}

static void set(uint32_t index, uint64_t value)
{
    assert_true(msr_write(vcpu, index, value));
}

static uint64_t get(uint32_t index)
{
    uint64_t value = 0;
    assert_true(msr_read(vcpu, index, &value));
    return value;
}

static struct pvclock_time line(uint64_t gpa)
{
    struct pvclock_time t;
    memcpy(&t, vm_ram(vm, gpa, sizeof t), sizeof t);
    assert_int_equal(t.version % 2, 0);
    return t;
}

/* The reader of msr.rst. */
static uint64_t system_time(const struct pvclock_time *t, uint64_t tsc)
{
    uint64_t delta = tsc - t->tsc_timestamp;

    delta = t->shift >= 0 ? delta << t->shift : delta >> -t->shift;
    return t->system_time + (uint64_t)((u128)delta * t->mul >> 32);
}

static uint64_t read_clock(struct vcpu *by, uint64_t gpa)
{
    struct pvclock_time t = line(gpa);
    return system_time(&t, tsc_read(&by->tsc));
}

static uint64_t true_ns(at_t at)
{
    return (uint64_t)((u128)at * GHZ / vtime_hz(&vm->time));
}

/* At most 2 ns behind, for three roundings, and what the slope loses between two rewrites. */
static void agrees(uint64_t ns)
{
    uint64_t right = true_ns(vtime_peek(&vm->time));
    assert_true(ns <= right && right - ns <= 3);
}

static void registration(void **state)
{
    (void)state;
    to(123456789);
    set(MSR_KVM_SYSTEM_TIME, PAGE | PVCLOCK_ENABLE);
    assert_int_equal(get(MSR_KVM_SYSTEM_TIME), PAGE | PVCLOCK_ENABLE);
    assert_int_equal(get(MSR_KVM_SYSTEM_TIME_OLD), PAGE | PVCLOCK_ENABLE);
    struct pvclock_time t = line(PAGE);
    assert_int_equal(t.version, 2);
    assert_int_equal(t.tsc_timestamp, 123456789);
    assert_int_equal(t.system_time, 123456789);
    assert_int_equal(t.mul, 1u << 31);
    assert_int_equal(t.shift, 1);
    assert_int_equal(t.flags, PVCLOCK_TSC_STABLE);
    to(10 * GHZ);
    assert_int_equal(line(PAGE).version, 2); /* exact: one write is enough */
    assert_int_equal(read_clock(vcpu, PAGE), 10 * GHZ);
    /* Elsewhere, by the old register: the old page is the guest's again. */
    memset(vm_ram(vm, PAGE, 32), 0x55, 32);
    set(MSR_KVM_SYSTEM_TIME_OLD, (PAGE + 0x40) | PVCLOCK_ENABLE);
    assert_int_equal(read_clock(vcpu, PAGE + 0x40), 10 * GHZ);
    assert_int_equal(*(uint32_t *)vm_ram(vm, PAGE, 4), 0x55555555);
    /* Off. */
    set(MSR_KVM_SYSTEM_TIME, PAGE + 0x40);
    memset(vm_ram(vm, PAGE + 0x40, 32), 0x55, 32);
    set(0x10, 0);
    to(20 * GHZ);
    assert_int_equal(*(uint32_t *)vm_ram(vm, PAGE + 0x40, 4), 0x55555555);
}

/* The offset that a guest gives its TSC does not show. */
static void the_tsc_moves(void **state)
{
    uint64_t seed = 5, before = 0;

    (void)state;
    set(MSR_KVM_SYSTEM_TIME, PAGE | PVCLOCK_ENABLE);
    for (unsigned int i = 0; i < 3000; i++) {
        to(fake_host.now + random64(&seed) % (GHZ / 10));
        if (i % 3 == 0)
            set(0x10, random64(&seed) << i % 50);
        else if (i % 3 == 1)
            set(0x3b, random64(&seed) << i % 50);
        assert_true(read_clock(vcpu, PAGE) >= before);
        before = read_clock(vcpu, PAGE);
        agrees(before);
    }
}

/* Never backwards and never off, whatever the scheduler does and however often the line is written anew. */
static void monotone_under_a_busy_scheduler(void **state)
{
    uint64_t seed = 7, before = 0, rewrites = 0;
    uint32_t version = 0;

    (void)state;
    set(MSR_KVM_SYSTEM_TIME, PAGE | PVCLOCK_ENABLE);
    for (unsigned int i = 0; i < 20000; i++) {
        uint64_t rt = fake_host.now + 1 + random64(&seed) % (ODD / 50);
        if (i % 4 == 0) { /* two other VMs have had their turns */
            vtime_vcpu_stop(&vm->time, 0);
            rt += ODD / 50;
            vtime_latch(&vm->time, rt);
            vtime_vcpu_run(&vm->time, 0);
        }
        to(rt);
        struct pvclock_time t = line(PAGE);
        rewrites += t.version != version;
        version = t.version;
        uint64_t now = read_clock(vcpu, PAGE);
        assert_true(now >= before);
        agrees(now);
        before = now;
    }
    /* About once a second. */
    assert_in_range(rewrites, fake_host.now / ODD / 2, fake_host.now / ODD + 1);
    assert_null(vtime_check(&vm->time));
}

/* The hand-over itself: what the old line said last, the new one does not undercut, to the tick. */
static void no_rewrite_steps_back(void **state)
{
    uint64_t seed = 11, stepped = 0;

    (void)state;
    set(MSR_KVM_SYSTEM_TIME, PAGE | PVCLOCK_ENABLE);
    for (unsigned int i = 0; i < 20000; i++) {
        struct pvclock_time old = line(PAGE);
        to(fake_host.now + random64(&seed) % (60 * ODD));
        pvclock_rewrite(vm);
        struct pvclock_time new = line(PAGE);
        uint64_t tsc = tsc_read(&vcpu->tsc);
        assert_int_not_equal(old.version, new.version);
        assert_true(system_time(&new, tsc) >= system_time(&old, tsc));
        assert_int_equal(new.system_time, true_ns(vtime_peek(&vm->time)));
        stepped += system_time(&new, tsc) > system_time(&old, tsc);
    }
    assert_true(stepped > 1000); /* there was something to make good */
}

static void the_wall_clock(void **state)
{
    struct pvclock_wall *wall = vm_ram(vm, WALL, sizeof *wall);

    (void)state;
    wall->version = 77; /* whatever lies there */
    to(5 * GHZ);
    set(MSR_KVM_WALL_CLOCK, WALL);
    assert_int_equal(get(MSR_KVM_WALL_CLOCK), WALL);
    assert_int_equal(get(MSR_KVM_WALL_CLOCK_OLD), WALL);
    assert_true(wall->version % 2 == 0 && wall->version > 77);
    assert_int_equal(wall->sec, 1000000000); /* rtc=1000000000, at AT 0 whenever it is asked for */
    assert_int_equal(wall->nsec, 0);
    *wall = (struct pvclock_wall){0};
    to(50 * GHZ);
    assert_int_equal(wall->version, 0); /* written when asked for only */
    set(MSR_KVM_WALL_CLOCK_OLD, WALL);
    assert_int_equal(wall->sec, 1000000000);
}

/* The structure is packed, so a guest's compiler may put it at an odd address or across a page's end; KVM
 * writes it there. */
static void a_wall_clock_anywhere(void **state)
{
    static const uint64_t places[] = {PAGE + 1,     PAGE + 2,     PAGE + 7,
                                      PAGE + 0xff8, PAGE + 0xffd, FAKE_VM_MEM - 12};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        struct pvclock_wall wall = {.version = 0x1234567};
        void *at = vm_ram(vm, places[i], sizeof wall);

        memcpy(at, &wall, sizeof wall);
        set(MSR_KVM_WALL_CLOCK, places[i]);
        memcpy(&wall, at, sizeof wall);
        assert_int_equal(wall.version, 0x1234568);
        assert_int_equal(wall.sec, 1000000000);
        assert_int_equal(wall.nsec, 0);
    }
}

/* ---- hostile addresses ---- */

static void untouched(uint64_t address, bool is_wall)
{
    static uint8_t copy[FAKE_VM_MEM];
    uint32_t index = is_wall ? MSR_KVM_WALL_CLOCK : MSR_KVM_SYSTEM_TIME;

    memcpy(copy, vm->ram.base, sizeof copy);
    set(index, address);
    assert_true(get(index) == address);
    pvclock_rewrite(vm);
    if (memcmp(copy, vm->ram.base, sizeof copy) != 0)
        fail_msg("%s at %llx was written", is_wall ? "wall clock" : "line", (unsigned long long)address);
}

static void addresses_that_cannot_be(void **state)
{
    static const uint64_t bad[] = {
        FAKE_VM_MEM,                 /* past the end */
        FAKE_VM_MEM - 8,             /* across it */
        0xa0000,         0xc0000,    /* holes */
        0x9fff8,                     /* into one */
        0xfee00000,      0xfec00000, /* the APICs */
        1ull << 32,      1ull << 38, /* no RAM above 4 GiB */
        1ull << 52,      1ull << 63, /* no such address at all */
        UINT64_MAX - 3,  UINT64_MAX - 31,
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        untouched(bad[i] | PVCLOCK_ENABLE, false);
        untouched(bad[i], true);
    }
    untouched(PAGE, false);                        /* not enabled */
    untouched((PAGE + 2) | PVCLOCK_ENABLE, false); /* not a multiple of 4 */
    untouched(0, true);                            /* off */
    untouched(FAKE_VM_MEM - 11, true);
    /* The last places that are good. */
    set(MSR_KVM_SYSTEM_TIME, (FAKE_VM_MEM - 32) | PVCLOCK_ENABLE);
    agrees(read_clock(vcpu, FAKE_VM_MEM - 32));
    set(MSR_KVM_SYSTEM_TIME, (PAGE + 0xfe0) | PVCLOCK_ENABLE);
    agrees(read_clock(vcpu, PAGE + 0xfe0));
    /* Across a page's end: an array of them that a compiler aligns to 4 has one there. */
    set(MSR_KVM_SYSTEM_TIME, (PAGE + 0xffc) | PVCLOCK_ENABLE);
    agrees(read_clock(vcpu, PAGE + 0xffc));
    set(MSR_KVM_SYSTEM_TIME, (PAGE + 0xfe4) | PVCLOCK_ENABLE);
    agrees(read_clock(vcpu, PAGE + 0xfe4));
    set(MSR_KVM_SYSTEM_TIME, (PAGE + 0xfdc) | PVCLOCK_ENABLE);
    agrees(read_clock(vcpu, PAGE + 0xfdc));
}

/* Any address: under ASan, and nothing but 32 and 12 bytes of RAM change. */
static void random_addresses(void **state)
{
    uint64_t seed = 13;

    (void)state;
    for (unsigned int i = 0; i < 100000; i++) {
        uint64_t value = random64(&seed) >> random64(&seed) % 64;
        set(i % 2 ? MSR_KVM_SYSTEM_TIME : MSR_KVM_SYSTEM_TIME_OLD, value);
        set(i % 2 ? MSR_KVM_WALL_CLOCK : MSR_KVM_WALL_CLOCK_OLD, random64(&seed) >> i % 64);
        to(fake_host.now + 1000);
    }
}

/* ---- life ---- */

static void a_reset_switches_it_off(void **state)
{
    (void)state;
    set(MSR_KVM_SYSTEM_TIME, PAGE | PVCLOCK_ENABLE);
    set(MSR_KVM_WALL_CLOCK, WALL);
    to(3 * GHZ);
    assert_true(vm_restart(vm));
    vtime_vcpu_run(&vm->time, 0);
    assert_int_equal(get(MSR_KVM_SYSTEM_TIME), 0);
    assert_int_equal(get(MSR_KVM_WALL_CLOCK), 0);
    to(4 * GHZ);
    set(0x10, 5);
    struct pvclock_time t = line(PAGE), zeros = {0};
    assert_memory_equal(&t, &zeros, sizeof t);
    /* System time goes on as apparent time does; the TSC began anew. */
    set(MSR_KVM_SYSTEM_TIME, PAGE | PVCLOCK_ENABLE);
    assert_int_equal(read_clock(vcpu, PAGE), 4 * GHZ);
    assert_int_equal(line(PAGE).tsc_timestamp, 5);
}

/* Processors have one line as long as their TSCs agree. */
static void processors(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 3; i++)
        assert_true(msr_write(vm->vcpus[i], MSR_KVM_SYSTEM_TIME, (PAGE + 64 * i) | PVCLOCK_ENABLE));
    to(GHZ);
    struct pvclock_time first = line(PAGE), third = line(PAGE + 128);
    assert_int_equal(first.flags, PVCLOCK_TSC_STABLE);
    assert_int_equal(first.tsc_timestamp, third.tsc_timestamp);
    assert_int_equal(first.system_time, third.system_time);
    assert_true(msr_write(vm->vcpus[2], 0x3b, 500));
    for (unsigned int i = 0; i < 3; i++) {
        assert_int_equal(line(PAGE + 64 * i).flags, 0);
        assert_int_equal(read_clock(vm->vcpus[i], PAGE + 64 * i), GHZ);
    }
    assert_true(msr_write(vm->vcpus[2], 0x3b, 0));
    assert_int_equal(line(PAGE).flags, PVCLOCK_TSC_STABLE);
}

static void is_off(const struct vm_config *config, const char *what)
{
    struct vm *off = fake_vm_create(config);
    uint32_t out[4];
    uint64_t value;

    assert_non_null(off);
    for (unsigned int i = 0; i < 2; i++) {
        if (msr_read(off->vcpus[0], MSR_KVM_WALL_CLOCK + i, &value) ||
            msr_read(off->vcpus[0], MSR_KVM_WALL_CLOCK_OLD + i, &value) ||
            msr_write(off->vcpus[0], MSR_KVM_WALL_CLOCK + i, PAGE | 1) ||
            msr_write(off->vcpus[0], MSR_KVM_WALL_CLOCK_OLD + i, PAGE | 1))
            fail_msg("%s: register %u is there", what, i);
    }
    cpuid_read(off->vcpus[0], 0x40000000, 0, out);
    assert_int_equal(out[CPUID_EAX], 0x40000010); /* the frequencies are told without the clock too */
    assert_memory_equal(&out[CPUID_EBX], "EscapementVM", 12);
    for (uint32_t leaf = 0x40000001; leaf <= 0x40000100; leaf += 0xff) {
        cpuid_read(off->vcpus[0], leaf, 0, out);
        assert_int_equal(out[CPUID_EAX] | out[CPUID_EBX] | out[CPUID_ECX] | out[CPUID_EDX], 0);
    }
    dispatch_exit(off->vcpus[0], &(struct exit_record){.kind = EXIT_HYPERCALL, .insn_len = 3});
    assert_int_equal(fake_vcpu(off->vcpus[0])->exception, 6);
    void *handle = off;
    fake_vm_teardown(&handle);
}

/* pvclock=off; and an RTC whose date the wall clock's 32 bits do not hold. */
static void switched_off(void **state)
{
    struct vm_config off = fake_vm_config(), late = fake_vm_config();

    (void)state;
    off.pvclock = false;
    is_off(&off, "pvclock=off");
    late.rtc_seconds = 1ull << 32;
    is_off(&late, "the year 2106");
}

/* cpuid.rst. Linux looks at 40000000h, 40000100h ... for the signatures that it knows. */
static void leaves(void **state)
{
    uint32_t out[4];

    (void)state;
    cpuid_read(vcpu, 0x40000000, 0, out);
    assert_int_equal(out[CPUID_EAX], 0x40000010);
    assert_memory_equal(&out[CPUID_EBX], "KVMKVMKVM\0\0\0", 12);
    cpuid_read(vcpu, 0x40000001, 0, out);
    assert_int_equal(out[CPUID_EAX], 1u << 0 | 1u << 1 | 1u << 3 | 1u << 24);
    assert_int_equal(out[CPUID_EBX] | out[CPUID_ECX] | out[CPUID_EDX], 0);
    cpuid_read(vcpu, 0x40000100, 0, out);
    assert_memory_equal(&out[CPUID_EBX], "EscapementVM", 12);
}

/* hypercalls.rst: a host that has none says so. */
static void hypercalls(void **state)
{
    struct exit_record exit = {.kind = EXIT_HYPERCALL, .insn_len = 3};

    (void)state;
    fake_vm_flat32(vm);
    vcpu->regs.gpr[GPR_RAX] = UINT64_MAX;
    dispatch_exit(vcpu, &exit);
    assert_int_equal(vcpu->regs.gpr[GPR_RAX], (uint32_t)-1000);
    assert_int_equal(vcpu->regs.rip, 0x8003);
    fake_vm_long_mode(vm);
    dispatch_exit(vcpu, &exit);
    assert_int_equal(vcpu->regs.gpr[GPR_RAX], (uint64_t)-1000);
    assert_int_equal(fake_vcpu(vcpu)->exception, -1);
}

static void undefined_opcode(const char *code, size_t length)
{
    struct exit_record exit = {.kind = EXIT_EXCEPTION, .u.exception.vector = 6};

    memcpy(vm_ram(vm, vcpu->regs.rip, length), code, length);
    fake_vcpu(vcpu)->exception = -1;
    vcpu->regs.gpr[GPR_RAX] = UINT64_MAX;
    dispatch_exit(vcpu, &exit);
}

/* hypercalls.rst: "either the vmcall or the vmmcall instruction". Three bytes: with LOCK it is none. */
static void hypercalls_of_the_other_vendor(void **state)
{
    (void)state;
    fake_vm_flat32(vm);
    undefined_opcode("\x0f\x01\xc1", 3);
    assert_int_equal(vcpu->regs.gpr[GPR_RAX], (uint32_t)-1000);
    undefined_opcode("\x0f\x01\xd9", 3);
    assert_int_equal(vcpu->regs.gpr[GPR_RAX], (uint32_t)-1000);
    assert_int_equal(vcpu->regs.rip, 0x8006);
    assert_int_equal(fake_vcpu(vcpu)->exception, -1);
    undefined_opcode("\x0f\x0b\xd9", 3);
    assert_int_equal(fake_vcpu(vcpu)->exception, 6);
    undefined_opcode("\xf0\x0f\x01\xc1", 4);
    assert_int_equal(fake_vcpu(vcpu)->exception, 6);
    vm->config.pvclock = false;
    undefined_opcode("\x0f\x01\xc1", 3);
    assert_int_equal(fake_vcpu(vcpu)->exception, 6);
    assert_int_equal(vcpu->regs.rip, 0x8006);
    assert_int_equal(vcpu->regs.gpr[GPR_RAX], UINT64_MAX);
}

/* Across the end of RAM, and of what is mapped: what cannot be read is no call, and no fault of its own. */
static void no_hypercall_where_no_code_is(void **state)
{
    const uint64_t end = vm->ram.low - 2;

    (void)state;
    fake_vm_flat32(vm);
    vcpu->regs.rip = end;
    undefined_opcode("\x0f\x01", 2);
    assert_int_equal(fake_vcpu(vcpu)->exception, 6);
    assert_int_equal(vm->state, VM_RUNNING);
    assert_int_equal(vcpu->regs.rip, end);
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, fake_vm_teardown)
#define ODDLY(name) cmocka_unit_test_setup_teardown(name, setup_odd, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_slope),
        cmocka_unit_test(the_frequency_in_khz),
        cmocka_unit_test(the_layout),
        TEST(registration),
        TEST(the_tsc_moves),
        ODDLY(the_tsc_moves),
        ODDLY(monotone_under_a_busy_scheduler),
        ODDLY(no_rewrite_steps_back),
        TEST(the_wall_clock),
        TEST(a_wall_clock_anywhere),
        TEST(addresses_that_cannot_be),
        ODDLY(random_addresses),
        TEST(a_reset_switches_it_off),
        cmocka_unit_test_setup_teardown(processors, setup_three, fake_vm_teardown),
        TEST(switched_off),
        TEST(leaves),
        TEST(hypercalls),
        TEST(hypercalls_of_the_other_vendor),
        TEST(no_hypercall_where_no_code_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
