/* The CPUID policy: SDM vol. 2, CPUID; what is hidden and why stands at the head of vmm/cpuid.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_cpuid.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cpuid.h"
#include "vmm/cr.h"
#include "vmm/dispatch.h"

static struct vm *vm;
static uint32_t out[4];

static int setup(void **state)
{
    int failed = fake_vm_setup(state);
    vm = *state;
    return failed;
}

static void get(uint32_t leaf, uint32_t sub)
{
    cpuid_read(vm->vcpus[0], leaf, sub, out);
}

static void dynamic_bits_of_leaf_1(void **state)
{
    (void)state;
    get(1, 0);
    assert_int_equal(out[CPUID_EAX], 0x000306d4);
    assert_int_equal(out[CPUID_ECX],
                     0x81000000u | 0x76d83203u); /* all the host has, the hypervisor bit and TSC-deadline */
    assert_int_equal(out[CPUID_EDX], 0x078bfbff);
    hv->set_reg(vm->vcpus[0], REG_CR4, CR4_OSXSAVE);
    get(1, 0);
    assert_true(out[CPUID_ECX] & 1u << 27);
    assert_true(lapic_write_base(&vm->vcpus[0]->lapic, LAPIC_DEFAULT_BASE | APIC_BASE_BSP));
    get(1, 0);
    assert_false(out[CPUID_EDX] & CPUID_1_EDX_APIC);
}

/* Each feature that must not show, by name. */
static void what_is_hidden(void **state)
{
    static const struct {
        uint32_t leaf;
        enum cpuid_reg reg;
        unsigned int bit;
    } hidden[] = {
        {1, CPUID_ECX, 2},          /* DTES64 */
        {1, CPUID_ECX, 3},          /* MONITOR */
        {1, CPUID_ECX, 5},          /* VMX */
        {1, CPUID_ECX, 6},          /* SMX */
        {1, CPUID_ECX, 15},         /* PDCM */
        {1, CPUID_ECX, 17},         /* PCID */
        {1, CPUID_ECX, 21},         /* x2APIC */
        {1, CPUID_EDX, 21},         /* debug store */
        {1, CPUID_EDX, 22},         /* thermal monitor MSRs */
        {7, CPUID_EBX, 2},          /* SGX */
        {7, CPUID_EBX, 4},          /* HLE */
        {7, CPUID_EBX, 10},         /* INVPCID */
        {7, CPUID_EBX, 11},         /* RTM */
        {7, CPUID_EBX, 14},         /* MPX */
        {7, CPUID_EBX, 16},         /* AVX-512 */
        {7, CPUID_EBX, 25},         /* processor trace */
        {7, CPUID_ECX, 3},          /* PKU */
        {7, CPUID_ECX, 16},         /* LA57 */
        {7, CPUID_ECX, 22},         /* RDPID */
        {7, CPUID_EDX, 26},         /* IBRS */
        {7, CPUID_EDX, 29},         /* ARCH_CAPABILITIES */
        {0x80000001, CPUID_ECX, 2}, /* SVM */
        {0xd, CPUID_EAX, 9},        /* PKRU in XCR0 */
    };

    (void)state;
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++) {
        get(hidden[i].leaf, 0);
        if (out[hidden[i].reg] >> hidden[i].bit & 1)
            fail_msg("leaf %x register %d bit %u", hidden[i].leaf, (int)hidden[i].reg, hidden[i].bit);
        assert_false(cpuid_has(hidden[i].leaf, hidden[i].reg, 1u << hidden[i].bit));
    }
    assert_true(cpuid_has(7, CPUID_EBX, CPUID_7_EBX_SMEP | CPUID_7_EBX_SMAP));
    assert_true(cpuid_has(0x80000001, CPUID_EDX, CPUID_81_EDX_LM | CPUID_81_EDX_NX));
}

static void leaves_that_read_as_zeros(void **state)
{
    static const uint32_t leaves[] = {0x3,        0x5,        0x8,        0x9,        0xa,
                                      0xe,        0x10,       0x12,       0x14,       0x17,
                                      0x1f,       0x7fffffff, 0x40000002, 0x8000000a, 0x8000001d,
                                      0x8000001e, 0xffffffff, 0xc0000000, 0x20000000};
    const uint32_t zeros[4] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        get(leaves[i], 0);
        assert_memory_equal(out, zeros, sizeof zeros);
    }
    get(7, 1);
    assert_memory_equal(out, zeros, sizeof zeros);
    get(0, 0);
    assert_int_equal(out[CPUID_EAX], 0x16);
    assert_memory_equal(&out[CPUID_EBX], "GenuntelineI", 12);
    get(0x80000000, 0);
    assert_int_equal(out[CPUID_EAX], 0x80000008);
}

