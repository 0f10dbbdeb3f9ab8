/* Traps that meet: single steps behind STI, MOV SS and HLT, INT1, breakpoints held back by MOV SS, DR7.GD
 * (SDM vol. 3, 6.8.3, 18.3.1 and 18.3.1.4; vol. 2, HLT and INT n), and RF in what a fault pushes (18.3.1.1).
 */
#include "guests/insn/insn.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/print.h"
#include "guests/lib/traps.h"

#define VECTOR_DB    1
#define VECTOR_TIMER 0x40
#define DR6_BS       (1ul << 14)
#define DR6_BD       (1ul << 13)
#define DR6_B0       (1ul << 0)
#define DR6_B2       (1ul << 2)
#define DR6_FIXED    0xffff0ff0ul
#define DR7_FIXED    0x400ul
#define DR7_GD       (1ul << 13)
#define DR7_G0       (1ul << 1)
#define DR7_G2       (1ul << 5)
#define DR7_RW0      (0xful << 16) /* 0: reads and writes of four bytes */
#define RFLAGS_TF    (1ul << 8)
#define RFLAGS_RF    (1ul << 16)
#define TF           "0x100"

INSN_REGISTER(dr2)
INSN_REGISTER(dr6)
INSN_REGISTER(dr7)

#define SEEN 8

static volatile struct {
    uint64_t rip, dr6;
} seen[SEEN];
static volatile unsigned int hits;

static void on_debug(struct trap_frame *frame)
{
    if (hits < SEEN) {
        seen[hits].rip = frame->rip;
        seen[hits].dr6 = read_dr6();
    }
    if (read_dr6() & DR6_B2) {
        frame->rflags |= RFLAGS_RF;
    }
    if (++hits >= SEEN) {
        frame->rflags &= ~RFLAGS_TF;
    }
    write_dr6(DR6_FIXED);
}

static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    lapic_write(LAPIC_EOI, 0);
}

static void start(void)
{
    hits = 0;
    write_dr6(DR6_FIXED);
}

static void is(const char *name, unsigned int at, const uint8_t *rip, uint64_t dr6)
{
    report(hits > at && seen[at].rip == (uintptr_t)rip && seen[at].dr6 == (DR6_FIXED | dr6),
           "%s: trap %u at %lx, DR6 %lx (%lx, %lx of %u)", name, at, (uintptr_t)rip, DR6_FIXED | dr6,
           seen[at].rip, seen[at].dr6, hits);
}

#define STEP      "pushfq\n\torq $" TF ", (%%rsp)\n\tpopfq\n\t"
#define STOP      "pushfq\n\tandq $~" TF ", (%%rsp)\n\tpopfq\n\t"
#define AT(label) ".globl " #label "\n" #label ":\n\t"

extern const uint8_t sti_0[], sti_1[], ss_0[], hlt_0[], int1_0[], int1_1[], gd_0[], gd_1[], gd_2[], code_0[],
    held_0[];

static void behind_sti(void)
{
    start();
    __asm__ volatile("cli\n\t" STEP "sti\n\t" AT(sti_0) "nop\n\t" AT(sti_1) STOP "cli" : : : "memory", "cc");
    is("STI", 0, sti_0, DR6_BS);
    is("STI", 1, sti_1, DR6_BS);
    report(hits == 5, "STI: five traps (%u)", hits);
}

static void behind_mov_ss(void)
{
    uint32_t ss = 0;

    start();
    __asm__ volatile("movl %%ss, %0\n\t" STEP "movl %0, %%ss\n\tnop\n\t" AT(ss_0) STOP
                     : "+r"(ss)
                     :
                     : "memory", "cc");
    is("MOV SS", 0, ss_0, DR6_BS);
    report(hits == 4, "MOV SS: four traps (%u)", hits);
}

/* The trap ends HLT, not the timer. */
static void behind_hlt(void)
{
    start();
    traps_set(VECTOR_TIMER, on_timer);
    lapic_write(LAPIC_TIMER_DCR, 0xb);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    lapic_write(LAPIC_TIMER_ICR, 10000000);
    __asm__ volatile("sti\n\t" STEP "hlt\n\t" AT(hlt_0) STOP "cli" : : : "memory", "cc");
    report(lapic_read(LAPIC_TIMER_CCR) != 0, "HLT: over before the timer");
    lapic_write(LAPIC_TIMER_ICR, 0);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    is("HLT", 0, hlt_0, DR6_BS);
    report(hits == 4, "HLT: four traps (%u)", hits);
}

/* A trap after each repetition, to a port and to a device's memory: both are carried out by the hypervisor.
 */
