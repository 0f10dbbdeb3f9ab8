#include "timers/lag.h"

void lag_start(struct lag_series *s, rt_t step)
{
    *s = (struct lag_series){.step = step};
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void halve(struct lag_series *s)
{
    for (unsigned int i = 0; i < LAG_INTERVALS / 2; i++) {
        s->most[i] = larger(s->most[2 * i], s->most[2 * i + 1]);
    }
    s->used = (s->used + 1) / 2;
    s->step *= 2;
}

static void reach(struct lag_series *s, unsigned int interval)
{
    for (; s->used <= interval; s->used++) {
        s->most[s->used] = s->used > 0 ? s->most[s->used - 1] : 0;
    }
}

void lag_note(struct lag_series *s, rt_t since, int64_t lag)
{
    unsigned int interval;

    while (since / s->step >= LAG_INTERVALS) {
        reach(s, LAG_INTERVALS - 1);
        halve(s);
    }
    interval = (unsigned int)(since / s->step);
    if (interval >= s->used) {
        reach(s, interval);
        s->most[interval] = lag;
    } else {
        s->most[interval] = larger(s->most[interval], lag);
    }
}
