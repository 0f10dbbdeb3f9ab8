/* Control registers, by every instruction that reaches them. */
#include "guests/insn/insn.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/print.h"

#define CR0_PE      (1ull << 0)
#define CR0_MP      (1ull << 1)
#define CR0_TS      (1ull << 3)
#define CR0_NE      (1ull << 5)
#define CR0_WP      (1ull << 16)
#define CR0_NW      (1ull << 29)
#define CR0_CD      (1ull << 30)
#define CR4_MCE     (1ull << 6)
#define CR4_PGE     (1ull << 7)
#define CR4_OSFXSR  (1ull << 9)
#define CR4_OSXSAVE (1ull << 18)

#define CPUID_1_ECX_XSAVE   (1u << 26)
#define CPUID_1_ECX_OSXSAVE (1u << 27)

INSN_REGISTER(cr0)
INSN_REGISTER(cr3)
INSN_REGISTER(cr4)
INSN_REGISTER(cr8)

static uint64_t smsw(void)
{
    uint64_t value;
    __asm__ volatile("smsw %0" : "=r"(value));
    return value;
}

static void cr0(void)
{
    const uint64_t old = read_cr0();
    uint16_t word = 0;

    report(smsw() == old, "SMSW to a register");
    __asm__ volatile("smsw %0" : "=m"(word));
    report(word == (uint16_t)old, "SMSW to memory");
    __asm__ volatile("lmsw %0" : : "m"((uint16_t){(uint16_t)(old | CR0_TS)}));
    report(read_cr0() == (old | CR0_TS), "LMSW from memory sets TS");
    __asm__ volatile("clts");
    report(read_cr0() == (old & ~CR0_TS), "CLTS");
    __asm__ volatile("lmsw %0" : : "r"((uint16_t)(old & ~CR0_PE)));
    report(read_cr0() & CR0_PE, "LMSW does not clear PE");
    for (uint64_t bit = CR0_NE; bit <= CR0_WP; bit = bit == CR0_NE ? CR0_WP : bit << 1) {
        write_cr0(old ^ bit);
        report(read_cr0() == (old ^ bit) && smsw() == (old ^ bit), "CR0 bit %lx", bit);
        write_cr0(old ^ bit ^ CR0_MP);
        report(read_cr0() == (old ^ bit ^ CR0_MP), "CR0 bit %lx, then MP", bit);
    }
    write_cr0(old | CR0_CD);
    report(read_cr0() == (old | CR0_CD), "CR0.CD");
    write_cr0(old);
    report(read_cr0() == old, "CR0 as it was");
    insn_run("\x0f\x22\xc0", 3, old | CR0_NW); /* NW without CD */
    report(insn_caught() == 13 && read_cr0() == old, "CR0.NW without CD: #GP");
}

static void cr4(void)
{
    const uint64_t old = read_cr4();

    write_cr4(old ^ CR4_PGE);
    report(read_cr4() == (old ^ CR4_PGE), "CR4.PGE");
    write_cr4(old ^ CR4_MCE);
    report(read_cr4() == (old ^ CR4_MCE), "CR4.MCE");
    write_cr4(old);
    report(read_cr4() == old, "CR4 as it was");
    write_cr3(read_cr3());
    report((read_cr3() & 0xfff) == 0, "CR3");
}

static void cr8(void)
{
    bool same = true;

    for (uint64_t i = 0; i < 16; i++) {
        write_cr8(i);
        same = same && read_cr8() == i && lapic_read(LAPIC_TPR) == i << 4;
    }
    report(same, "CR8 is the LAPIC's TPR");
    lapic_write(LAPIC_TPR, 0x35);
    report(read_cr8() == 3, "TPR is CR8");
    lapic_write(LAPIC_TPR, 0);
    insn_run("\x44\x0f\x22\xc0", 4, 16);
    report(insn_caught() == 13, "CR8 of 16: #GP");
}

void insn_control_registers(void)
{
    cr0();
    cr4();
    cr8();
}

/* XCR0, and what CPUID makes of it. */
void insn_xsave(void)
{
    const uint64_t old = read_cr4();

    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)) {
        insn_run("\x0f\x01\xd1", 3, 1);
        report(insn_caught() == 6, "no XSAVE: XSETBV is #UD");
        return;
    }
    write_cr4(old | CR4_OSFXSR | CR4_OSXSAVE);
    report(cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE, "CPUID shows OSXSAVE");
    const uint32_t offered = cpuid(13, 0).eax, small = cpuid(13, 0).ebx;
    insn_run("\x0f\x01\xd1", 3, offered);
    report(insn_caught() == 0, "XSETBV %x", offered);
    report(insn_run("\x0f\x01\xd0", 3, 0) == offered, "XGETBV");
    report(cpuid(13, 0).ebx >= small && cpuid(13, 0).ebx == cpuid(13, 0).ecx, "CPUID.DH follows XCR0");
    insn_run("\x0f\x01\xd1", 3, 2);
    report(insn_caught() == 13, "XCR0 without x87: #GP");
    insn_run("\x0f\x01\xd1", 3, 1);
    write_cr4(old);
    report(!(cpuid(1, 0).ecx & CPUID_1_ECX_OSXSAVE), "CPUID shows it no longer");
}