static void repetitions(void)
{
    static const uint8_t text[] = "abc";
    const uint8_t *from = text;
    volatile uint32_t *to = (volatile uint32_t *)(uintptr_t)(LAPIC_BASE + LAPIC_TPR);
    uint64_t count = 3;

    start();
    __asm__ volatile(STEP "rep outsb\n\t" STOP : "+S"(from), "+c"(count) : "d"(0x80) : "memory", "cc");
    report(hits == 6 && count == 0 && from == text + 3, "REP OUTS: a trap for each (%u)", hits);
    start();
    count = 1;
    __asm__ volatile(STEP "rep stosl\n\t" STOP : "+D"(to), "+c"(count) : "a"(0) : "memory", "cc");
    report(hits == 4 && count == 0, "REP STOS: one (%u)", hits);
    report(seen[0].dr6 == (DR6_FIXED | DR6_BS), "REP STOS: DR6 %lx", seen[0].dr6);
}

static void int1(void)
{
    uint32_t ss = 0;

    start();
    __asm__ volatile(".byte 0xf1\n\t" AT(int1_0) : : : "memory");
    is("INT1", 0, int1_0, 0);
    report(hits == 1, "INT1: one trap (%u)", hits);
    start();
    __asm__ volatile("movl %%ss, %0\n\t" STEP "movl %0, %%ss\n\t.byte 0xf1\n\t" AT(int1_1) STOP
                     : "+r"(ss)
                     :
                     : "memory", "cc");
    is("MOV SS, INT1", 0, int1_1, 0);
    report(hits == 4, "MOV SS, INT1: four traps (%u)", hits);
}

static void general_detect(void)
{
    start();
    write_dr7(DR7_FIXED | DR7_GD);
    __asm__ volatile(AT(gd_0) "movq %0, %%dr2\n\t" : : "r"(0x1234ul) : "memory");
    is("DR7.GD", 0, gd_0, DR6_BD);
    report(hits == 1 && read_dr2() == 0x1234 && read_dr7() == DR7_FIXED, "DR7.GD: once (%u)", hits);
}

/* It is a fault, which MOV SS does not hold back; then the instruction again, and its step. */
static void general_detect_behind_mov_ss(void)
{
    uint32_t ss = 0;

    __asm__ volatile("movl %%ss, %0" : "=r"(ss));
    start();
    write_dr7(DR7_FIXED | DR7_GD);
    __asm__ volatile(STEP "movl %0, %%ss\n" AT(gd_1) "movq %1, %%dr2\n\t" AT(gd_2) STOP
                     :
                     : "r"(ss), "r"(0x5678ul)
                     : "memory", "cc");
    is("MOV SS, DR7.GD", 0, gd_1, DR6_BD);
    is("MOV SS, DR7.GD", 1, gd_2, DR6_BS);
    report(hits == 5, "MOV SS, DR7.GD: five traps (%u)", hits);
}

static void code_breakpoint(void)
{
    start();
    write_dr2((uintptr_t)code_0);
    write_dr7(DR7_FIXED | DR7_G2);
    __asm__ volatile(AT(code_0) "nop" : : : "memory");
    is("code breakpoint", 0, code_0, DR6_B2);
    report(hits == 1, "code breakpoint: once (%u)", hits);
    write_dr7(DR7_FIXED);
}

/* The watchpoint's trap and INT1's are one. */
static void held_back(void)
{
    static volatile uint16_t ss;

    __asm__ volatile("movw %%ss, %0" : "=m"(ss));
    __asm__ volatile("movq %0, %%dr0" : : "r"(&ss) : "memory");
    write_dr7(DR7_FIXED | DR7_G0 | DR7_RW0);
    start();
    __asm__ volatile("movw %0, %%ss\n\t.byte 0x2e, 0x2e, 0xf1\n\t" AT(held_0) : : "m"(ss) : "memory");
    report(hits == 1 && seen[0].rip == (uintptr_t)held_0, "MOV SS with a watchpoint, INT1: one trap (%u)",
           hits);
    write_dr7(DR7_FIXED);
}

static void pushes_rf(const char *name, const void *bytes, unsigned int n, uint64_t rax)
{
    insn_run(bytes, n, rax);
    report(insn_caught() != 0 && (insn_caught_rflags() & RFLAGS_RF), "RF pushed by a fault: %s", name);
}

/* Of these, QEMU's AMD processor has no trap behind STI, no DR7.GD and no INT1. */
void insn_steps(void)
{
    const bool intel = cpuid(0, 0).ebx == 0x756e6547; /* "Genu" */

    traps_set(VECTOR_DB, on_debug);
    pushes_rf("UD2", "\x0f\x0b", 2, 0);
    pushes_rf("MOV CR4", "\x0f\x22\xe0", 3, UINT32_MAX);
    pushes_rf("RDMSR", "\xb9\x77\x66\x55\x44\x0f\x32", 7, 0);
    pushes_rf("RDPMC", "\x0f\x33", 2, 0);
    behind_mov_ss();
    behind_hlt();
    repetitions();
    code_breakpoint();
    if (intel) {
        behind_sti();
        general_detect();
        general_detect_behind_mov_ss();
        int1();
        held_back();
    }
}
