/* Model-specific registers: SDM vol. 4, table 2-2; vol. 3, 11.11 (MTRRs), 11.12 (PAT), 10.4.4 (APIC base). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cpuid.h"
#include "vmm/cr.h"
#include "vmm/dispatch.h"
#include "vmm/msr.h"

static struct vm *vm;
static struct vcpu *vcpu;

static int setup(void **state)
{
    int failed = fake_vm_setup(state);
    vm = *state;
    vcpu = vm->vcpus[0];
    return failed;
}

static uint64_t read(uint32_t index)
{
    uint64_t value = 0;
    assert_true(msr_read(vcpu, index, &value));
    return value;
}

static void keeps(uint32_t index, uint64_t value)
{
    assert_true(msr_write(vcpu, index, value));
    assert_true(read(index) == value);
}

static void refuses(uint32_t index, uint64_t value)
{
    uint64_t before = read(index);
    assert_false(msr_write(vcpu, index, value));
    assert_true(read(index) == before);
}

static void registers_of_the_backend(void **state)
{
    (void)state;
    keeps(0x174, 0x10);
    refuses(0x174, 1ull << 32);
    keeps(0x175, 0xffff800000000000);
    refuses(0x176, 0x800000000000); /* not canonical */
    keeps(0xc0000081, 0x0023001000000000);
    keeps(0xc0000082, 0xffffffff81000000);
    refuses(0xc0000082, 1ull << 47);
    refuses(0xc0000083, 1ull << 63);
    keeps(0xc0000084, 0x47700);
    refuses(0xc0000084, 1ull << 40);
    keeps(0xc0000102, 0xffff888000000000);
    keeps(0xc0000100, 0x7f0000000000);
    refuses(0xc0000101, 0x7f00000000000000);
    struct guest_segment fs;
    hv->get_segment(vcpu, SEG_FS, &fs);
    assert_int_equal(fs.base, 0x7f0000000000);
}

static void memory_types(void **state)
{
    (void)state;
    keeps(0x277, 0x0007010600070106);
    refuses(0x277, 0x0007040600070402);
    refuses(0x277, 0x0800000000000000);
    assert_int_equal(read(0xfe), 0x508);
    assert_false(msr_write(vcpu, 0xfe, 0));
    assert_int_equal(read(0x2ff), 0xc06);
    keeps(0x2ff, 0xc00);
    refuses(0x2ff, 0xc02);
    refuses(0x2ff, 0x1c06);
    refuses(0x2ff, 0x207);
    for (uint32_t i = 0x200; i < 0x210; i += 2) {
        keeps(i, 0x7fc0000006);
        keeps(i + 1, 0x7fc0000800);
        refuses(i, 0x8000000000);     /* MAXPHYADDR is 39 */
        refuses(i, 0x3);              /* no such type */
        refuses(i, 0x106);            /* reserved */
        refuses(i + 1, 0x7fc0000400); /* reserved */
    }
    static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                     0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
    for (uint32_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        keeps(fixed[i], 0x0101010101010100 + (i % 2 ? 6 : 0));
        refuses(fixed[i], 0x0707070707070707);
    }
    for (uint32_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) /* each is its own */
        assert_true(read(fixed[i]) == 0x0101010101010100 + (i % 2 ? 6 : 0));
}

/* As firmware leaves them; Linux takes MTRRs that are off for a PAT that is unusable. */
static void mtrrs_at_reset(void **state)
{
    (void)state;
    assert_int_equal(read(0x259), 0); /* the VGA window is uncached */
    assert_true(read(0x268) == 0x0606060606060606);
    assert_int_equal(read(0x200), 0xc0000000);
    assert_int_equal(read(0x201), 0x7fc0000800);
    keeps(0x259, 0x0606060606060606);
    vcpu_reset(vcpu);
    assert_int_equal(read(0x259), 0);
}

static void efer(void **state)
{
    (void)state;
    keeps(0xc0000080, EFER_SCE | EFER_NXE | EFER_LME);
    refuses(0xc0000080, 1ull << 12); /* SVME */
    refuses(0xc0000080, 1ull << 14); /* FFXSR */
    refuses(0xc0000080, 2);
    assert_true(msr_write(vcpu, 0xc0000080, EFER_LME | EFER_LMA)); /* LMA is not the guest's to set */
    assert_int_equal(read(0xc0000080), EFER_LME);
    fake_vm_long_mode(vm);
    refuses(0xc0000080, EFER_NXE); /* LME while paging */
    assert_true(msr_write(vcpu, 0xc0000080, EFER_LME | EFER_SCE));
    assert_int_equal(read(0xc0000080), EFER_LME | EFER_LMA | EFER_SCE);
}

