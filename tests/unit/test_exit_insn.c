/* Exits of which the processor does not tell the instruction's length, or the operands of an access to a
 * control register (APM vol. 2, 15.7.1: nRIP is not on all processors; 15.33): the instruction is decoded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/cr.h"
#include "vmm/decode.h"
#include "vmm/dispatch.h"
#include "vmm/exit.h"

#define CODE 0x8000u

static struct vm *vm;
static struct vcpu *vcpu;

static int setup(void **state)
{
    int failed = fake_vm_setup(state);
    vm = *state;
    vcpu = vm->vcpus[0];
    fake_vm_long_mode(vm);
    fake_vcpu(vcpu)->exception = -1;
    return failed;
}

/* Puts bytes at CODE and exits there; returns how far RIP went. */
static uint64_t exit_at(enum exit_kind kind, const char *bytes, size_t n)
{
    struct exit_record exit = {.kind = kind, .cr3 = hv->get_reg(vcpu, REG_CR3)};
    vcpu->regs.rip = CODE;
    memcpy(vm_ram(vm, CODE, n), bytes, n);
    dispatch_exit(vcpu, &exit);
    return vcpu->regs.rip - CODE;
}
#define EXIT_AT(kind, bytes) exit_at((kind), (bytes), sizeof(bytes) - 1)

static void plain_instructions(void **state)
{
    (void)state;
    assert_int_equal(EXIT_AT(EXIT_CPUID, "\x0f\xa2"), 2);
    assert_int_equal(EXIT_AT(EXIT_RDTSC, "\x0f\x31"), 2);
    assert_int_equal(EXIT_AT(EXIT_RDTSCP, "\x0f\x01\xf9"), 3);
    assert_int_equal(EXIT_AT(EXIT_INVD, "\x0f\x08"), 2);
    assert_int_equal(EXIT_AT(EXIT_WBINVD, "\x0f\x09"), 2);
    assert_int_equal(EXIT_AT(EXIT_HLT, "\xf4"), 1);
    struct exit_record rdmsr = {.kind = EXIT_RDMSR, .u.msr = {0x8b, 0}}, wrmsr = rdmsr;
    wrmsr.kind = EXIT_WRMSR;
    vcpu->regs.rip = CODE;
    memcpy(vm_ram(vm, CODE, 4), "\x0f\x32\x0f\x30", 4);
    dispatch_exit(vcpu, &rdmsr);
    assert_int_equal(vcpu->regs.rip, CODE + 2);
    dispatch_exit(vcpu, &wrmsr);
    assert_int_equal(vcpu->regs.rip, CODE + 4);
}

/* WBNOINVD is WBINVD with F3; the others do nothing, and count. */
static void prefixes_count(void **state)
{
    (void)state;
    assert_int_equal(EXIT_AT(EXIT_WBINVD, "\xf3\x0f\x09"), 3);
    assert_int_equal(EXIT_AT(EXIT_CPUID, "\x66\x67\x2e\x48\x0f\xa2"), 6);
    assert_int_equal(EXIT_AT(EXIT_HLT, "\x66\xf4"), 2);
}

static void xsetbv(void **state)
{
    (void)state;
    hv->set_reg(vcpu, REG_CR4, hv->get_reg(vcpu, REG_CR4) | CR4_OSXSAVE);
    vcpu->regs.gpr[GPR_RCX] = 0;
    vcpu->regs.gpr[GPR_RDX] = 0;
    vcpu->regs.gpr[GPR_RAX] = 1;
    assert_int_equal(EXIT_AT(EXIT_XSETBV, "\x0f\x01\xd1"), 3);
}

static void vmmcall(void **state)
{
    (void)state;
    assert_int_equal(EXIT_AT(EXIT_HYPERCALL, "\x0f\x01\xd9"), 3);
    assert_int_equal(EXIT_AT(EXIT_HYPERCALL, "\x66\x0f\x01\xd9"), 4);
}

static void the_cache_follows_the_bytes(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 3; i++)
        assert_int_equal(EXIT_AT(EXIT_CPUID, "\x0f\xa2"), 2);
    assert_int_equal(EXIT_AT(EXIT_CPUID, "\x66\x0f\xa2"), 3);
    assert_int_equal(EXIT_AT(EXIT_CPUID, "\x66\x0f\xa2"), 3);
    assert_int_equal(EXIT_AT(EXIT_CPUID, "\x0f\xa2"), 2);
    assert_int_equal(EXIT_AT(EXIT_HLT, "\xf4"), 1);
    assert_int_equal(EXIT_AT(EXIT_CPUID, "\x66\x66\x66\x66\x0f\xa2"), 6); /* too long to be remembered */
    assert_int_equal(EXIT_AT(EXIT_CPUID, "\x0f\xa2"), 2);
}

