/* A VM's time that never falls behind (AT is RT), and interrupt lines that count: what the tests of the timer
 * emulators stand on. Header only. */
#ifndef TESTS_UNIT_SUPPORT_TIMER_RIG_H
#define TESTS_UNIT_SUPPORT_TIMER_RIG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/line.h"
#include "timers/vtime.h"

struct rig {
    struct vtime time;
    bool level;          /* the line */
    bool latched;        /* an edge that the guest has not taken */
    bool masked;         /* */
    unsigned int raises; /* low to high */
    unsigned int merges; /* of those, the ones that found `latched` */
    bool auto_take;      /* the guest takes each request at once */
    at_t last;           /* when the line last rose */
};

static inline bool rig_raise(void *ctx, unsigned int line)
{
    struct rig *r = ctx;
    bool merged = r->latched || r->masked;

    assert_int_equal(line, 7);
    assert_false(r->level);
    r->level = true;
    r->raises++;
    r->merges += merged;
    r->latched = !r->auto_take;
    r->last = vtime_now(&r->time);
    return !merged;
}

static inline void rig_lower(void *ctx, unsigned int line)
{
    struct rig *r = ctx;

    assert_int_equal(line, 7);
    r->level = false;
}

static inline bool rig_waiting(void *ctx, unsigned int line)
{
    struct rig *r = ctx;

    (void)line;
    return r->latched && !r->masked;
}

static inline bool rig_masked(void *ctx, unsigned int line)
{
    struct rig *r = ctx;

    (void)line;
    return r->masked;
}

static inline struct vt_line rig_line(struct rig *r)
{
    static const struct vt_line_ops ops = {rig_raise, rig_lower, rig_waiting, rig_masked};

    return (struct vt_line){.ops = &ops, .ctx = r, .line = 7};
}

static inline void rig_init(struct rig *r, uint64_t hz)
{
    struct vtime_policy policy = vtime_policy_figure7();

    *r = (struct rig){.auto_take = true};
    vtime_init(&r->time, &policy, hz, 0);
    vtime_vcpu_run(&r->time, 0);
    vtime_advance(&r->time, 0);
}

/* The VM executes until AT `at`: events come at their own instants. */
static inline void rig_to(struct rig *r, at_t at)
{
    rt_t next;

    while ((next = vtime_deadline(&r->time)) <= at)
        vtime_advance(&r->time, next);
    vtime_advance(&r->time, at);
    assert_int_equal(vtime_peek(&r->time), at);
}

/* The AT of the next event of a timer, which is armed. */
static inline at_t rig_next(struct rig *r)
{
    rt_t next = vtime_deadline(&r->time);

    assert_int_not_equal(next, RT_NEVER);
    return next;
}

static inline bool rig_idle(struct rig *r)
{
    return vtime_deadline(&r->time) == RT_NEVER;
}

/* A small random generator: the tests are the same everywhere. */
static inline uint64_t rig_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D) >> 11;
}

static inline uint64_t rig_below(uint64_t *state, uint64_t limit)
{
    return rig_random(state) % limit;
}

#endif
