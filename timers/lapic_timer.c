#include "timers/lapic_timer.h"

static uint32_t mode_of(uint32_t lvt)
{
    return lvt & LAPIC_TIMER_LVT_MODE;
}

/* Bits 3, 1 and 0 of the divide configuration: 2, 4, 8 ... 128, and 1 (SDM figure 11-10). */
static uint64_t divisor(uint32_t divide)
{
    uint32_t code = (divide >> 1 & 4u) | (divide & 3u);

    return UINT64_C(1) << ((code + 1) & 7u);
}

static uint64_t bus_tick(const struct lapic_timer *t, at_t at)
{
    return counter_ticks(&t->clock, at);
}

/* ---- what the count is: pure ---- */

/* Counts elapsed since t->start. */
static uint64_t elapsed(const struct lapic_timer *t, uint64_t tick)
{
    return (tick - t->start) / divisor(t->divide);
}

static uint32_t count_at(const struct lapic_timer *t, uint64_t tick)
{
    if (!t->running)
        return 0;

    uint64_t e = elapsed(t, tick);

    if (e < t->first)
        return t->first - (uint32_t)e;
    if (mode_of(t->lvt) != LAPIC_TIMER_LVT_PERIODIC)
        return 0;
    return t->initial - (uint32_t)((e - t->first) % t->initial);
}

/* The bus tick of the next expiry of a running count. */
static uint64_t expiry(const struct lapic_timer *t, uint64_t tick)
{
    return tick - (tick - t->start) % divisor(t->divide) + count_at(t, tick) * divisor(t->divide);
}

uint32_t lapic_timer_count(const struct lapic_timer *t, at_t at)
{
    return count_at(t, bus_tick(t, at));
}

/* The AT at which the guest's TSC reaches the deadline; one that is past is due now. */
static at_t deadline_at(const struct lapic_timer *t, at_t now)
{
    uint64_t tsc = tsc_at(t->tsc, now);
    uint64_t wait = t->deadline > tsc ? t->deadline - tsc : 0;

    return wait < AT_NEVER - now ? now + wait : AT_NEVER;
}

/* ---- the queue entry ---- */

/* A masked timer counts too, but has nothing to tell anyone: no entry. False: nothing to arm. */
static bool schedule(struct lapic_timer *t, at_t now, struct vt_schedule *s)
{
    uint64_t tick = bus_tick(t, now);

    t->resync = false;
    t->expires = t->deadline != 0 ? deadline_at(t, now) : AT_NEVER;
    if ((t->lvt & LAPIC_TIMER_LVT_MASKED) != 0)
        return false;
    if (t->deadline != 0) {
        *s = (struct vt_schedule){.first = t->expires, .period_den = 1};
        return true;
    }
    if (count_at(t, tick) == 0)
        return false;
    *s = counter_once(&t->clock, expiry(t, tick));
    if (mode_of(t->lvt) == LAPIC_TIMER_LVT_PERIODIC) {
        uint64_t period = t->initial * divisor(t->divide);

        period *= counter_group(&t->clock, period, t->timer.progress);
        t->resync = !counter_every(&t->clock, expiry(t, tick), period, s);
    }
    return true;
}

static void arm(struct lapic_timer *t, at_t now)
{
    struct vt_schedule s;

    if (schedule(t, now, &s))
        vtime_set(t->time, &t->timer, &s);
    else
        vtime_clear(t->time, &t->timer);
}

static enum vt_outcome lapic_timer_event(void *self, at_t at)
{
    struct lapic_timer *t = self;

    t->deadline = 0; /* the deadline mode disarms itself (SDM 11.5.4.1); 0 in the other modes anyway */
    if (t->resync)
        arm(t, at);
    return t->ops->fire(t->ctx, (uint8_t)(t->lvt & LAPIC_TIMER_LVT_VECTOR)) ? VT_DELIVERED : VT_MERGED;
}

static bool lapic_timer_outstanding(void *self)
{
    struct lapic_timer *t = self;

    if ((t->lvt & LAPIC_TIMER_LVT_MASKED) != 0)
        return false;
    return t->ops->waiting(t->ctx, (uint8_t)(t->lvt & LAPIC_TIMER_LVT_VECTOR));
}

