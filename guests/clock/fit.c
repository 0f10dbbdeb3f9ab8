/* How well the readings of a clock go with the TSC. */
#include "guests/clock/clock.h"

#define RANGE 32 /* the calibration is no worse than that */

struct span clock_span(const struct clock *c, uint64_t rate)
{
    struct span span = {INT64_MIN, INT64_MAX};

    for (unsigned int w = 0; w < WINDOWS; w++) {
        if (!c->used[w]) {
            continue;
        }
        const struct sample *e = &c->earliest[w], *l = &c->latest[w];
        int64_t low = (int64_t)(e->before - run.start - fixed_mul(e->count + 1, rate));
        int64_t high = (int64_t)(l->after - run.start - fixed_mul(l->count, rate));

        span.low = low > span.low ? low : span.low;
        span.high = high < span.high ? high : span.high;
    }
    return span;
}

static int64_t badness(const struct clock *c, uint64_t rate)
{
    struct span s = clock_span(c, rate);

    return s.low - s.high;
}

uint64_t clock_fit(const struct clock *c)
{
    uint64_t low = c->rate - c->rate / RANGE, high = c->rate + c->rate / RANGE;

    /* badness is the maximum of straight lines in the rate less the minimum of others, so it is convex. */
    while (high - low > 2) {
        uint64_t a = low + (high - low) / 3, b = high - (high - low) / 3;

        if (badness(c, a) <= badness(c, b)) {
            high = b;
        } else {
            low = a;
        }
    }
    return (low + high) / 2;
}
