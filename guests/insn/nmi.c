/* NMIs to itself: one is handled, one is latched behind it, and comes right behind the IRET (SDM vol.
 * 3, 6.7.1), whatever IF is there. */
#include "guests/insn/insn.h"

#include "guests/lib/irq.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/lib/traps.h"

#define VECTOR_NMI 2
#define MORE       10 /* as many are sent in the handler; all but one merge */

static volatile uint64_t nmis, nmi_rips[2];

extern const uint8_t behind_nmi_cli[], behind_nmi_sti[];

static void on_nmi(struct trap_frame *frame)
{
    if (nmis < 2) {
        nmi_rips[nmis] = frame->rip;
    }
    nmis++;
    for (unsigned int i = 0; nmis == 1 && i < MORE; i++) {
        smp_ipi(0, ICR_NMI);
    }
}

/* How many have come when the next instruction after the ICR's write is executed. */
#define SEND(label)                                                                                          \
    __asm__ volatile("movl %[nmi], (%[icr])\n.globl " #label "\n" #label ":\n\tmovq %[nmis], %[seen]"        \
                     : [seen] "=&r"(seen)                                                                    \
                     : [icr] "r"(icr), [nmi] "i"(ICR_NMI), [nmis] "m"(nmis)                                  \
                     : "memory")

static void judge(uint64_t seen, const uint8_t *behind, const char *flag)
{
    report(seen == 2 && nmis == 2, "IF %s: %lu NMIs at once, %lu in all", flag, seen, nmis);
    report(nmi_rips[0] == (uintptr_t)behind && nmi_rips[1] == (uintptr_t)behind,
           "IF %s: the second right behind the first's IRET", flag);
    nmis = 0;
}

void insn_nmi(void)
{
    volatile uint32_t *icr = (volatile uint32_t *)(uintptr_t)(LAPIC_BASE + LAPIC_ICR_LOW);
    uint64_t seen;

    traps_set(VECTOR_NMI, on_nmi);
    lapic_write(LAPIC_ICR_HIGH, 0);
    __asm__ volatile("cli");
    SEND(behind_nmi_cli);
    judge(seen, behind_nmi_cli, "clear");
    __asm__ volatile("sti");
    SEND(behind_nmi_sti);
    judge(seen, behind_nmi_sti, "set");
    __asm__ volatile("cli");
}
