/* A VM's time with a few guests' timers that record what they get: for the tests of the time core. Header
 * only. */
#ifndef TESTS_UNIT_SUPPORT_TIME_RIG_H
#define TESTS_UNIT_SUPPORT_TIME_RIG_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/vtime.h"

#define RIG_TIMERS 4
#define RIG_EVENTS 256

struct rig_event {
    rt_t rt; /* nominal */
    at_t at;
    size_t timer;
    enum vt_mode mode;
    uint64_t dropped;
};

struct time_rig;

struct rig_timer {
    struct vtimer v;
    struct time_rig *rig;
    bool waiting; /* the last event's interrupt, for the guest to take */
    bool masked;  /* by the guest */
    bool keeps;   /* the guest does not take this timer's interrupts at once */
    at_t rearm;   /* if not 0: what the event callback arms, once */
};

struct time_rig {
    struct vtime time;
    struct rig_timer timer[RIG_TIMERS];
    struct rig_event event[RIG_EVENTS];
    size_t events;
};

static inline size_t rig_index(const struct time_rig *r, const struct vtimer *timer)
{
    const struct rig_timer *self = timer->self;

    return (size_t)(self - r->timer);
}

static inline void once(struct time_rig *r, size_t timer, at_t at)
{
    struct vt_schedule s = {.first = at, .period_den = 1};

    vtime_set(&r->time, &r->timer[timer].v, &s);
}

static inline void every(struct time_rig *r, size_t timer, at_t first, uint64_t period)
{
    struct vt_schedule s = {.first = first, .period_num = period, .period_den = 1};

    vtime_set(&r->time, &r->timer[timer].v, &s);
}

static inline enum vt_outcome rig_event(void *self, at_t at)
{
    struct rig_timer *timer = self;
    struct time_rig *r = timer->rig;
    bool merged = timer->masked || timer->waiting;

    assert_true(vtime_now(&r->time) >= at);
    timer->waiting = timer->keeps || timer->waiting;
    if (timer->rearm != 0) {
        at_t next = timer->rearm;

        timer->rearm = 0;
        once(r, (size_t)(timer - r->timer), next);
    }
    return merged ? VT_MERGED : VT_DELIVERED;
}

static inline bool rig_outstanding(void *self)
{
    const struct rig_timer *timer = self;

    return timer->waiting && !timer->masked;
}

static inline bool rig_unheard(void *self)
{
    const struct rig_timer *timer = self;

    return timer->masked;
}

static inline void rig_on_event(void *ctx, const struct vtimer *timer, rt_t rt, at_t at, enum vt_mode mode,
                                enum vt_outcome outcome)
{
    struct time_rig *r = ctx;

    (void)outcome;
    r->event[r->events++ % RIG_EVENTS] = (struct rig_event){rt, at, rig_index(r, timer), mode, 0};
}

static inline void rig_on_drop(void *ctx, const struct vtimer *timer, rt_t rt, at_t at, uint64_t ticks)
{
    struct time_rig *r = ctx;

    if (timer->missed == VT_SKIP) {
        return; /* there need not be an event */
    }
    assert_true(r->events > 0);
    assert_true(r->event[(r->events - 1) % RIG_EVENTS].rt == rt &&
                r->event[(r->events - 1) % RIG_EVENTS].at == at);
    assert_true(r->event[(r->events - 1) % RIG_EVENTS].timer == rig_index(r, timer));
    r->event[(r->events - 1) % RIG_EVENTS].dropped = ticks;
}

/* vCPU 0 is READY; AT is 0 at RT `start`. */
static inline void time_rig_init(struct time_rig *r, const struct vtime_policy *policy, rt_t start)
{
    static const struct vtimer_ops ops = {rig_event, rig_outstanding, rig_unheard};
    static const struct vtime_observer observer = {.event = rig_on_event, .drop = rig_on_drop};

    *r = (struct time_rig){0};
    vtime_init(&r->time, policy, 1000000000, start);
    vtime_observe(&r->time, &observer, r);
    for (size_t i = 0; i < RIG_TIMERS; i++) {
        r->timer[i].rig = r;
        vtime_attach(&r->time, &r->timer[i].v, "rig", &ops, &r->timer[i], 0);
    }
}

/* Every deadline up to and including `rt` is met to the unit; then RT_C is rt. */
static inline void run_to(struct time_rig *r, rt_t rt)
{
    while (vtime_deadline(&r->time) <= rt) {
        rt_t deadline = vtime_deadline(&r->time);

        vtime_advance(&r->time, deadline > r->time.rt_c ? deadline : r->time.rt_c);
        assert_null(vtime_check(&r->time));
    }
    vtime_advance(&r->time, rt);
    assert_null(vtime_check(&r->time));
}

static inline void resume_at(struct time_rig *r, rt_t rt)
{
    vtime_advance(&r->time, rt);
    vtime_vcpu_run(&r->time, 0);
    assert_null(vtime_check(&r->time));
}

/* Runs to the unit before `rt`, and is descheduled at `rt`, before anything that is due then. */
static inline void stop_at(struct time_rig *r, rt_t rt)
{
    run_to(r, rt - 1);
    vtime_latch(&r->time, rt);
    vtime_vcpu_stop(&r->time, 0);
    assert_null(vtime_check(&r->time));
}

static inline void expect_event(const struct time_rig *r, size_t number, rt_t rt, at_t at, size_t timer,
                                enum vt_mode mode)
{
    const struct rig_event *e = &r->event[number];

    assert_true(number < r->events);
    assert_int_equal(e->rt, rt);
    assert_int_equal(e->at, at);
    assert_int_equal(e->timer, timer);
    assert_int_equal(e->mode, mode);
}

#endif
