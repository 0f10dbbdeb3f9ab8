/* The verdict on a run. */
#include "guests/clock/clock.h"

#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"

/* What a kernel's quick calibration may be off, besides what its readings leave open. */
#define CALIBRATION_PPM 1000

static struct series series[TICK_SOURCES] = {
    [TICK_PIT] = {.name = "pit"},
    [TICK_RTC] = {.name = "rtc"},
    [TICK_HPET] = {.name = "hpet"},
    [TICK_LAPIC] = {.name = "lapic"},
};

struct findings {
    uint64_t hz; /* the TSC's, by the PIT's crystal over the whole run */
    uint64_t slack;
    uint64_t lost, extra, inversions, backward, disagreement, past, late;
};

static uint64_t to_ns(uint64_t ticks, uint64_t hz)
{
    return mul_div(ticks, 1000000000, hz);
}

/* TSC ticks a second: the clocks that count the PC's crystal say, by all their readings of the run. */
static uint64_t fitted_second(void)
{
    if (run.clocks[CLOCK_PIT].present) {
        return mul_div(clock_fit(&run.clocks[CLOCK_PIT]), PIT_HZ_NUM, 12);
    }
    if (run.clocks[CLOCK_PM].present) {
        return mul_div(clock_fit(&run.clocks[CLOCK_PM]), PIT_HZ_NUM, 4);
    }
    return run.tsc_hz << 32;
}

/* The exact rates of all clocks, from the TSC's measured one. The LAPIC's own frequency is nowhere promised:
 * it has to be constant. */
static void set_rates(uint64_t second)
{
    uint64_t before = run.tsc_hz << 32;

    for (unsigned int i = 0; i < CLOCKS; i++) {
        struct clock *c = &run.clocks[i];

        if (c->present) {
            c->rate = i == CLOCK_LAPIC ? clock_fit(c) : mul_div(c->rate, second, before);
        }
    }
}

static void judge_clock(const struct clock *c, struct findings *f)
{
    struct span s = clock_span(c, c->rate);
    uint64_t off = s.low > s.high ? (uint64_t)(s.low - s.high) : 0;
    uint64_t resolution = s.high > s.low ? (uint64_t)(s.high - s.low) : 0;

    printf("clock: %s samples=%lu backward=%lu disagreement_ns=%lu resolution_ns=%lu\n", c->name, c->samples,
           c->backward, to_ns(off, f->hz), to_ns(resolution, f->hz));
    f->backward += c->backward;
    f->disagreement = off > f->disagreement ? off : f->disagreement;
}

static uint64_t tick_period(enum tick_source source, uint64_t second)
{
    switch (source) {
    case TICK_PIT:
        return run.clocks[CLOCK_PIT].rate * run.pit_divisor;
    case TICK_RTC:
        return second >> (16 - run.rtc_rate_select); /* 2^(rs - 1) / 32768 of a second */
    case TICK_HPET:
        return run.clocks[CLOCK_HPET].rate * run.hpet_count;
    default:
        return run.clocks[CLOCK_LAPIC].rate * run.lapic_count;
    }
}

/* A counter that turns over must do so at its timer's events. */
static void compare_with_counter(const struct series *s, const struct clock *c, struct findings *f)
{
    struct span span = clock_span(c, c->rate);
    uint64_t width = span.high > span.low ? (uint64_t)(span.high - span.low) : 0;
    uint64_t middle = run.start + (uint64_t)((span.low + span.high) / 2);
    uint64_t period = s->period >> 32;
    uint64_t distance = s->origin + fixed_mul(1024, s->period) - middle; /* whole periods do not matter */
    uint64_t phase = distance - fixed_mul(mul_div(distance, 1ull << 32, s->period), s->period);
    uint64_t rest =
        phase < period ? period - phase : 0; /* what was cut off can make a phase of a whole period */
    uint64_t off = phase < period / 2 ? phase : rest;
    uint64_t allowed = width + (phase < period / 2 ? s->early : 0);

    off = off > allowed ? off - allowed : 0;
    printf("clock: %s counter and ticks disagreement_ns=%lu\n", s->name, to_ns(off, f->hz));
    f->disagreement = off > f->disagreement ? off : f->disagreement;
}

