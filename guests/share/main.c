/* What share of the processor a busy guest gets. In each second of its apparent time it counts rounds of a
 * loop of known length; where the time of a VM that waits for the processor is caught up with, few rounds fit
 * into a second. Words: seconds=N (default 5), wake=HZ (up to 10000: sleeps that often until its LAPIC timer
 * wakes it, and works nine tenths of the time). */
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define LAPIC_VECTOR 0x50
#define ROUND_LOOPS  1000
#define BUSY_ROUNDS  50 /* between two readings of the clock, which may cost an exit */

static volatile uint64_t wakes;

static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    wakes++;
    lapic_write(LAPIC_EOI, 0);
}

/* No clock is read in it: a round costs the same whatever time does. */
static void work(uint64_t rounds)
{
    uint64_t n = rounds * ROUND_LOOPS;

    __asm__ volatile("1: decq %0; jnz 1b" : "+r"(n) : : "cc");
}

/* Rounds until `end`. With a period, it sleeps until its timer wakes it whenever it has worked for nine
 * tenths of one. */
static uint64_t work_until(uint64_t end, uint64_t period)
{
    uint64_t rounds = 0, now = rdtsc(), sleep_at = now + period / 10 * 9;
    uint64_t step = period != 0 ? 1 : BUSY_ROUNDS;

    for (; now < end; now = rdtsc()) {
        if (period != 0 && now >= sleep_at) {
            wait_for_interrupt();
            sleep_at = rdtsc() + period / 10 * 9;
        }
        work(step);
        rounds += step;
    }
    return rounds;
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"seconds", "wake", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    uint64_t seconds = word_number(words, "seconds", 5, &bad), wake = word_number(words, "wake", 0, &bad);

    if (bad || seconds == 0 || seconds > 3600 || wake > 10000) {
        printf("share: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    pic_init();
    pic_mask_all();
    lapic_init();
    traps_set(LAPIC_VECTOR, on_timer);

    struct frequencies f = calibrate();

    if (wake != 0) {
        lapic_timer_start(LVT_PERIODIC | LAPIC_VECTOR, (uint32_t)(f.lapic_hz / wake));
    }
    interrupts_on();

    uint64_t end = rdtsc(), total = 0;

    for (uint64_t i = 0; i < seconds; i++) {
        end += f.tsc_hz;
        uint64_t rounds = work_until(end, wake != 0 ? f.tsc_hz / wake : 0);

        total += rounds;
        printf("share: second=%lu rounds=%lu wakes=%lu\n", i, rounds, wakes);
    }
    printf("share: total=%lu tsc_hz=%lu\n", total, f.tsc_hz);
    return EXIT_OK;
}
