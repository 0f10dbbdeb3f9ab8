/* One coordinator for all VMs ([0113], DESIGN.md 2.9): for each processor, the real deadlines of everything
 * that waits there (the RT_N of a halted VM, a look at the console), and one alarm. Who has the processor
 * brings its own deadline (its RT_N, the end of its slice) when it enters, and the alarm is armed for the
 * earliest of all then: once for each turn, whatever was set and taken out before it.
 *
 * The nodes are embedded in their owners; nothing is allocated. Setting and clearing cost O(log n), arming
 * O(1).
 * Locking: the caller serialises all calls for one coordinator, one for each processor. */
#ifndef TIMERS_COORDINATOR_H
#define TIMERS_COORDINATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/heap.h"
#include "timers/types.h"

struct coordinator_alarm_ops {
    /* Arms the one-shot hardware for `deadline` (RT ticks), at once if that is past; RT_NEVER disarms it.
     * From coordinator_arm() only, and only when the earliest deadline has changed ([0087]-[0088]). */
    void (*arm)(void *ctx, rt_t deadline);
};

/* One thing that waits for a moment of real time. */
struct deadline {
    rt_t at;                /* RT_NEVER: not waiting */
    void *owner;            /* for whoever takes it out with coordinator_due() */
    struct heap_node entry; /* coordinator.c's own */
};

struct coordinator {
    const struct coordinator_alarm_ops *ops;
    void *ctx;
    struct heap heap;
    rt_t poll;      /* [0083]: a deadline is noticed at a multiple of this; 0: at once */
    rt_t armed;     /* what the hardware is armed for */
    uint64_t order; /* equal deadlines come due in the order they were set: stamps given out */
    uint64_t arms;  /* how often the hardware was armed, for the statistics */
};

/* Before anything else. Does not touch the alarm: the hardware is disarmed at that point. */
void coordinator_init(struct coordinator *c, const struct coordinator_alarm_ops *ops, void *ctx);

/* Before a node's first use. */
void deadline_init(struct deadline *d, void *owner);

/* Sets (or moves) a deadline; RT_NEVER takes it out. A node waits in one coordinator at a time: clear it
 * before setting it in another. Setting it to where it already is costs nothing and keeps its place. The
 * alarm is left alone. */
void coordinator_set(struct coordinator *c, struct deadline *d, rt_t at);
void coordinator_clear(struct coordinator *c, struct deadline *d);

/* The earliest deadline that is not after `now`, taken out (its `at` keeps the moment it waited for until it
 * is set again; it no longer waits), or NULL. Call until it returns NULL. */
struct deadline *coordinator_due(struct coordinator *c, rt_t now);

/* [0083]: from now on a deadline is not met by the hardware at its moment, but noticed by a poll of the
 * clock, at the next multiple of `period`; polls that would find nothing are left out. 0, the default: none.
 */
void coordinator_poll(struct coordinator *c, rt_t period);

/* When the earliest of what waits and of `own` is to be acted upon: its moment, or the poll that notices it.
 * RT_NEVER if there is none. */
rt_t coordinator_next(const struct coordinator *c, rt_t own);

/* Arms the alarm for that moment, if it is not armed for it already, and returns it. Call it before the
 * processor goes where only an interrupt gets it back from: into a guest (own: the RT at which that must be
 * out again), or into HLT (RT_NEVER). */
rt_t coordinator_arm(struct coordinator *c, rt_t own);

/* The hardware has gone off: it is armed for nothing now. May be called from its interrupt. */
static inline void coordinator_fired(struct coordinator *c)
{
    c->armed = RT_NEVER;
}

/* Whether a node waits in a coordinator. */
static inline bool deadline_waits(const struct deadline *d)
{
    return heap_has(&d->entry);
}

/* Checks the heap (order, links): for assertions and tests. O(n). */
bool coordinator_check(const struct coordinator *c);

#endif