/* The same address, another address space. */
static void the_cache_follows_cr3(void **state)
{
    uint64_t *old = vm_ram(vm, 0x10000, 0x4000), *tables = vm_ram(vm, 0x20000, 0x4000);
    (void)state;
    assert_int_equal(EXIT_AT(EXIT_CPUID, "\x0f\xa2"), 2);
    memcpy(tables, old, 0x4000);
    tables[0] = 0x21007;
    tables[512] = 0x22007;
    tables[1024] = 0x200083; /* linear 0 is the second 2 MiB there */
    memcpy(vm_ram(vm, 0x200000 + CODE, 3), "\x66\x0f\xa2", 3);
    hv->set_reg(vcpu, REG_CR3, 0x20000);
    struct exit_record exit = {.kind = EXIT_CPUID, .cr3 = 0x20000};
    vcpu->regs.rip = CODE;
    dispatch_exit(vcpu, &exit);
    assert_int_equal(vcpu->regs.rip, CODE + 3);
}

/* The end of a page, and the end of RAM, which must not be read beyond. */
static void at_the_end(void **state)
{
    static const uint64_t ends[] = {0x9000, FAKE_VM_MEM};
    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        for (unsigned int round = 0; round < 2; round++) {
            struct exit_record exit = {.kind = EXIT_CPUID};
            memcpy(vm_ram(vm, ends[i] - 2, 2), "\x0f\xa2", 2);
            vcpu->regs.rip = ends[i] - 2;
            dispatch_exit(vcpu, &exit);
            assert_int_equal(vcpu->regs.rip, ends[i]);
            assert_int_equal(vm->state, VM_RUNNING);
        }
    }
}

/* QEMU's exit of INVD says WBINVD: an INVD of the guest's ended it. */
static void qemus_invd(void **state)
{
    (void)state;
    assert_int_equal(EXIT_AT(EXIT_WBINVD, "\x0f\x08"), 2);
    assert_int_equal(EXIT_AT(EXIT_WBINVD, "\x0f\x09"), 2);
    assert_int_equal(EXIT_AT(EXIT_INVD, "\x0f\x08"), 2);
}

/* QEMU's exit of RDTSCP says RDTSC. */
static void rdtscp_that_says_rdtsc(void **state)
{
    (void)state;
    vcpu->msr.tsc_aux = 0x77;
    for (unsigned int i = 0; i < 2; i++) { /* decoded, then from the cache */
        vcpu->regs.gpr[GPR_RCX] = 0;
        assert_int_equal(EXIT_AT(EXIT_RDTSC, "\x0f\x01\xf9"), 3);
        assert_int_equal(vcpu->regs.gpr[GPR_RCX], 0x77);
    }
    vcpu->regs.gpr[GPR_RCX] = 1;
    assert_int_equal(EXIT_AT(EXIT_RDTSC, "\x0f\x31"), 2);
    assert_int_equal(vcpu->regs.gpr[GPR_RCX], 1);
}

static void another_instruction_ends_the_vm(void **state)
{
    (void)state;
    assert_int_equal(EXIT_AT(EXIT_CPUID, "\x0f\x31"), 0);
    assert_int_equal(vm->state, VM_ENDED);
    assert_non_null(strstr(vm->end_reason, "another instruction"));
}

static void a_length_that_is_known_is_not_decoded(void **state)
{
    struct exit_record exit = {.kind = EXIT_CPUID, .insn_len = 5};
    (void)state;
    vcpu->regs.rip = 0xb0000000; /* no RAM there */
    dispatch_exit(vcpu, &exit);
    assert_int_equal(vcpu->regs.rip, 0xb0000005);
}

/* ---- control registers ---- */

static uint64_t cr_at(uint8_t cr, const char *bytes, size_t n)
{
    struct exit_record exit = {.kind = EXIT_CR_ACCESS, .u.cr = {.cr = cr, .access = CR_UNKNOWN}};
    vcpu->regs.rip = CODE;
    memcpy(vm_ram(vm, CODE, n), bytes, n);
    fake_vcpu(vcpu)->exception = -1;
    dispatch_exit(vcpu, &exit);
    return vcpu->regs.rip - CODE;
}
#define CR_AT(cr, bytes) cr_at((cr), (bytes), sizeof(bytes) - 1)