static void apic_base(void **state)
{
    (void)state;
    assert_int_equal(read(0x1b), 0xfee00900);
    refuses(0x1b, 0xfee00900 | 1u << 10); /* x2APIC */
    refuses(0x1b, 0xfee00900 | 1);
    refuses(0x1b, 1ull << 39 | 0x900);
    keeps(0x1b, 0xfed10900);
}

static void time_stamp_counter(void **state)
{
    (void)state;
    vm->started = true;
    vtime_unpause(&vm->time);
    vtime_vcpu_run(&vm->time, 0);
    fake_host.now = 5000;
    vtime_advance(&vm->time, fake_host.now);
    assert_int_equal(read(0x10), 5000);
    assert_true(msr_write(vcpu, 0x10, 1000000));
    assert_int_equal(read(0x10), 1000000);
    assert_true(read(0x3b) == 1000000 - 5000);
    assert_true(msr_write(vcpu, 0x3b, 7));
    assert_int_equal(read(0x10), 5007);
    keeps(0xc0000103, 0x12345678);
    refuses(0xc0000103, 1ull << 32);
}

/* IA32_TSC_DEADLINE: SDM vol. 3, 10.5.4.1. */
static void tsc_deadline(void **state)
{
    bool from_pic;

    (void)state;
    vm->started = true;
    vtime_unpause(&vm->time);
    vtime_vcpu_run(&vm->time, 0);
    lapic_write(&vcpu->lapic, LAPIC_SVR, 0x1ff);
    assert_true(msr_write(vcpu, 0x6e0, 500)); /* not in this mode: ignored */
    assert_int_equal(read(0x6e0), 0);
    lapic_write(&vcpu->lapic, LAPIC_LVT_TIMER, 0x400ec);
    assert_int_equal(lapic_read(&vcpu->lapic, LAPIC_LVT_TIMER), 0x400ec);
    keeps(0x6e0, 7000);
    assert_int_equal(vtime_deadline(&vm->time), 7000);
    assert_true(msr_write(vcpu, 0x10, 1000)); /* the TSC moves, and the deadline with it */
    assert_int_equal(vtime_deadline(&vm->time), 6000);
    vtime_advance(&vm->time, 5999);
    assert_int_equal(platform_pending(vcpu, &from_pic), -1);
    vtime_advance(&vm->time, 6000);
    assert_int_equal(platform_pending(vcpu, &from_pic), 0xec);
    assert_int_equal(read(0x6e0), 0);
}

static void constants_and_firmware(void **state)
{
    (void)state;
    assert_int_equal(read(0x179), 0); /* no machine-check banks */
    assert_int_equal(read(0x17), 0);
    assert_false(msr_write(vcpu, 0x17, 0));
    keeps(0x17a, 4);
    refuses(0x17a, 8);
    keeps(0x8b, 0);
    assert_true(msr_write(vcpu, 0x79, 0x1000));
    assert_false(msr_read(vcpu, 0x79, &(uint64_t){0}));
    assert_int_equal(read(0x1a0), 0x1801);
    assert_true(msr_write(vcpu, 0x1a0, 0x850089)); /* all but the read-only bits 7, 11, 12 */
    assert_int_equal(read(0x1a0), 0x851809);
    assert_true(msr_write(vcpu, 0x1a0, 0x1800));
    assert_int_equal(read(0x1a0), 0x1800);
    refuses(0x1a0, 2);
    keeps(0x1d9, 2);
    refuses(0x1d9, 0x40);
}

/* SDM vol. 4, table 2-2, IA32_MISC_ENABLE: bit 22 limits CPUID, bit 34 takes NX away. */
static void cpuid_follows_misc_enable(void **state)
{
    uint32_t out[4];

    (void)state;
    cpuid_read(vcpu, 0x80000001, 0, out);
    assert_true(out[CPUID_EDX] & CPUID_81_EDX_NX);
    assert_true(msr_write(vcpu, 0x1a0, 1ull << 34 | 1u << 22));
    cpuid_read(vcpu, 0, 0, out);
    assert_int_equal(out[CPUID_EAX], 2);
    cpuid_read(vcpu, 0x80000001, 0, out);
    assert_false(out[CPUID_EDX] & CPUID_81_EDX_NX);
    refuses(0xc0000080, EFER_NXE);
    msr_reset(vcpu);
    cpuid_read(vcpu, 0, 0, out);
    assert_true(out[CPUID_EAX] > 2);
    assert_true(msr_write(vcpu, 0xc0000080, EFER_NXE));
}

