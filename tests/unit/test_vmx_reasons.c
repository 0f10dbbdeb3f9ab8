/* links: arch/x86/vmx/reasons.c */
/* Exit reasons (SDM vol. 3, appendix C) and exit qualifications (28.2.1). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86/vmx/reasons.h"
#include "vmm/vcpu.h"

static struct exit_record decode(uint32_t reason, uint64_t qualification, uint64_t gpa,
                                 const struct vcpu_regs *regs)
{
    struct exit_record exit = {.raw_qualification = qualification};
    const struct vmx_reason *r = vmx_reason(reason);
    exit.kind = r->kind;
    assert_non_null(r->decode);
    r->decode(&exit, gpa, regs);
    return exit;
}

static void every_reason_of_the_manual_has_an_entry(void **state)
{
    (void)state;
    for (uint32_t reason = 0; reason < 80; reason++) {
        const struct vmx_reason *r = vmx_reason(reason);
        const int gap = reason == 35 || reason == 38 || reason == 42 || reason == 71;
        assert_non_null(r->name);
        assert_int_equal(r == vmx_reason(99999), gap);
        assert_true(r->kind < EXIT_KINDS);
    }
    assert_int_equal(vmx_reason(80)->kind, EXIT_UNEXPECTED);
    assert_int_equal(vmx_reason(0xffff)->kind, EXIT_UNEXPECTED);
}

/* Instructions that the virtual processor has not got end as #UD, never as an unexpected exit. */
static void vmx_instructions_are_undefined(void **state)
{
    (void)state;
    for (uint32_t reason = 19; reason <= 27; reason++)
        assert_int_equal(vmx_reason(reason)->kind, EXIT_VIRT_INSN);
    assert_int_equal(vmx_reason(50)->kind, EXIT_VIRT_INSN);
    assert_int_equal(vmx_reason(53)->kind, EXIT_VIRT_INSN);
    assert_int_equal(vmx_reason(11)->kind, EXIT_VIRT_INSN);
    assert_int_equal(vmx_reason(18)->kind, EXIT_HYPERCALL);
}

static void io(void **state)
{
    (void)state;
    /* Table 28-5. OUT 43h, AL: size 1 */
    struct exit_record e = decode(30, 0x43ull << 16 | 1 << 6, 0, NULL);
    assert_int_equal(e.kind, EXIT_IO);
    assert_int_equal(e.u.io.port, 0x43);
    assert_int_equal(e.u.io.size, 1);
    assert_false(e.u.io.in || e.u.io.string || e.u.io.rep);
    /* REP INSD from port FFFFh */
    e = decode(30, 0xffffull << 16 | 1 << 5 | 1 << 4 | 1 << 3 | 3, 0, NULL);
    assert_int_equal(e.u.io.port, 0xffff);
    assert_int_equal(e.u.io.size, 4);
    assert_true(e.u.io.in && e.u.io.string && e.u.io.rep);
    /* OUTSW */
    e = decode(30, 0x1f0ull << 16 | 1 << 4 | 1, 0, NULL);
    assert_int_equal(e.u.io.size, 2);
    assert_true(!e.u.io.in && e.u.io.string && !e.u.io.rep);
}

static void control_registers(void **state)
{
    (void)state;
    /* Table 28-3. MOV CR8, R15 */
    struct exit_record e = decode(28, 15 << 8 | 8, 0, NULL);
    assert_int_equal(e.u.cr.cr, 8);
    assert_int_equal(e.u.cr.access, CR_WRITE);
    assert_int_equal(e.u.cr.gpr, 15);
    /* MOV RDX, CR8 */
    e = decode(28, 2 << 8 | 1 << 4 | 8, 0, NULL);
    assert_int_equal(e.u.cr.access, CR_READ);
    assert_int_equal(e.u.cr.gpr, 2);
    /* CLTS; LMSW with source 1234h */
    e = decode(28, 2 << 4, 0, NULL);
    assert_int_equal(e.u.cr.access, CR_CLTS);
    e = decode(28, 0x1234ull << 16 | 3 << 4, 0, NULL);
    assert_int_equal(e.u.cr.access, CR_LMSW);
    assert_int_equal(e.u.cr.lmsw, 0x1234);
}

static void msr_takes_32_bits_of_each_register(void **state)
{
    (void)state;
    struct vcpu_regs regs = {0};
    regs.gpr[GPR_RCX] = 0xffffffff00000010ull;
    regs.gpr[GPR_RDX] = 0xdeadbeef12345678ull;
    regs.gpr[GPR_RAX] = 0xcafebabe9abcdef0ull;
    const struct exit_record e = decode(32, 0, 0, &regs);
    assert_int_equal(e.kind, EXIT_WRMSR);
    assert_int_equal(e.u.msr.index, 0x10);
    assert_int_equal(e.u.msr.value, 0x123456789abcdef0ull);
}

static void ept_violations(void **state)
{
    (void)state;
    /* Table 28-7. A data write, the linear address translated (bits 7 and 8) */
    struct exit_record e = decode(48, 1 << 8 | 1 << 7 | 1 << 1, 0xfee00300, NULL);
    assert_int_equal(e.kind, EXIT_MMIO);
    assert_int_equal(e.u.mmio.gpa, 0xfee00300);
    assert_true(e.u.mmio.write && !e.u.mmio.fetch && !e.u.mmio.in_walk);
    e = decode(48, 1 << 8 | 1 << 7 | 1 << 2, 0xf0000000, NULL);
    assert_true(!e.u.mmio.write && e.u.mmio.fetch && !e.u.mmio.in_walk);
    /* A paging structure on the way (bit 8 clear), and PDPTEs (bit 7 clear too) */
    e = decode(48, 1 << 7 | 1, 0xf0000000, NULL);
    assert_true(e.u.mmio.in_walk);
    e = decode(48, 1, 0xf0000000, NULL);
    assert_true(e.u.mmio.in_walk);
}

static void host_interrupts_are_taken_where_they_can_be_due(void **state)
{
    (void)state;
    assert_true(vmx_reason(1)->flags & R_HOST_WINDOW);
    assert_true(vmx_reason(52)->flags & R_HOST_WINDOW);
    assert_int_equal(vmx_reason(52)->kind, EXIT_DEADLINE);
    assert_false(vmx_reason(10)->flags & R_HOST_WINDOW);
}

static void errors_have_names(void **state)
{
    (void)state;
    assert_string_equal(vmx_instruction_error_name(7), "VM entry with invalid control fields");
    assert_string_equal(vmx_instruction_error_name(14), "unknown error");
    assert_string_equal(vmx_instruction_error_name(0), "unknown error");
    assert_string_equal(vmx_instruction_error_name(1000), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_of_the_manual_has_an_entry),
        cmocka_unit_test(vmx_instructions_are_undefined),
        cmocka_unit_test(io),
        cmocka_unit_test(control_registers),
        cmocka_unit_test(msr_takes_32_bits_of_each_register),
        cmocka_unit_test(ept_violations),
        cmocka_unit_test(host_interrupts_are_taken_where_they_can_be_due),
        cmocka_unit_test(errors_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