static void mov_cr(void **state)
{
    (void)state;
    vcpu->regs.gpr[GPR_R9] = CR4_PAE | CR4_PGE;
    assert_int_equal(CR_AT(4, "\x41\x0f\x22\xe1"), 4); /* mov %r9,%cr4 */
    assert_int_equal(hv->get_reg(vcpu, REG_CR4), CR4_PAE | CR4_PGE);
    assert_int_equal(CR_AT(4, "\x0f\x20\xe6"), 3); /* mov %cr4,%rsi */
    assert_int_equal(vcpu->regs.gpr[GPR_RSI], CR4_PAE | CR4_PGE);
    vcpu->regs.gpr[GPR_RBX] = 9;
    assert_int_equal(CR_AT(8, "\x44\x0f\x22\xc3"), 4); /* mov %rbx,%cr8 */
    assert_int_equal(CR_AT(8, "\x44\x0f\x20\xc1"), 4); /* mov %cr8,%rcx */
    assert_int_equal(vcpu->regs.gpr[GPR_RCX], 9);
    /* ModRM.mod is not looked at (vol. 2, MOV): no displacement follows. */
    assert_int_equal(CR_AT(4, "\x0f\x20\xa6"), 3);
    /* lock mov %cr0 is CR8 where the processor says so. */
    assert_int_equal(CR_AT(8, "\xf0\x0f\x20\xc2"), 4);
    assert_int_equal(vcpu->regs.gpr[GPR_RDX], 9);
}

static void a_faulting_mov_stays(void **state)
{
    (void)state;
    vcpu->regs.gpr[GPR_RAX] = 1ull << 40;
    assert_int_equal(CR_AT(4, "\x0f\x22\xe0"), 0);
    assert_int_equal(fake_vcpu(vcpu)->exception, 13);
}

static void clts_and_lmsw(void **state)
{
    (void)state;
    const uint64_t cr0 = hv->get_reg(vcpu, REG_CR0);
    vcpu->regs.gpr[GPR_RAX] = 0xffff000b;          /* PE, MP, TS; only 16 bits count */
    assert_int_equal(CR_AT(0, "\x0f\x01\xf0"), 3); /* lmsw %ax */
    assert_int_equal(hv->get_reg(vcpu, REG_CR0), cr0 | CR0_MP | CR0_TS);
    assert_int_equal(CR_AT(0, "\x0f\x06"), 2);
    assert_int_equal(hv->get_reg(vcpu, REG_CR0), cr0 | CR0_MP);
    *(uint16_t *)vm_ram(vm, 0x9010, 2) = 0x0009;
    vcpu->regs.gpr[GPR_RBX] = 0x9000;
    assert_int_equal(CR_AT(0, "\x0f\x01\x73\x10"), 4); /* lmsw 0x10(%rbx) */
    assert_int_equal(hv->get_reg(vcpu, REG_CR0), cr0 | CR0_TS);
}

static void smsw(void **state)
{
    (void)state;
    hv->set_reg(vcpu, REG_CR0, hv->get_reg(vcpu, REG_CR0) | CR0_MP);
    const uint64_t cr0 = hv->get_reg(vcpu, REG_CR0);
    vcpu->regs.gpr[GPR_RDI] = 0x1111111111111111;
    assert_int_equal(CR_AT(0, "\x48\x0f\x01\xe7"), 4); /* smsw %rdi */
    assert_int_equal(vcpu->regs.gpr[GPR_RDI], cr0);
    vcpu->regs.gpr[GPR_RDI] = 0x1111111111111111;
    assert_int_equal(CR_AT(0, "\x66\x0f\x01\xe7"), 4); /* smsw %di */
    assert_int_equal(vcpu->regs.gpr[GPR_RDI], 0x1111111111110000 | (cr0 & 0xffff));
    uint32_t *memory = vm_ram(vm, 0x9000, 4);
    *memory = 0xaaaaaaaa;
    vcpu->regs.gpr[GPR_RBX] = 0x9000;
    assert_int_equal(CR_AT(0, "\x48\x0f\x01\x23"), 4); /* smsw (%rbx): 16 bits, whatever REX.W says */
    assert_int_equal(*memory, 0xaaaa0000 | (cr0 & 0xffff));
    /* Where there is no page: #PF, and nothing is skipped. */
    vcpu->regs.gpr[GPR_RBX] = 0x8000000000;
    assert_int_equal(CR_AT(0, "\x0f\x01\x23"), 0);
    assert_int_equal(fake_vcpu(vcpu)->exception, 14);
}

static void another_instruction_is_no_access(void **state)
{
    (void)state;
    assert_int_equal(CR_AT(4, "\x0f\xa2"), 0);
    assert_int_equal(vm->state, VM_ENDED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, fake_vm_teardown)
    const struct CMUnitTest tests[] = {
        T(plain_instructions),
        T(prefixes_count),
        T(qemus_invd),
        T(xsetbv),
        T(vmmcall),
        T(the_cache_follows_the_bytes),
        T(the_cache_follows_cr3),
        T(at_the_end),
        T(rdtscp_that_says_rdtsc),
        T(another_instruction_ends_the_vm),
        T(a_length_that_is_known_is_not_decoded),
        T(mov_cr),
        T(a_faulting_mov_stays),
        T(clts_and_lmsw),
        T(smsw),
        T(another_instruction_is_no_access),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
