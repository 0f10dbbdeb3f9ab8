/* Processors that turn their interrupts off for a moment, again and again, as kernels do around what they
 * hold a lock for. How long does such a moment take on the guest's clock? The hypervisor may take the
 * processor away in it, and whoever waits for the lock then waits for that, too. Words: seconds=N (default
 * 2), allowed=N (so many moments of each processor may take too long, default 0). */
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define SECTIONS_PER_SECOND 20000u /* if there were nothing between them: 50 us */
#define OPEN_PARTS          8u /* interrupts are on for less than so many times as long: by chance, so that */
#define CHANCES             1024u /* slices end everywhere */
#define TOO_LONG            500u  /* a second has so many of what nobody ought to wait for: 2 ms */

struct player {
    uint64_t sections, held_up, worst;
    uint32_t seed;
};

static struct player players[SMP_MAX];
static uint64_t hz, end;
static volatile bool begun; /* all run: one that is woken takes its processor from another in any moment */
static volatile unsigned int done;

/* Returns the TSC after at least that many ticks of it. */
static uint64_t work(uint64_t from, uint64_t ticks)
{
    uint64_t now;

    do {
        uint64_t n = 100;

        __asm__ volatile("1: decq %0; jnz 1b" : "+r"(n) : : "cc");
        now = rdtsc();
    } while (now - from < ticks);
    return now;
}

/* 0 to CHANCES - 1; a linear congruential generator's better half. */
static uint32_t chance(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 16) % CHANCES;
}

static void play(unsigned int cpu)
{
    struct player *me = &players[cpu];
    uint64_t now, step = hz / SECTIONS_PER_SECOND;

    while (!begun) {
        cpu_relax();
    }
    me->seed = cpu;
    now = rdtsc();
    while (now < end) {
        interrupts_off();
        uint64_t start = rdtsc(), length = work(start, step) - start;

        interrupts_on();
        me->sections++;
        me->held_up += length > hz / TOO_LONG;
        me->worst = length > me->worst ? length : me->worst;
        now = work(start + length, OPEN_PARTS * step * chance(&me->seed) / CHANCES);
    }
    __atomic_fetch_add(&done, 1, __ATOMIC_SEQ_CST);
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"seconds", "allowed", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    uint64_t seconds = word_number(words, "seconds", 2, &bad);
    uint64_t allowed = word_number(words, "allowed", 0, &bad);

    if (bad || seconds == 0 || seconds > 3600) {
        printf("section: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    pic_init();
    pic_mask_all();
    lapic_init();
    hz = calibrate().tsc_hz;
    pit_stop();
    end = rdtsc() + seconds * hz;

    unsigned int cpus = smp_count();

    report(smp_start(play) + 1 == cpus, "%u processors have started", cpus);
    begun = true;
    play(0);
    while (done < cpus) {
        cpu_relax();
    }
    for (unsigned int i = 0; i < cpus && i < SMP_MAX; i++) {
        printf("section: processor %u sections=%lu held_up=%lu worst_us=%lu\n", i, players[i].sections,
               players[i].held_up, players[i].worst * 1000000 / hz);
        report(players[i].sections > 0 && players[i].held_up <= allowed,
               "%u is not held up with interrupts off", i);
    }
    return report_summary();
}
