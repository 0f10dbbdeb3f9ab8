/* One NMI is handled and one is latched behind it (SDM vol. 3, 6.7.1): of two that come at about the same
 * time, from two senders, the handler sees both. Behind its NMI processor 1 sends a call, which cannot
 * overtake it. */
#include "guests/ipi/ipi.h"
#include "guests/lib/irq.h"
#include "guests/lib/print.h"

static volatile bool is_crossing;
static volatile uint64_t asked, answered;

static void answer(void)
{
    while (is_crossing && asked == answered) {
        cpu_relax();
    }
    if (!is_crossing) {
        return;
    }
    smp_ipi(0, ICR_NMI);
    smp_ipi(0, ICR_FIXED | VECTOR);
    answered++;
}

void crossing_join(unsigned int cpu)
{
    while (is_crossing && cpu == 1) {
        answer();
    }
}

static bool cross_once(void)
{
    unsigned int calls = took[0], before = nmis[0];

    asked++;
    smp_ipi(0, ICR_NMI);
    while (took[0] == calls) {
        cpu_relax();
    }
    return nmis[0] - before == 2;
}

void crossing(uint64_t rounds)
{
    uint64_t lost = 0;

    is_crossing = true;
    smp_ipi(1, ICR_FIXED | VECTOR);
    settle();
    __asm__ volatile("sti");
    for (uint64_t i = 0; i < rounds; i++) {
        lost += !cross_once();
    }
    __asm__ volatile("cli");
    is_crossing = false;
    settle();
    report(lost == 0, "of two NMIs that cross none is lost (%lu of %lu)", lost, rounds);
    (void)taken(took, 0);
    (void)taken(nmis, 0);
}
