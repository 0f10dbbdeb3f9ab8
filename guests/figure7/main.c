/* The scenario of the patent's figure 7 on a PC's timers, a unit of time being 1/2048 s. Two VMs play it:
 *
 * role=timers: VTIMER1 is the RTC's periodic interrupt (64 Hz: 32 units), VTIMER2 the LAPIC timer (periodic,
 * 48 units), VTIMER3 the PIT (one-shot, armed by each event for the next). Time 0 of the figure is ZERO units
 * after the VM's start. It is busy all the time, reads a clock where the figure does, and says what it has
 * seen.
 *
 * role=other: starts first, halts, which lets the first VM begin, and takes the processor from 48 to 113.
 *
 * The slice must be longer than the whole: `--append slice=2s`, and `catchup=2 progress=0` for the first VM.
 */
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define UNITS_PER_SECOND 2048u
#define ZERO             2056u /* so that the RTC ticks 8 units later: its grid lies at 16 + 32 n from the start */
#define LOST             48u  /* the processor is lost, */
#define BACK             113u /* and given back */
#define END              177u
#define READ_AFTER       9u /* the clock is read at 130, 9 after VTIMER1's third event: at 90 in apparent time */
#define READ_AT          90u
#define STEPS            64u /* of a unit: how finely the loops look */
#define TENTHS           10u
#define TOLERANCE        8u /* tenths of a unit: what handlers and exits take */

#define LAPIC_VECTOR  0x50
#define PIT_HZ_DEN    12u
#define RTC_HZ        64u
#define VTIMER1_EVERY (UNITS_PER_SECOND / RTC_HZ)
#define VTIMER2_EVERY 48u

enum { VTIMER1 = 1, VTIMER2, VTIMER3 };

/* What must be seen, in apparent time. */
struct event {
    unsigned int timer;
    uint64_t at; /* units; of what was seen: TSC ticks */
};

static const struct event figure[] = {
    {VTIMER1, 8},   {VTIMER2, 8},   {VTIMER3, 13},  {VTIMER3, 34},  {VTIMER1, 40},
    {VTIMER2, 56},  {VTIMER3, 62},  {VTIMER1, 72},  {VTIMER1, 104}, {VTIMER2, 104},
    {VTIMER3, 124}, {VTIMER1, 136}, {VTIMER2, 152}, {VTIMER1, 168}, {VTIMER3, 172},
};
#define EVENTS (sizeof(figure) / sizeof(figure[0]))

static const uint64_t vtimer3[] = {13, 34, 62, 124, 172};

static struct event seen[EVENTS];
static volatile unsigned int nseen;
static volatile unsigned int count[VTIMER3 + 1]; /* of each timer */
static volatile bool pit_armed; /* an edge of the PIT that was latched before is none of the figure's */
static struct frequencies hz;

/* The TSC at a time of the figure. */
static uint64_t tsc_at(uint64_t units)
{
    return mul_div(ZERO + units, hz.tsc_hz, UNITS_PER_SECOND);
}

static uint64_t tsc_before(uint64_t units)
{
    return mul_div(ZERO - units, hz.tsc_hz, UNITS_PER_SECOND);
}

static void wait_until(uint64_t tsc)
{
    while (rdtsc() < tsc) {
    }
}

/* One-shot (mode 0), for a time of the figure. */
static void pit_once(uint64_t units)
{
    uint64_t now = rdtsc(), then = tsc_at(units);
    uint64_t ticks = then > now ? mul_div(then - now, PIT_HZ_NUM, PIT_HZ_DEN * hz.tsc_hz) : 1;

    outb(0x43, 0x30); /* channel 0, both bytes, mode 0 */
    outb(0x40, (uint8_t)ticks);
    outb(0x40, (uint8_t)(ticks >> 8));
}

static void note(unsigned int timer, uint64_t tsc)
{
    if (nseen < EVENTS) {
        seen[nseen] = (struct event){timer, tsc};
    }
    nseen++;
    count[timer]++;
}

static void on_rtc(struct trap_frame *frame)
{
    (void)frame;
    note(VTIMER1, rdtsc());
    rtc_read(RTC_C);
    pic_eoi(IRQ_RTC);
}

static void on_lapic(struct trap_frame *frame)
{
    (void)frame;
    note(VTIMER2, rdtsc());
    lapic_write(LAPIC_EOI, 0);
}

static void on_pit(struct trap_frame *frame)
{
    (void)frame;
    if (pit_armed) {
        note(VTIMER3, rdtsc());
    }
    if (pit_armed && count[VTIMER3] < sizeof(vtimer3) / sizeof(vtimer3[0])) {
        pit_once(vtimer3[count[VTIMER3]]);
    }
    pic_eoi(IRQ_PIT);
}

/* Real time by a loop, for in catch-up mode no clock shows it. */
static void spin(uint64_t loops)
{
    __asm__ volatile("1: decq %0; jnz 1b" : "+r"(loops) : : "cc");
}