/* What Linux and Xen ask of a processor that CPUID calls AMD's; HWCR bit 24: the TSC counts at one rate. */
static void amd_constants(void **state)
{
    static const uint32_t zeros[] = {0xc0010000, 0xc0010007, 0xc0010010, 0xc001001f, 0xc0010055};

    (void)state;
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++) {
        assert_int_equal(read(zeros[i]), 0);
        assert_true(msr_write(vcpu, zeros[i], 1ull << 46));
        assert_int_equal(read(zeros[i]), 0);
    }
    /* DE_CFG bit 1: LFENCE waits for what is before it. Some set it, and chicken bits, without a look at
     * CPUID. */
    assert_int_equal(read(0xc0011029), 1u << 1);
    assert_true(msr_write(vcpu, 0xc0011029, 1u << 1 | 1u << 9));
    assert_int_equal(read(0xc0011029), 1u << 1);
    assert_int_equal(read(0xc0010015), 1u << 24);
    assert_true(msr_write(vcpu, 0xc0010015, 1u << 6));
    assert_int_equal(read(0xc0010015), 1u << 24);
}

/* Everything else raises #GP, is counted, and told with trace=exits. */
static void unknown_ones(void **state)
{
    static const uint32_t unknown[] = {0x0,        0x3a,       0x48,       0xc1,      0xce,  0x186,
                                       0x345,      0x38f,      0x400,      0x480,     0x6e1, 0x7ff,
                                       0xc0000085, 0xc0010016, 0xc0010114, 0xffffffff};
    uint64_t value;

    (void)state;
    assert_false(msr_read(vcpu, unknown[0], &value));
    assert_null(strstr(fake_host.log, "rdmsr"));
    vcpu->msr.unknown_reads = 0;
    vcpu->watched = WATCH_PRINT;
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        assert_false(msr_read(vcpu, unknown[i], &value));
        assert_false(msr_write(vcpu, unknown[i], 0));
    }
    assert_int_equal(vcpu->msr.unknown_reads, sizeof unknown / sizeof unknown[0]);
    assert_int_equal(vcpu->msr.unknown_writes, sizeof unknown / sizeof unknown[0]);
    assert_non_null(strstr(fake_host.log, "rdmsr 38f"));
}

/* Any number and value: an answer or #GP (and under ASan nothing else). */
static void random_accesses(void **state)
{
    uint64_t seed = 11, value;

    (void)state;
    for (unsigned int i = 0; i < 200000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        uint32_t index = (uint32_t)(seed >> 40) % 0x400 + (seed >> 63 ? 0xc0000000 : 0);
        if (seed >> 32 & 1)
            msr_read(vcpu, index, &value);
        else
            msr_write(vcpu, index, seed >> (seed >> 58));
    }
}

static void the_exits(void **state)
{
    struct exit_record rd = {.kind = EXIT_RDMSR, .insn_len = 2, .u.msr = {.index = 0xfe}},
                       wr = {.kind = EXIT_WRMSR, .insn_len = 2, .u.msr = {.index = 0xfe}};

    (void)state;
    fake_vm_flat32(vm);
    vcpu->regs.gpr[GPR_RDX] = UINT64_MAX;
    dispatch_exit(vcpu, &rd);
    assert_int_equal(vcpu->regs.gpr[GPR_RAX], 0x508);
    assert_int_equal(vcpu->regs.gpr[GPR_RDX], 0);
    assert_int_equal(vcpu->regs.rip, 0x8002);
    dispatch_exit(vcpu, &wr);
    assert_int_equal(vcpu->regs.rip, 0x8002);
    assert_int_equal(fake_vcpu(vcpu)->exception, 13);
    assert_true(fake_vcpu(vcpu)->exception_has_error);
    assert_int_equal(fake_vcpu(vcpu)->exception_error, 0);
}

static void passed_through_at_creation(void **state)
{
    const struct fake_vm *f = vm->arch;
    bool kernel_gs = false;

    (void)state;
    assert_int_equal(f->npassed, 10);
    for (size_t i = 0; i < f->npassed; i++) {
        kernel_gs |= f->passed_msrs[i] == 0xc0000102;
        assert_int_not_equal(f->passed_msrs[i], 0xc0000080);
    }
    assert_true(kernel_gs);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(registers_of_the_backend),
        TEST(memory_types),
        TEST(mtrrs_at_reset),
        TEST(efer),
        TEST(apic_base),
        TEST(time_stamp_counter),
        TEST(tsc_deadline),
        TEST(constants_and_firmware),
        TEST(cpuid_follows_misc_enable),
        TEST(amd_constants),
        TEST(unknown_ones),
        TEST(random_accesses),
        TEST(the_exits),
        TEST(passed_through_at_creation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