static void judge_series(enum tick_source source, uint64_t second, struct findings *f)
{
    struct series *s = &series[source];

    if (run.set.hz[source] == 0) {
        return;
    }
    ticks_judge(s, source, tick_period(source, second), f->slack);
    printf("clock: %s ticks due=%lu delivered=%lu lost=%lu extra=%lu late_ns=%lu past_ns=%lu\n", s->name,
           s->due, s->delivered, s->lost, s->extra, to_ns(s->late, f->hz), to_ns(s->past, f->hz));
    printf("clock: %s intervals shortest=%lu longest=%lu of 10000 rate_ppb=%ld\n", s->name,
           mul_div(s->shortest, 10000, s->period >> 32), mul_div(s->longest, 10000, s->period >> 32),
           s->rate_ppb);
    f->lost += s->lost;
    f->extra += s->extra;
    f->late = s->late > f->late ? s->late : f->late;
    f->past = s->past > f->past ? s->past : f->past;
}

static bool calibration_off(uint64_t hz)
{
    uint64_t off = hz > run.tsc_hz ? hz - run.tsc_hz : run.tsc_hz - hz;

    return off > mul_div(hz, CALIBRATION_PPM, 1000000) + run.tsc_hz_open;
}

static const char *why(const struct findings *f)
{
    for (unsigned int i = 0; i < TICK_SOURCES; i++) {
        if (run.set.hz[i] != 0 && series[i].delivered == 0) {
            return "a timer never ticked";
        }
    }
    if (run.overflow != 0) {
        return "log full";
    }
    return f->lost != 0                 ? "lost ticks"
           : f->extra != 0              ? "ticks that were not due"
           : run.rtc_spurious != 0      ? "RTC interrupts without a cause"
           : f->inversions != 0         ? "ticks out of order"
           : f->backward != 0           ? "a clock stepped back"
           : f->disagreement > f->slack ? "clocks disagree"
           : f->past > f->slack         ? "clock read past an undelivered tick"
           : calibration_off(f->hz)     ? "calibration off"
                                        : NULL;
}

int judge(void)
{
    uint64_t second = fitted_second();
    struct findings f = {.hz = second >> 32, .backward = run.tsc_backward};

    f.slack = mul_div(run.set.limit_ns, f.hz, 1000000000);
    set_rates(second);
    printf("clock: tsc_hz=%lu calibrated=%lu open=%lu lapic_hz=%lu\n", f.hz, run.tsc_hz, run.tsc_hz_open,
           run.lapic_hz);
    for (unsigned int i = 0; i < CLOCKS; i++) {
        if (run.clocks[i].present) {
            judge_clock(&run.clocks[i], &f);
        }
    }
    for (unsigned int i = 0; i < TICK_SOURCES; i++) {
        judge_series((enum tick_source)i, second, &f);
    }
    if (series[TICK_PIT].delivered != 0) {
        compare_with_counter(&series[TICK_PIT], &run.clocks[CLOCK_PIT], &f);
    }
    if (series[TICK_LAPIC].delivered != 0) {
        compare_with_counter(&series[TICK_LAPIC], &run.clocks[CLOCK_LAPIC], &f);
    }
    if (series[TICK_HPET].delivered != 0) {
        compare_with_counter(&series[TICK_HPET], &run.clocks[CLOCK_HPET], &f);
    }
    f.inversions = ticks_inversions(series, f.slack);
    printf(
        "clock: ticks pit=%lu/%lu rtc=%lu/%lu lapic=%lu/%lu lost=%lu extra=%lu inversions=%lu backward=%lu "
        "disagreement_ns=%lu past_ns=%lu late_ns=%lu hpet=%lu/%lu\n",
        series[TICK_PIT].delivered, series[TICK_PIT].due, series[TICK_RTC].delivered, series[TICK_RTC].due,
        series[TICK_LAPIC].delivered, series[TICK_LAPIC].due, f.lost, f.extra, f.inversions, f.backward,
        to_ns(f.disagreement, f.hz), to_ns(f.past, f.hz), to_ns(f.late, f.hz), series[TICK_HPET].delivered,
        series[TICK_HPET].due);

    const char *reason = why(&f);

    printf(reason == NULL ? "clock: PASS\n" : "clock: FAIL %s\n", reason);
    return reason == NULL ? EXIT_OK : EXIT_FAIL;
}
