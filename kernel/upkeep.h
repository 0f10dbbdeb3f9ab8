/* What a VM that sleeps may cost. Its ticks are delivered in nobody's slice. Where they wake nobody (the
 * guest sleeps with its interrupts off) and come faster than the processor delivers them (a PIT at 7 us, on a
 * slow machine), that would never end, and no other VM would run. So the time goes on an account that real
 * time pays off at a quarter: once that is overdrawn the VM has to wait, and is late as for any other reason.
 *
 * Pure policy, as kernel/sched.h. All times in RT ticks. */
#ifndef KERNEL_UPKEEP_H
#define KERNEL_UPKEEP_H

#include "timers/types.h"

#define UPKEEP_SHARE   4u    /* of a processor: a quarter */
#define UPKEEP_CREDITS 4000u /* in a second: 250 us may go at once */

struct upkeep {
    uint64_t owed;
    rt_t since;
};

/* A look at the VM took from `began` to `ended`, and there is more to do at `next`. Returns when that shall
 * be: then, unless more than `credit` is owed. */
rt_t upkeep_next(struct upkeep *u, rt_t began, rt_t ended, uint64_t credit, rt_t next);

#endif