static void our_own(void **state)
{
    (void)state;
    get(0x40000100, 0); /* 40000000h: test_pvclock.c */
    assert_int_equal(out[CPUID_EAX], 0x40000100);
    assert_memory_equal(&out[CPUID_EBX], "EscapementVM", 12);
    get(0x80000007, 0);
    assert_int_equal(out[CPUID_EDX], 0x100); /* invariant TSC, whatever the host */
    get(6, 0);
    assert_int_equal(out[CPUID_EAX], 4); /* ARAT: the LAPIC timer never stops */
    get(7, 0);
    assert_true(out[CPUID_EBX] & 2); /* TSC_ADJUST */
}

/* SDM vol. 2, CPUID 15H and 16H: the frequencies that the guest really gets, not the host's words. */
static void frequencies(void **state)
{
    uint64_t hz = vtime_hz(&vm->time);

    (void)state;
    get(0x15, 0);
    assert_int_equal((uint64_t)out[CPUID_ECX] * out[CPUID_EBX] / out[CPUID_EAX], hz);
    assert_int_equal(out[CPUID_ECX], lapic_timer_hz(hz));
    get(0x16, 0);
    assert_int_equal(out[CPUID_EAX], hz / 1000000);
}

/* The timing leaf that hypervisors have agreed on: kHz of the TSC and of the LAPIC timer. An AMD processor
 * has no other. */
static void frequencies_of_a_hypervisor(void **state)
{
    uint64_t hz = vtime_hz(&vm->time);

    (void)state;
    get(0x40000000, 0);
    assert_true(out[CPUID_EAX] >= 0x40000010);
    get(0x40000010, 0);
    assert_int_equal(out[CPUID_EAX], hz / 1000);
    assert_int_equal(out[CPUID_EBX], lapic_timer_hz(hz) / 1000);
    assert_int_equal(out[CPUID_ECX] | out[CPUID_EDX], 0);
    for (uint32_t leaf = 0x40000002; leaf <= 0x40000020; leaf++) {
        get(leaf, 0);
        if (leaf != 0x40000010 && (out[CPUID_EAX] | out[CPUID_EBX] | out[CPUID_ECX] | out[CPUID_EDX]))
            fail_msg("leaf %x", leaf);
    }
}

/* tsc-deadline=off: no bit, no register, no mode (SDM vol. 3, 10.5.4.1). */
static void without_tsc_deadline(void **state)
{
    struct vm_config config = fake_vm_config();
    struct vm *without;
    uint64_t value;

    (void)state;
    config.tsc_deadline = false;
    without = fake_vm_create(&config);
    assert_non_null(without);
    cpuid_read(without->vcpus[0], 1, 0, out);
    assert_int_equal(out[CPUID_ECX], 0x80000000u | 0x76d83203u);
    assert_false(msr_read(without->vcpus[0], 0x6e0, &value));
    assert_false(msr_write(without->vcpus[0], 0x6e0, 1));
    lapic_write(&without->vcpus[0]->lapic, LAPIC_SVR, 0x1ff);
    lapic_write(&without->vcpus[0]->lapic, LAPIC_LVT_TIMER, 0x400ec);
    assert_int_equal(lapic_read(&without->vcpus[0]->lapic, LAPIC_LVT_TIMER), 0xec);
    void *handle = without;
    fake_vm_teardown(&handle);
}

/* SDM vol. 1, 13.2: the sizes follow XCR0. */
static void xsave_area(void **state)
{
    (void)state;
    get(0xd, 0);
    assert_int_equal(out[CPUID_EAX], 7);
    assert_int_equal(out[CPUID_EBX], 576); /* XCR0 is 1 */
    assert_int_equal(out[CPUID_ECX], 832);
    hv->set_reg(vm->vcpus[0], REG_XCR0, 7);
    get(0xd, 0);
    assert_int_equal(out[CPUID_EBX], 832);
    get(0xd, 1);
    assert_int_equal(out[CPUID_EAX], 5); /* no XSAVEC, no XSAVES */
    get(0xd, 2);
    assert_int_equal(out[CPUID_EAX], 0x100);
    get(0xd, 9);
    assert_int_equal(out[CPUID_EAX], 0);
    get(0xd, 0xffffffff);
    assert_int_equal(out[CPUID_EAX], 0);
}

static void without_xsave(void **state)
{
    (void)state;
    fake_cpuid_set(1, 0, 0x663, 0x800, 0x00802001, 0x178bfbfd); /* as QEMU's qemu64 */
    assert_int_equal(cpuid_xcr0_mask(), 0);
    get(0xd, 0);
    assert_int_equal(out[CPUID_EAX], 0);
    hv->set_reg(vm->vcpus[0], REG_CR4, CR4_OSXSAVE);
    get(1, 0);
    assert_int_equal(out[CPUID_ECX], 0x81802001); /* TSC-deadline is emulated, whatever the host has */
}

static void width_of_addresses(void **state)
{
    (void)state;
    assert_int_equal(cpuid_phys_bits(), 39);
    get(0x80000008, 0);
    assert_int_equal(out[CPUID_EAX], 0x3027); /* no other guest width */
    assert_int_equal(out[CPUID_EBX], 0);
    fake_cpuid_set(0x80000000, 0, 0x80000004, 0, 0, 0);
    assert_int_equal(cpuid_phys_bits(), 36);
}

