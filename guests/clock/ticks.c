/* Judges the log of ticks: each timer against its own grid, and the three against one another. */
#include "guests/clock/clock.h"

#include "guests/lib/string.h"

#define BINS 64

static uint64_t due_at(const struct series *s, int64_t index)
{
    return index >= 0 ? s->origin + fixed_mul((uint64_t)index, s->period)
                      : s->origin - fixed_mul((uint64_t)-index, s->period);
}

/* Which whole period after `origin` a time lies in; times before it count from -1 down. */
static int64_t periods_since(uint64_t time, uint64_t origin, uint64_t period)
{
    if (time >= origin) {
        return (int64_t)mul_div(time - origin, 1ull << 32, period);
    }
    return -1 - (int64_t)mul_div(origin - time - 1, 1ull << 32, period);
}

static uint64_t phase_of(uint64_t time, uint64_t origin, uint64_t period)
{
    uint64_t k = mul_div(time - origin, 1ull << 32, period);

    return time - origin - fixed_mul(k, period);
}

/* The bin after the longest run of empty ones, round the circle: most handlers run soon after their event, so
 * the events lie where the arrivals begin. */
static unsigned int first_bin(const uint32_t *bins)
{
    unsigned int best = 0, best_gap = 0, gap = 0;

    for (unsigned int i = 0; i < 2 * BINS; i++) {
        if (bins[i % BINS] == 0) {
            gap++;
            continue;
        }
        if (gap > best_gap) {
            best_gap = gap;
            best = i % BINS;
        }
        gap = 0;
    }
    return best;
}

/* Event 0 of the grid that the arrivals show: no arrival lies before its event, and the closest one at it. */
static uint64_t find_origin(enum tick_source source, uint64_t period)
{
    uint32_t bins[BINS] = {0};
    uint64_t base = run.start, bin = (period >> 32) / BINS + 1, least = UINT64_MAX;

    for (uint32_t i = 0; i < run.nticks; i++) {
        if (run.ticks[i].source == source) {
            bins[phase_of(run.ticks[i].entry, base, period) / bin]++;
        }
    }
    base -= (period >> 32) - first_bin(bins) * bin;
    for (uint32_t i = 0; i < run.nticks; i++) {
        if (run.ticks[i].source == source) {
            uint64_t phase = phase_of(run.ticks[i].entry, base, period);

            least = phase < least ? phase : least;
        }
    }
    return base + least;
}

/* The latest numbering that the arrivals allow: rising, and no event after its arrival (a rounding error
 * apart). */
static void number(struct series *s, enum tick_source source)
{
    int64_t next = INT64_MAX;

    for (uint32_t i = run.nticks; i-- > 0;) {
        struct tick *t = &run.ticks[i];

        if (t->source != source) {
            continue;
        }
        int64_t at = periods_since(t->entry + (s->period >> 38), s->origin, s->period);

        t->index = at < next ? at : next - 1;
        next = t->index;
    }
}

/* The number of the first event after the timer was armed. A PIT or LAPIC timer starts with a whole period;
 * the RTC's divider runs all the time. */
static int64_t first_due(const struct series *s, enum tick_source source)
{
    uint64_t half = source == TICK_RTC ? 0 : s->period >> 33;

    return periods_since(run.armed[source] + half, s->origin, s->period) + 1;
}

static void measure(struct series *s, const struct tick *t, int64_t first)
{
    uint64_t due = due_at(s, t->index);

    if (t->index < first) {
        s->extra++;
        return;
    }
    s->delivered++;
    if (t->entry > due && t->entry - due > s->late) {
        s->late = t->entry - due;
    }
    if (t->last_open > due && t->last_open - due > s->past) {
        s->past = t->last_open - due;
    }
}

void ticks_judge(struct series *s, enum tick_source source, uint64_t period, uint64_t slack)
{
    s->period = period;
    s->origin = find_origin(source, period);
    /* Event 0 lies before the run, so that no number is below zero but those of ticks that should not be. */
    number(s, source);

    int64_t first = first_due(s, source);
    int64_t last = periods_since(run.end - slack, s->origin, period);

    for (uint32_t i = 0; i < run.nticks; i++) {
        if (run.ticks[i].source == source) {
            measure(s, &run.ticks[i], first);
            last = run.ticks[i].index > last ? run.ticks[i].index : last;
        }
    }
    s->due = (uint64_t)(last - first + 1);
    s->lost = s->due - s->delivered;
}

/* Two events out of order are the guest's own doing in two cases: they were due at the same moment as far as
 * can be told; or both came due while it had interrupts off, and the first taken has the higher priority. */
static bool excused(const struct tick *first, uint64_t first_due_at, const struct tick *second,
                    uint64_t second_due_at, uint64_t slack)
{
    if (first_due_at - second_due_at <= slack) {
        return true;
    }
    return first->source > second->source && second_due_at + slack >= first->off_start;
}

uint64_t ticks_inversions(const struct series *all, uint64_t slack)
{
    const struct tick *furthest = NULL;
    uint64_t furthest_due = 0, inversions = 0;

    for (uint32_t i = 0; i < run.nticks; i++) {
        const struct tick *t = &run.ticks[i];
        uint64_t due = due_at(&all[t->source], t->index);

        if (furthest != NULL && due < furthest_due && !excused(furthest, furthest_due, t, due, slack)) {
            inversions++;
        }
        if (furthest == NULL || due >= furthest_due) {
            furthest = t;
            furthest_due = due;
        }
    }
    return inversions;
}
