/* Control registers: SDM vol. 3, 2.5, 4.1; vol. 2, MOV CR, CLTS, LMSW, XSETBV. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/support/fake_cpuid.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cr.h"
#include "vmm/dispatch.h"
#include "vmm/exit.h"

static struct vm *vm;
static struct vcpu *vcpu;

static int setup(void **state)
{
    int failed = fake_vm_setup(state);
    vm = *state;
    vcpu = vm->vcpus[0];
    fake_vm_flat32(vm);
    return failed;
}

/* One exit of three bytes; true if it was carried out, false if #GP(0) was injected. */
static bool access_cr(uint8_t cr, enum cr_access access, uint8_t gpr, uint16_t lmsw)
{
    struct exit_record exit = {.kind = EXIT_CR_ACCESS,
                               .insn_len = 3,
                               .u.cr = {.cr = cr, .access = (uint8_t)access, .gpr = gpr, .lmsw = lmsw}};
    uint64_t rip = vcpu->regs.rip;

    fake_vcpu(vcpu)->exception = -1;
    dispatch_exit(vcpu, &exit);
    if (vcpu->regs.rip == rip + 3) {
        assert_int_equal(fake_vcpu(vcpu)->exception, -1);
        return true;
    }
    assert_int_equal(fake_vcpu(vcpu)->exception, 13);
    assert_int_equal(fake_vcpu(vcpu)->exception_error, 0);
    assert_int_equal(vcpu->regs.rip, rip);
    return false;
}

static bool write_cr(uint8_t cr, uint64_t value)
{
    vcpu->regs.gpr[GPR_RBX] = value;
    return access_cr(cr, CR_WRITE, GPR_RBX, 0);
}

static uint64_t reg(enum guest_reg r)
{
    return hv->get_reg(vcpu, r);
}

static void cr0(void **state)
{
    (void)state;
    assert_true(write_cr(0, CR0_PE | CR0_TS));
    assert_int_equal(reg(REG_CR0), CR0_PE | CR0_TS | CR0_ET); /* ET is wired to 1 */
    assert_false(write_cr(0, CR0_PG));
    assert_false(write_cr(0, CR0_PE | CR0_NW));
    assert_true(write_cr(0, CR0_PE | CR0_CD | CR0_NW));
    assert_true(write_cr(0, CR0_PE | 1u << 10)); /* reserved bits below 32 are ignored */
    assert_int_equal(reg(REG_CR0), CR0_PE | CR0_ET);
    assert_true(write_cr(0, CR0_PE | 1ull << 33)); /* 32-bit code moves 32 bits */
    assert_true(write_cr(0, CR0_PE | CR0_PG));
}

static void entering_and_leaving_long_mode(void **state)
{
    struct guest_segment cs = {0x08, 0xa09b, UINT32_MAX, 0};

    (void)state;
    hv->set_reg(vcpu, REG_EFER, EFER_LME);
    assert_false(write_cr(0, CR0_PE | CR0_PG)); /* without PAE */
    hv->set_reg(vcpu, REG_CR4, CR4_PAE);
    hv->set_segment(vcpu, SEG_CS, &cs);
    assert_false(write_cr(0, CR0_PE | CR0_PG)); /* CS.L is set already */
    fake_vm_flat32(vm);
    assert_true(write_cr(0, CR0_PE | CR0_PG));
    fake_vm_long_mode(vm);
    assert_false(write_cr(0, CR0_PE));              /* from 64-bit code */
    assert_false(write_cr(0, CR0_PE | 1ull << 33)); /* and there bits 63:32 fault */
    assert_false(write_cr(4, 0));                   /* PAE in long mode */
    assert_true(write_cr(4, CR4_PAE | CR4_PGE));
}

static void cr4(void **state)
{
    (void)state;
    assert_true(write_cr(4, CR4_VME | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_FSGSBASE | CR4_UMIP | CR4_MCE));
    assert_false(write_cr(4, CR4_PCIDE));
    assert_false(write_cr(4, CR4_LA57));
    assert_false(write_cr(4, CR4_PKE));
    assert_false(write_cr(4, 1u << 13)); /* VMXE */
    assert_false(write_cr(4, 1u << 31));
    fake_cpuid_set(1, 0, 0x663, 0x800, 0x00802001, 0x178bfbfd);
    fake_cpuid_set(7, 0, 0, 0, 0, 0);
    assert_false(write_cr(4, CR4_OSXSAVE));
    assert_false(write_cr(4, CR4_SMEP));
    assert_true(write_cr(4, CR4_OSFXSR));
}

/* 4.4.1: a reserved bit in a present PDPTE is #GP when they are loaded. */
static void pae_pointers(void **state)
{
    uint64_t *pdptes = vm_ram(vm, 0x5020, 32);

    (void)state;
    pdptes[2] = 0x6003; /* bit 1 is reserved */
    hv->set_reg(vcpu, REG_CR3, 0x5020);
    hv->set_reg(vcpu, REG_CR4, CR4_PAE);
    assert_false(write_cr(0, CR0_PE | CR0_PG));
    pdptes[2] = 0x6002; /* not present */
    assert_true(write_cr(0, CR0_PE | CR0_PG));
    pdptes[0] = 1ull << 45 | 1;
    assert_false(write_cr(4, CR4_PAE | CR4_PGE));
    assert_false(write_cr(3, 0x5020));
    pdptes[0] = 0x7001;
    assert_true(write_cr(4, CR4_PAE | CR4_PGE));
    assert_true(write_cr(3, 0x5020));
    assert_false(write_cr(3, 0xfffff000)); /* not RAM: they would read as all ones */
}