/* SDM vol. 3, 8.9: ids of one package, one thread a core. */
static void topology_of_five_processors(void **state)
{
    struct vm_config config = fake_vm_config();
    struct vm *many;

    (void)state;
    config.cpus = 5;
    many = fake_vm_create(&config);
    assert_non_null(many);
    cpuid_read(many->vcpus[4], 1, 0, out);
    assert_int_equal(out[CPUID_EBX], 4u << 24 | 8u << 16 | 0x800);
    assert_true(out[CPUID_EDX] & 1u << 28);
    cpuid_read(many->vcpus[4], 0xb, 0, out);
    assert_int_equal(out[CPUID_EAX], 0);
    assert_int_equal(out[CPUID_EBX], 1);
    assert_int_equal(out[CPUID_ECX], 0x100);
    assert_int_equal(out[CPUID_EDX], 4);
    cpuid_read(many->vcpus[4], 0xb, 1, out);
    assert_int_equal(out[CPUID_EAX], 3);
    assert_int_equal(out[CPUID_EBX], 5);
    assert_int_equal(out[CPUID_ECX], 0x201);
    cpuid_read(many->vcpus[4], 0xb, 2, out);
    assert_int_equal(out[CPUID_EBX], 0);
    assert_int_equal(out[CPUID_ECX], 2);
    cpuid_read(many->vcpus[4], 4, 0, out);
    assert_int_equal(out[CPUID_EAX], 7u << 26 | 0x121);
    cpuid_read(many->vcpus[4], 4, 3, out);
    assert_int_equal(out[CPUID_EAX], 7u << 26 | 7u << 14 | 0x163);
    cpuid_read(many->vcpus[4], 4, 4, out);
    assert_int_equal(out[CPUID_EAX], 0);
    cpuid_read(many->vcpus[4], 0x80000008, 0, out);
    assert_int_equal(out[CPUID_ECX], 0); /* Intel's leaf has none of it */
    cpuid_read(many->vcpus[4], 0x80000001, 0, out);
    assert_false(out[CPUID_ECX] & 2);
    void *handle = many;
    fake_vm_teardown(&handle);
}

/* APM vol. 3, E.4.7: whatever the host has; cores and not threads (CMP_LEGACY). */
static void topology_on_amd(void **state)
{
    struct vm_config config = fake_vm_config();
    struct vm *many;

    (void)state;
    fake_cpuid_set(0, 0, 0x10, 0x68747541, 0x444d4163, 0x69746e65);
    fake_cpuid_set(0x80000008, 0, 0x3027, 0, 0, 0);
    config.cpus = 5;
    many = fake_vm_create(&config);
    assert_non_null(many);
    cpuid_read(many->vcpus[4], 0x80000008, 0, out);
    assert_int_equal(out[CPUID_ECX], 0x3004);
    cpuid_read(many->vcpus[4], 0x80000001, 0, out);
    assert_true(out[CPUID_ECX] & 2);
    get(0x80000008, 0); /* alone */
    assert_int_equal(out[CPUID_ECX], 0);
    get(0x80000001, 0);
    assert_false(out[CPUID_ECX] & 2);
    void *handle = many;
    fake_vm_teardown(&handle);
}

static void one_processor_has_no_siblings(void **state)
{
    (void)state;
    get(1, 0);
    assert_int_equal(out[CPUID_EBX], 1u << 16 | 0x800);
    get(4, 3);
    assert_int_equal(out[CPUID_EAX], 0x163);
}

/* The instruction: all four registers, upper halves cleared. */
static void the_exit(void **state)
{
    struct exit_record exit = {.kind = EXIT_CPUID, .insn_len = 2};
    uint64_t *gpr = vm->vcpus[0]->regs.gpr;

    (void)state;
    gpr[GPR_RAX] = 0xffffffff40000100;
    gpr[GPR_RBX] = gpr[GPR_RCX] = gpr[GPR_RDX] = UINT64_MAX;
    vm->vcpus[0]->regs.rip = 0x1000;
    dispatch_exit(vm->vcpus[0], &exit);
    assert_int_equal(gpr[GPR_RAX], 0x40000100);
    assert_int_equal(gpr[GPR_RBX] >> 32, 0);
    assert_int_equal(gpr[GPR_RDX] >> 32, 0);
    assert_int_equal(vm->vcpus[0]->regs.rip, 0x1002);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(dynamic_bits_of_leaf_1),
        TEST(what_is_hidden),
        TEST(leaves_that_read_as_zeros),
        TEST(frequencies),
        TEST(frequencies_of_a_hypervisor),
        TEST(our_own),
        TEST(without_tsc_deadline),
        TEST(xsave_area),
        TEST(without_xsave),
        TEST(width_of_addresses),
        TEST(topology_of_five_processors),
        TEST(topology_on_amd),
        TEST(one_processor_has_no_siblings),
        TEST(the_exit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