static const struct vtimer_ops lapic_timer_vtimer_ops = {
    .event = lapic_timer_event,
    .outstanding = lapic_timer_outstanding,
};

/* ---- registers ---- */

void lapic_timer_init(struct lapic_timer *t, struct vtime *time, uint64_t bus_hz, const struct tsc *tsc,
                      const struct lapic_timer_ops *ops, void *ctx, unsigned int vcpu)
{
    __builtin_memset(t, 0, sizeof(*t));
    t->time = time;
    t->tsc = tsc;
    t->ops = ops;
    t->ctx = ctx;
    counter_init(&t->clock, vtime_hz(time), bus_hz, 1);
    vtime_attach(time, &t->timer, "lapic", &lapic_timer_vtimer_ops, t, vcpu);
    lapic_timer_reset(t);
}

void lapic_timer_reset(struct lapic_timer *t)
{
    t->lvt = LAPIC_TIMER_LVT_MASKED;
    t->initial = 0;
    t->divide = 0;
    t->running = false;
    t->deadline = 0;
    t->expires = AT_NEVER;
    t->resync = false;
    vtime_clear(t->time, &t->timer);
}

/* The count goes on from what it is, from here. Whole counts only move the start, so a divider's phase is
 * kept. */
static void rebase(struct lapic_timer *t, uint64_t tick)
{
    uint32_t count = count_at(t, tick);

    t->running = count != 0; /* what has expired stays at 0 in any mode */
    t->start = tick - (tick - t->start) % divisor(t->divide);
    t->first = count;
}

/* A deadline that passed while the timer was masked is over without an interrupt, wherever the TSC has been
 * moved since. */
static void expire_deadline(struct lapic_timer *t, at_t now)
{
    if ((t->lvt & LAPIC_TIMER_LVT_MASKED) != 0 && now >= t->expires)
        t->deadline = 0;
}

static bool is_deadline(uint32_t lvt)
{
    return mode_of(lvt) == LAPIC_TIMER_LVT_DEADLINE;
}

static bool counts(uint32_t lvt)
{
    return mode_of(lvt) == LAPIC_TIMER_LVT_ONESHOT || mode_of(lvt) == LAPIC_TIMER_LVT_PERIODIC;
}

void lapic_timer_set_lvt(struct lapic_timer *t, uint32_t lvt)
{
    at_t now = vtime_now(t->time);
    uint32_t changed = t->lvt ^ lvt;

    expire_deadline(t, now);
    rebase(t, bus_tick(t, now));
    if (mode_of(changed) != 0 && !(counts(t->lvt) && counts(lvt))) {
        t->running = false;
        t->initial = 0;
        t->deadline = 0;
    }
    t->lvt = lvt;
    if ((changed & (LAPIC_TIMER_LVT_MODE | LAPIC_TIMER_LVT_MASKED)) != 0)
        arm(t, now);
}

void lapic_timer_set_initial(struct lapic_timer *t, uint32_t count)
{
    at_t now = vtime_now(t->time);

    if (!counts(t->lvt))
        return;
    t->initial = count;
    t->first = count;
    t->running = count != 0;
    t->start = bus_tick(t, now);
    arm(t, now);
}

void lapic_timer_set_divide(struct lapic_timer *t, uint32_t divide)
{
    at_t now = vtime_now(t->time);
    bool same = divisor(divide) == divisor(t->divide);

    if (!same) {
        rebase(t, bus_tick(t, now));
        t->start = bus_tick(t, now); /* a prescaler of another length begins anew */
    }
    t->divide = divide & 0xBu;
    if (!same)
        arm(t, now);
}

uint32_t lapic_timer_current(struct lapic_timer *t)
{
    return lapic_timer_count(t, vtime_now(t->time));
}

uint64_t lapic_timer_deadline(struct lapic_timer *t)
{
    expire_deadline(t, vtime_now(t->time));
    return t->deadline;
}

void lapic_timer_set_deadline(struct lapic_timer *t, uint64_t deadline)
{
    at_t now = vtime_now(t->time);

    if (!is_deadline(t->lvt))
        return;
    t->deadline = deadline;
    arm(t, now);
}

void lapic_timer_tsc_moved(struct lapic_timer *t)
{
    at_t now = vtime_now(t->time);

    expire_deadline(t, now);
    if (t->deadline != 0)
        arm(t, now);
}