/* APM vol. 2, 15.25.10: with nested paging AMD's processors read them at each walk, and say nothing before.
 * QEMU's sets bit 5 in them meanwhile. */
static void pae_pointers_are_not_loaded(void **state)
{
    struct hv_ops ops = *hv;
    uint64_t *pdptes = vm_ram(vm, 0x5020, 32);

    (void)state;
    ops.loads_pdptes = false;
    hv = &ops;
    pdptes[2] = 0x6021;
    hv->set_reg(vcpu, REG_CR3, 0x5020);
    hv->set_reg(vcpu, REG_CR4, CR4_PAE);
    assert_true(write_cr(0, CR0_PE | CR0_PG));
    assert_true(write_cr(4, CR4_PAE | CR4_PGE));
    assert_true(write_cr(3, 0x5020));
    assert_true(write_cr(3, 0xfffff000));
    hv = &fake_hv_ops;
}

static void cr3_in_long_mode(void **state)
{
    (void)state;
    fake_vm_long_mode(vm);
    assert_true(write_cr(3, 0x7ffffff000));
    assert_int_equal(reg(REG_CR3), 0x7ffffff000);
    assert_false(write_cr(3, 1ull << 39));
    assert_true(access_cr(3, CR_READ, GPR_R9, 0));
    assert_int_equal(vcpu->regs.gpr[GPR_R9], 0x7ffffff000);
}

/* 10.8.6.1: CR8 is the class of the task priority. */
static void cr8_is_the_task_priority(void **state)
{
    (void)state;
    fake_vm_long_mode(vm);
    assert_true(write_cr(8, 9));
    assert_int_equal(lapic_read(&vcpu->lapic, LAPIC_TPR), 0x90);
    assert_false(write_cr(8, 16));
    assert_true(access_cr(8, CR_READ, GPR_RCX, 0));
    assert_int_equal(vcpu->regs.gpr[GPR_RCX], 9);
}

static void clts_and_lmsw(void **state)
{
    (void)state;
    assert_true(write_cr(0, CR0_PE | CR0_TS | CR0_MP | CR0_WP));
    assert_true(access_cr(0, CR_CLTS, 0, 0));
    assert_int_equal(reg(REG_CR0), CR0_PE | CR0_MP | CR0_WP | CR0_ET);
    assert_true(access_cr(0, CR_LMSW, 0, 0xfff8)); /* bits 3:0 only, and PE stays */
    assert_int_equal(reg(REG_CR0), CR0_PE | CR0_TS | CR0_WP | CR0_ET);
}

static void xsetbv(uint32_t ecx, uint64_t value, int exception)
{
    struct exit_record exit = {.kind = EXIT_XSETBV, .insn_len = 3};
    uint64_t rip = vcpu->regs.rip;

    fake_vcpu(vcpu)->exception = -1;
    vcpu->regs.gpr[GPR_RCX] = ecx;
    vcpu->regs.gpr[GPR_RAX] = (uint32_t)value;
    vcpu->regs.gpr[GPR_RDX] = value >> 32;
    dispatch_exit(vcpu, &exit);
    assert_int_equal(fake_vcpu(vcpu)->exception, exception);
    assert_int_equal(vcpu->regs.rip, exception < 0 ? rip + 3 : rip);
}

static void extended_control_register(void **state)
{
    (void)state;
    xsetbv(0, 7, 6); /* CR4.OSXSAVE is clear */
    hv->set_reg(vcpu, REG_CR4, CR4_OSXSAVE);
    xsetbv(0, 7, -1);
    assert_int_equal(reg(REG_XCR0), 7);
    xsetbv(0, 6, 13);    /* x87 is always on */
    xsetbv(0, 5, 13);    /* AVX without SSE */
    xsetbv(0, 0xe7, 13); /* not offered */
    xsetbv(0, 1ull << 62 | 1, 13);
    xsetbv(1, 1, 13);
    assert_int_equal(reg(REG_XCR0), 7);
    hv->set_segment(vcpu, SEG_SS, &(struct guest_segment){0x13, 0xc0f3, UINT32_MAX, 0});
    xsetbv(0, 3, 13); /* at CPL 3 */
}

/* Any value into any register: done or #GP. */
static void random_writes(void **state)
{
    static const uint8_t crs[] = {0, 3, 4, 8};
    uint64_t seed = 5;
    unsigned int done = 0, refused = 0;

    (void)state;
    for (unsigned int i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        if (i % 100 == 0)
            (i / 100 % 2 ? fake_vm_long_mode : fake_vm_flat32)(vm);
        vcpu->regs.rip = 0x8000;
        if (write_cr(crs[seed >> 62], seed >> (seed >> 56 & 63)))
            done++;
        else
            refused++;
    }
    assert_true(done > 100 && refused > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fake_vm_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(cr0),
        TEST(entering_and_leaving_long_mode),
        TEST(cr4),
        TEST(pae_pointers),
        TEST(pae_pointers_are_not_loaded),
        TEST(cr3_in_long_mode),
        TEST(cr8_is_the_task_priority),
        TEST(clts_and_lmsw),
        TEST(extended_control_register),
        TEST(random_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
