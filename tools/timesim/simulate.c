/* A scenario on the real coordinator: real time is the scenario's, every deadline is met to the unit. */
#include "simulate.h"

#include <stdlib.h>

#include "parse.h"
#include "timers/vtime.h"

struct run;

/* A guest's use of one virtual timer. */
struct guest_timer {
    struct vtimer timer;
    struct run *run;
    const struct plan *plan;
    size_t next; /* one-shot: which of the list is armed */
    at_t at;     /* one-shot: the AT that the last event was for, as the list has it */
};

struct run {
    struct vtime time;
    struct guest_timer *timers;
    size_t timer_count;
    const struct row_sink *sink;
};

/* ---- the guest ---- */

/* first: the AT to program. */
static void arm(struct guest_timer *g, at_t first)
{
    const struct plan *plan = g->plan;
    struct vt_schedule s = {
        .first = first,
        .period_num = plan->periodic ? plan->period : 0,
        .period_den = 1,
    };

    vtime_set(&g->run->time, &g->timer, &s);
}

/* A guest knows the AT of its list's next event by its clocks. Where nobody keeps them together it counts
 * from the interrupt: "with the same interval" ([0065]). */
static void arm_next(struct guest_timer *g, at_t at)
{
    at_t next = g->plan->at[g->next];

    if (!g->run->time.policy.naive) {
        arm(g, next);
    } else {
        arm(g, next > g->at ? vtime_now(&g->run->time) + (next - g->at) : at);
    }
}

static enum vt_outcome guest_event(void *self, at_t at)
{
    struct guest_timer *g = self;

    if (!g->plan->periodic) {
        g->at = g->plan->at[g->next];
        if (++g->next < g->plan->count) {
            arm_next(g, at);
        }
    }
    return VT_DELIVERED;
}

static const struct vtimer_ops guest_ops = {.event = guest_event};

/* ---- rows ---- */

static size_t index_of(const struct run *r, const struct vtimer *timer)
{
    const struct guest_timer *g = timer->self;

    return (size_t)(g - r->timers);
}

static void on_event(void *ctx, const struct vtimer *timer, rt_t rt, at_t at, enum vt_mode mode,
                     enum vt_outcome outcome)
{
    const struct run *r = ctx;
    const struct guest_timer *g = timer->self;
    struct row row = {rt, at, ROW_EVENT, index_of(r, timer), mode, 0};

    (void)outcome;
    if (r->time.policy.naive && !g->plan->periodic) {
        row.at = g->at;
    }
    r->sink->row(r->sink->ctx, &row);
}

static void on_drop(void *ctx, const struct vtimer *timer, rt_t rt, at_t at, uint64_t ticks)
{
    const struct run *r = ctx;
    struct row row = {rt, at, ROW_DROP, index_of(r, timer), VT_LEAP, ticks};

    r->sink->row(r->sink->ctx, &row);
}

static const struct vtime_observer observer = {.event = on_event, .drop = on_drop};

/* ---- real time ---- */

/* Delivers everything that is due up to and including RT `upto`. */
static void deliver_until(struct run *r, rt_t upto)
{
    rt_t deadline;

    while ((deadline = vtime_deadline(&r->time)) <= upto && deadline != RT_NEVER) {
        vtime_advance(&r->time, deadline);
    }
}

static void perform(struct run *r, const struct directive *d)
{
    struct guest_timer *g;
    struct row row = {.rt = d->rt, .kind = ROW_READ, .timer = ROW_NO_TIMER};

    if (d->kind == DIRECTIVE_READ) {
        row.at = vtime_now(&r->time);
        row.mode = vtime_mode(&r->time);
        r->sink->row(r->sink->ctx, &row);
        return;
    }
    g = &r->timers[d->timer];
    if (d->kind == DIRECTIVE_CLEAR) {
        vtime_clear(&r->time, &g->timer);
        return;
    }
    g->plan = &d->plan;
    g->next = 0;
    arm(g, g->plan->at[0]);
}

static void point(struct run *r)
{
    struct row row = {
        .rt = r->time.rt_c, .at = vtime_peek(&r->time), .kind = ROW_POINT, .timer = ROW_NO_TIMER};

    r->sink->row(r->sink->ctx, &row);
}

/* One window; returns the first directive after it. */
static size_t run_window(struct run *r, const struct scenario *s, const struct window *w, size_t next)
{
    vtime_latch(&r->time, w->from);
    vtime_vcpu_run(&r->time, 0);
    point(r);
    for (; next < s->directive_count && s->directives[next].rt < w->to; next++) {
        deliver_until(r, s->directives[next].rt);
        vtime_advance(&r->time, s->directives[next].rt);
        perform(r, &s->directives[next]);
    }
    deliver_until(r, w->to - 1);
    vtime_latch(&r->time, w->to); /* [FROM, TO): at TO itself the VM does not execute */
    point(r);
    vtime_vcpu_stop(&r->time, 0);
    return next;
}

static void finish(const struct run *r, struct result *result)
{
    vtime_ledger(&r->time, &result->ledger);
    result->ticks = parse_grow(NULL, r->timer_count, sizeof(*result->ticks));
    for (size_t i = 0; i < r->timer_count; i++) {
        vtime_ticks(&r->time, &r->timers[i].timer, &result->ticks[i]);
    }
    result->balances = vtime_check(&r->time) == NULL;
}

void simulate(const struct scenario *s, const struct row_sink *sink, struct result *result)
{
    struct run r = {.timer_count = s->timer_count, .sink = sink};
    size_t next = 0;

    r.timers = parse_grow(NULL, s->timer_count, sizeof(*r.timers));
    vtime_init(&r.time, &s->policy, 1, 0);
    vtime_observe(&r.time, &observer, &r);
    for (size_t i = 0; i < s->timer_count; i++) {
        struct guest_timer *g = &r.timers[i];

        g->run = &r;
        g->plan = &s->timers[i].plan;
        g->next = 0;
        vtime_attach(&r.time, &g->timer, s->timers[i].name, &guest_ops, g, 0);
        arm(g, g->plan->at[0]);
    }
    for (size_t i = 0; i < s->window_count; i++) {
        next = run_window(&r, s, &s->windows[i], next);
    }
    finish(&r, result);
    free(r.timers);
}
