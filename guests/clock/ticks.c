/* Judges the log of ticks: each timer against its own grid, and the three against one another. */
#include "guests/clock/clock.h"

#include "guests/lib/print.h"
#include "guests/lib/string.h"

#define BINS  1024
#define SHOWN 3 /* inversions that are printed one by one */

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

/* Each event lay between the last reading with interrupts on before it and the entry of its handler. A bin of
 * the period, and which ticks' brackets cover it. */
static bool bracket(const struct tick *t, uint64_t base, uint64_t period, uint32_t *from, uint32_t *to)
{
    uint64_t bin = (period >> 32) / BINS + 1;

    if (t->entry - t->last_open >= period >> 32) {
        return false;
    }
    *from = (uint32_t)(phase_of(t->last_open, base, period) / bin);
    *to = (uint32_t)(phase_of(t->entry, base, period) / bin);
    return true;
}

/* The last of the bins that most brackets cover: +1 where a bracket begins, -1 behind its end, round the
 * circle. */
static uint32_t most_covered(enum tick_source source, uint64_t base, uint64_t period)
{
    static int32_t change[BINS + 1];
    int32_t covered = 0, most = 0;
    uint32_t from, to, best = 0;

    memset(change, 0, sizeof(change));
    for (uint32_t i = 0; i < run.nticks; i++) {
        if (run.ticks[i].source == source && bracket(&run.ticks[i], base, period, &from, &to)) {
            change[0] += from > to;
            change[from]++;
            change[to + 1]--;
        }
    }
    for (uint32_t i = 0; i < BINS; i++) {
        covered += change[i];
        if (covered >= most) {
            most = covered;
            best = i;
        }
    }
    return best;
}

/* Event 0 of the grid that the ticks show: as late as the brackets that cover the best bin allow. */
static uint64_t find_origin(enum tick_source source, uint64_t period)
{
    uint64_t bin = (period >> 32) / BINS + 1, base = run.arming[TICK_PIT] - 2 * (period >> 32),
             least = period >> 32;
    uint32_t from, to;

    base += most_covered(source, base, period) * bin;
    for (uint32_t i = 0; i < run.nticks; i++) {
        const struct tick *t = &run.ticks[i];

        /* Seen from the best bin, a bracket that covers it ends soon after bin 0 and begins before the turn.
         */
        if (t->source == source && bracket(t, base, period, &from, &to) && (from > to || from == 0)) {
            uint64_t phase = phase_of(t->entry, base, period);

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

/* The number of the first event that is owed: the first after the timer was armed, or one due while it was
 * being armed that came. A PIT or LAPIC timer starts with a whole period, so none is due at first; the RTC's
 * divider runs all the time. Handlers take time to start, so the grid may seem a little late. */
static int64_t first_due(const struct series *s, enum tick_source source)
{
    uint64_t none_before = run.arming[source] + (source == TICK_RTC ? 0 : s->period >> 33);
    uint64_t let_through = run.armed[source] + (s->period >> 36);
    int64_t maybe = periods_since(none_before, s->origin, s->period) + 1;
    int64_t surely =
        periods_since(let_through > none_before ? let_through : none_before, s->origin, s->period) + 1;

    for (uint32_t i = 0; i < run.nticks; i++) {
        int64_t index = run.ticks[i].index;

        if (run.ticks[i].source == source) {
            return index >= maybe && index < surely ? index : surely;
        }
    }
    return surely;
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
    if (t->last_open <= due && due - t->last_open < s->early) {
        s->early = due - t->last_open;
    }
}

static void intervals(struct series *s, enum tick_source source)
{
    uint64_t before = 0;

    s->shortest = UINT64_MAX;
    for (uint32_t i = 0; i < run.nticks; i++) {
        uint64_t entry = run.ticks[i].entry, passed = entry - before;

        if (run.ticks[i].source != source) {
            continue;
        }
        if (before != 0) {
            s->shortest = passed < s->shortest ? passed : s->shortest;
            s->longest = passed > s->longest ? passed : s->longest;
        }
        before = entry;
    }
    s->shortest = s->longest == 0 ? 0 : s->shortest; /* fewer than two ticks */
}

/* By how many parts of 10^9 more ticks came than were due, from when they came, whichever they were: the mean
 * of the later half is half of their number after the mean of the earlier half. */
static int64_t rate(const struct series *s, enum tick_source source)
{
    uint64_t half = 0, seen = 0, early = 0, late = 0, due, took;

    for (uint32_t i = 0; i < run.nticks; i++) {
        half += run.ticks[i].source == source;
    }
    half /= 2;
    for (uint32_t i = 0; i < run.nticks && seen < 2 * half; i++) {
        if (run.ticks[i].source == source) {
            *(seen++ < half ? &early : &late) += run.ticks[i].entry - run.start;
        }
    }
    due = fixed_mul(half * half, s->period);
    took = late - early;
    if (took == 0) {
        return 0;
    }
    return due > took ? (int64_t)mul_div(due - took, 1000000000, took)
                      : -(int64_t)mul_div(took - due, 1000000000, took);
}

void ticks_judge(struct series *s, enum tick_source source, uint64_t period, uint64_t slack)
{
    s->period = period;
    s->early = period >> 32;
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
    intervals(s, source);
    s->rate_ppb = rate(s, source);
}

/* A tick with what judging its order needs. */
struct placed {
    const struct tick *tick;
    uint64_t due;
    /* Since when the guest could take no other: since the event of the first handler of an unbroken row was
     * due, at the earliest that its grid allows (its way to the handler belongs to it), or since the guest
     * turned interrupts off. */
    uint64_t busy_since;
};

static struct placed place(const struct series *all, const struct tick *t, const struct placed *before)
{
    struct placed p = {t, due_at(&all[t->source], t->index), t->off_start};

    if (t->off_start == t->entry) {
        p.busy_since = p.due - all[t->source].early;
    } else if (before->tick != NULL && before->tick->off_start == t->off_start) {
        p.busy_since = before->busy_since;
    }
    return p;
}

/* Two events out of order are the guest's own doing in two cases: they were due at the same moment as far as
 * can be told; or both came due while it could take none, and the first taken has the higher priority. */
static bool excused(const struct placed *first, const struct placed *second, uint64_t slack)
{
    if (first->due - second->due <= slack) {
        return true;
    }
    return first->tick->source > second->tick->source && second->due + slack >= first->busy_since;
}

static void show(const struct series *all, const struct placed *first, const struct placed *second)
{
    int64_t since = (int64_t)(first->busy_since - second->due);

    printf(
        "clock: inversion: %s due +%lu taken +%lu (busy since %ld) before %s due +0 taken +%lu, in TSC ticks\n",
        all[first->tick->source].name, first->due - second->due, first->tick->entry - second->due, since,
        all[second->tick->source].name, second->tick->entry - second->due);
}

uint64_t ticks_inversions(const struct series *all, uint64_t slack)
{
    struct placed furthest = {NULL, 0, 0}, before = {NULL, 0, 0};
    uint64_t inversions = 0;

    for (uint32_t i = 0; i < run.nticks; i++) {
        struct placed p = place(all, &run.ticks[i], &before);

        if (p.due < furthest.due && !excused(&furthest, &p, slack) && inversions++ < SHOWN) {
            show(all, &furthest, &p);
        }
        if (p.due >= furthest.due) {
            furthest = p;
        }
        before = p;
    }
    return inversions;
}
