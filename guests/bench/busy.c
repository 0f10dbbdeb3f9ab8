/* Guests that keep the processor busy: what the hypervisor takes of it, and what a switch costs, is for the
 * counting plug-in to see (tests/bench/count.c). */
#include "guests/bench/bench.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/print.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define DIVIDE_BY_1  0xB
#define VECTOR_TIMER 0x60
#define SPIN_LOOPS   20000 /* between two marks: 40 us under QEMU */

static volatile uint64_t ticked;

static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    MARK(MARK_TICK);
    ticked++;
    lapic_write(LAPIC_EOI, 0);
}

/* No clock is read in it: the guest leaves by nothing but its ticks. */
void bench_busy(uint64_t ticks, uint32_t count)
{
    pic_init();
    pic_mask_all();
    lapic_init();
    traps_set(VECTOR_TIMER, on_timer);
    lapic_write(LAPIC_TIMER_DCR, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
    lapic_write(LAPIC_TIMER_ICR, count);
    interrupts_on();
    MARK(MARK_READY);
    MARK(MARK_BEGIN); /* the last guest's counts */
    while (ticked < ticks) {
    }
    MARK(MARK_END); /* the first's */
    MARK(MARK_RESULT);
    MARK(MARK_DONE);
    interrupts_off();
    printf("bench: busy ticks=%lu\n", ticked);
}

static void work(void)
{
    uint64_t n = SPIN_LOOPS;

    __asm__ volatile("1: decq %0; jnz 1b" : "+r"(n) : : "cc");
}

void bench_spin(uint64_t rounds, bool other)
{
    for (; rounds != 0; rounds--) {
        work();
        if (other) {
            MARK(MARK_SIDE_B);
        } else {
            MARK(MARK_SIDE_A);
        }
    }
    MARK(MARK_RESULT); /* the first's, with the other still there */
}
