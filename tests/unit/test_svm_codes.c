/* links: arch/x86/svm/codes.c */
/* Exit codes and the pure part of their decoding (APM vol. 2, appendix C; 15.10.2, 15.11, 15.25.6, 15.33.1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/svm/codes.h"
#include "arch/x86/svm/vmcb.h"
#include "vmm/vcpu.h"

static struct vmcb vmcb;
static struct vcpu_regs regs;
static struct exit_record record;

static void decode(uint32_t code, uint64_t info1, uint64_t info2, bool assists)
{
    const struct svm_code *c = svm_code(code);
    memset(&record, 0xff, sizeof(record));
    vmcb.exit_info1 = info1;
    vmcb.exit_info2 = info2;
    record.kind = (enum exit_kind)c->kind;
    record.raw_reason = code;
    if (c->decode)
        c->decode(&record, &vmcb, &regs, assists);
}

static void every_code_has_a_name(void **state)
{
    (void)state;
    for (uint32_t code = 0; code < 0x500; code++) {
        assert_non_null(svm_code(code)->name);
        assert_true(svm_code(code)->kind < EXIT_KINDS);
    }
    assert_int_equal(svm_code(0xa5)->kind, EXIT_UNEXPECTED);
    assert_int_equal(svm_code(0x401)->kind, EXIT_UNEXPECTED);
}

/* VMEXIT_INVALID is -1, of which QEMU stores 32 bits. */
static void invalid_state(void **state)
{
    (void)state;
    assert_int_equal(svm_code((uint32_t)UINT64_MAX)->kind, EXIT_ENTRY_FAILED);
}

static void kinds(void **state)
{
    static const struct {
        uint32_t code;
        enum exit_kind kind;
    } table[] = {
        {0x41, EXIT_EXCEPTION},    {0x46, EXIT_EXCEPTION},  {0x51, EXIT_EXCEPTION}, {0x60, EXIT_INTERRUPT},
        {0x61, EXIT_NMI},          {0x64, EXIT_IRQ_WINDOW}, {0x6e, EXIT_RDTSC},     {0x72, EXIT_CPUID},
        {0x74, EXIT_NMI_WINDOW},   {0x76, EXIT_INVD},       {0x78, EXIT_HLT},       {0x7a, EXIT_VIRT_INSN},
        {0x7f, EXIT_TRIPLE_FAULT}, {0x80, EXIT_VIRT_INSN},  {0x81, EXIT_HYPERCALL}, {0x84, EXIT_VIRT_INSN},
        {0x86, EXIT_VIRT_INSN},    {0x87, EXIT_RDTSCP},     {0x89, EXIT_WBINVD},    {0x8d, EXIT_XSETBV},
        {0x7d, EXIT_UNEXPECTED},   {0xa2, EXIT_VIRT_INSN},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        assert_int_equal(svm_code(table[i].code)->kind, table[i].kind);
}

/* IN AX, 71h; OUTSD with REP (figure 15-3). */
static void io(void **state)
{
    (void)state;
    decode(0x7b, 0x00710000 | 1u << 5 | 1u, 0x1002, false);
    assert_int_equal(record.kind, EXIT_IO);
    assert_int_equal(record.u.io.port, 0x71);
    assert_int_equal(record.u.io.size, 2);
    assert_true(record.u.io.in);
    assert_false(record.u.io.string || record.u.io.rep);
    decode(0x7b, 0xfffe0000 | 1u << 6 | 1u << 3 | 1u << 2, 0, false);
    assert_int_equal(record.u.io.port, 0xfffe);
    assert_int_equal(record.u.io.size, 4);
    assert_false(record.u.io.in);
    assert_true(record.u.io.string && record.u.io.rep);
    assert_true(svm_code(0x7b)->flags & X_NEXT_INFO2);
}

static void msrs(void **state)
{
    (void)state;
    regs.gpr[GPR_RCX] = 0xffffffffc0000080ull; /* ECX alone counts */
    regs.gpr[GPR_RAX] = 0xeeeeeeee00000501ull;
    regs.gpr[GPR_RDX] = 0x12;
    decode(0x7c, 0, 0, false);
    assert_int_equal(record.kind, EXIT_RDMSR);
    assert_int_equal(record.u.msr.index, 0xc0000080);
    decode(0x7c, 1, 0, false);
    assert_int_equal(record.kind, EXIT_WRMSR);
    assert_int_equal(record.u.msr.value, 0x1200000501ull);
}

/* Bit 33: the access was to a page table of the guest's. */
static void nested_page_faults(void **state)
{
    (void)state;
    decode(0x400, 1ull << 32 | 2 | 4, 0xfee000b0, false);
    assert_int_equal(record.kind, EXIT_MMIO);
    assert_int_equal(record.u.mmio.gpa, 0xfee000b0);
    assert_true(record.u.mmio.write);
    assert_false(record.u.mmio.fetch || record.u.mmio.in_walk);
    decode(0x400, 1ull << 32 | 0x10 | 4, 0xb0000000, false);
    assert_true(record.u.mmio.fetch);
    assert_false(record.u.mmio.write);
    decode(0x400, 1ull << 33 | 4, 0xb0000000, false);
    assert_true(record.u.mmio.in_walk);
}

static void control_registers_with_assists(void **state)
{
    (void)state;
    decode(0x14, 1ull << 63 | 11, 0, true);
    assert_int_equal(record.u.cr.cr, 4);
    assert_int_equal(record.u.cr.access, CR_WRITE);
    assert_int_equal(record.u.cr.gpr, 11);
    decode(0x08, 1ull << 63 | 3, 0, true);
    assert_int_equal(record.u.cr.cr, 8);
    assert_int_equal(record.u.cr.access, CR_READ);
    assert_int_equal(record.u.cr.gpr, 3);
    decode(0x65, 1ull << 63 | 2, 0, true);
    assert_int_equal(record.u.cr.cr, 0);
    assert_int_equal(record.u.cr.access, CR_WRITE);
}

/* CLTS, LMSW, SMSW have bit 63 clear; without the assists EXITINFO1 is nothing to go by (15.33.1). */
static void control_registers_without(void **state)
{
    (void)state;
    decode(0x10, 0, 0, true);
    assert_int_equal(record.u.cr.cr, 0);
    assert_int_equal(record.u.cr.access, CR_UNKNOWN);
    decode(0x18, 1ull << 63 | 5, 0, false);
    assert_int_equal(record.u.cr.cr, 8);
    assert_int_equal(record.u.cr.access, CR_UNKNOWN);
    decode(0x65, 0, 0, false);
    assert_int_equal(record.u.cr.cr, 0);
    assert_int_equal(record.u.cr.access, CR_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_name),
        cmocka_unit_test(invalid_state),
        cmocka_unit_test(kinds),
        cmocka_unit_test(io),
        cmocka_unit_test(msrs),
        cmocka_unit_test(nested_page_faults),
        cmocka_unit_test(control_registers_with_assists),
        cmocka_unit_test(control_registers_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