static uint64_t loops_per_unit(void)
{
    uint64_t loops = 100000, start = rdtsc();

    spin(loops);
    return mul_div(loops, hz.tsc_hz, UNITS_PER_SECOND * (rdtsc() - start));
}

/* Until *counter is n, or far too long a time is over. */
static void wait_for(const volatile unsigned int *counter, unsigned int n, uint64_t unit)
{
    for (unsigned int i = 0; *counter < n && i < 3 * END * STEPS; i++) {
        spin(unit / STEPS);
    }
}

/* In the order of the figure; the guest reads its clock in between. Returns the reading, in TSC ticks. */
static uint64_t play(void)
{
    uint64_t unit = loops_per_unit(), reading;

    interrupts_on();
    wait_until(tsc_before(VTIMER2_EVERY - 8));
    lapic_timer_start(LVT_PERIODIC | LAPIC_VECTOR,
                      (uint32_t)mul_div(VTIMER2_EVERY, hz.lapic_hz, UNITS_PER_SECOND));
    wait_until(tsc_before(VTIMER1_EVERY / 2)); /* between two ticks of its grid, at -24 and 8 */
    rtc_periodic(rtc_rate_select(RTC_HZ));
    wait_until(tsc_at(0));
    pit_armed = true;
    pit_once(vtimer3[0]);
    wait_for(&count[VTIMER1], 3, unit);
    spin(READ_AFTER * unit);
    reading = rdtsc();
    wait_for(&nseen, EVENTS, unit);
    wait_until(tsc_at(END));
    interrupts_off();
    return reading;
}

/* Tenths of a unit since time 0 of the figure. */
static uint64_t tenths(uint64_t tsc)
{
    uint64_t zero = tsc_at(0);

    return tsc > zero ? mul_div(tsc - zero, TENTHS * UNITS_PER_SECOND, hz.tsc_hz) : 0;
}

static bool near(uint64_t tsc, uint64_t units)
{
    return tenths(tsc) + 1 >= TENTHS * units && tenths(tsc) <= TENTHS * units + TOLERANCE;
}

/* Two at one time come in the order of their interrupts' priorities. */
static bool as_in_figure(unsigned int i)
{
    const struct event *e = &figure[i];
    bool swapped = (i > 0 && figure[i - 1].at == e->at && seen[i].timer == figure[i - 1].timer) ||
                   (i + 1 < EVENTS && figure[i + 1].at == e->at && seen[i].timer == figure[i + 1].timer);

    return (seen[i].timer == e->timer || swapped) && near(seen[i].at, e->at);
}

static int judge(uint64_t reading)
{
    printf("figure7: zero=%lu hz=%lu\n", tsc_at(0), hz.tsc_hz);
    for (unsigned int i = 0; i < EVENTS; i++) {
        uint64_t t = tenths(seen[i].at);

        report(as_in_figure(i), "event %u: VTIMER%u at %lu.%lu", i, seen[i].timer, t / TENTHS, t % TENTHS);
    }
    report(nseen == EVENTS, "%u events", nseen);
    report(near(reading, READ_AT), "the clock was read at %lu.%lu", tenths(reading) / TENTHS,
           tenths(reading) % TENTHS);
    return report_summary();
}

/* The figure's VM begins when this one halts for the first time. */
static int other(void)
{
    lapic_timer_start(LAPIC_VECTOR, (uint32_t)mul_div(ZERO + LOST, hz.lapic_hz, UNITS_PER_SECOND));

    uint64_t start = rdtsc();
    unsigned int before;

    while (count[VTIMER2] == 0) {
        wait_for_interrupt();
        interrupts_off();
    }
    wait_until(start + mul_div(ZERO + BACK, hz.tsc_hz, UNITS_PER_SECOND));
    /* After its end the clearing of its memory takes the processor now and then: only when all is played.
     */
    before = count[VTIMER2];
    lapic_timer_start(LAPIC_VECTOR, (uint32_t)(hz.lapic_hz / 2));
    while (count[VTIMER2] == before) {
        wait_for_interrupt();
        interrupts_off();
    }
    return EXIT_OK;
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"role", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool timers = word_is(words, "role", "timers");

    if (!words_check(words, names) || (!timers && !word_is(words, "role", "other"))) {
        printf("figure7: FAIL give role=timers or role=other: %s\n", words);
        return EXIT_FAIL;
    }
    pic_init();
    lapic_init();
    traps_set(LAPIC_VECTOR, on_lapic);
    traps_set(PIC_VECTOR_BASE + IRQ_RTC, on_rtc);
    traps_set(PIC_VECTOR_BASE + IRQ_PIT, on_pit);
    hz = calibrate();
    if (!timers) {
        return other();
    }
    pit_stop();
    pic_unmask(IRQ_PIT);
    pic_unmask(IRQ_RTC);
    return judge(play());
}
