/* How far a VM's AT was behind over its life: the largest lag in each of some equal intervals of RT. Memory
 * is constant: when the intervals are full, two become one. */
#ifndef TIMERS_LAG_H
#define TIMERS_LAG_H

#include <stdint.h>

#include "timers/types.h"

#define LAG_INTERVALS 512u

struct lag_series {
    rt_t step;         /* an interval, in RT ticks */
    unsigned int used; /* intervals so far; the last is not over */
    int64_t most[LAG_INTERVALS];
};

/* `step`: the interval to begin with, not 0. */
void lag_start(struct lag_series *s, rt_t step);

/* The VM was `lag` behind when `since` RT ticks of its life had passed. An interval without a note has the
 * lag of the one before it. */
void lag_note(struct lag_series *s, rt_t since, int64_t lag);

#endif
