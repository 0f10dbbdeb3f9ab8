/* Without a coordinator ([0061]-[0066], figure 3B): each virtual timer is driven by a hardware timer of its
 * own.
 *
 * The rule behind the figure's numbers. A hardware timer keeps its periodic grid in real time, whoever has
 * the processor. A tick that finds the VM without the processor stays pending until the VM runs again. Of the
 * ticks that are pending for one timer the first comes at once, and each further one a period of the hardware
 * clock (two units, [0058]) after the one before: 72 and 104 come at 113 and 115, and 136 is on time. A
 * one-shot is armed by the guest with an interval, when the one before has come: 124 comes at 113 + (124 -
 * 62) = 175. Each timer goes its own way, so the AT column is the timer's own idea of the time; a read of the
 * clock sees real time. */
#include <stdlib.h>

#include "parse.h"
#include "simulate.h"

#define HARDWARE_PERIOD 2
#define NEVER           UINT64_MAX

struct naive_timer {
    const struct plan *plan;
    size_t next;      /* one-shot: which of the list is armed */
    uint64_t at;      /* the event's AT, as it was programmed */
    uint64_t nominal; /* the hardware timer's RT for it, NEVER: not armed */
    uint64_t last;    /* the RT of the timer's previous event */
    bool has_last;
    struct vt_ticks ticks;
};

struct naive {
    const struct scenario *s;
    struct naive_timer *timers;
    const struct row_sink *sink;
};

/* The first RT from `rt` on at which the VM executes. */
static uint64_t runs_from(const struct scenario *s, uint64_t rt)
{
    for (size_t i = 0; i < s->window_count; i++) {
        if (rt < s->windows[i].to) {
            return rt > s->windows[i].from ? rt : s->windows[i].from;
        }
    }
    return NEVER;
}

static uint64_t delivery(const struct naive *n, const struct naive_timer *t)
{
    uint64_t rt = t->nominal;

    if (rt == NEVER) {
        return NEVER;
    }
    if (t->has_last && rt <= t->last) {
        rt = t->last + HARDWARE_PERIOD; /* it was pending already when the previous one came */
    }
    return runs_from(n->s, rt);
}

static void arm(struct naive_timer *t, const struct plan *plan, uint64_t now)
{
    t->plan = plan;
    t->next = 0;
    t->at = plan->at[0];
    t->nominal = t->at > now ? t->at : now;
    t->has_last = false;
}

static uint64_t pending(const struct naive_timer *t, uint64_t now)
{
    if (t->nominal == NEVER || t->nominal > now) {
        return 0;
    }
    return t->plan->periodic ? (now - t->nominal) / t->plan->period + 1 : 1;
}

static void cancel(struct naive_timer *t, uint64_t now)
{
    t->ticks.cancelled += pending(t, now);
    t->nominal = NEVER;
}

/* The timer's next event, after one at RT `rt`. */
static void rearm(struct naive_timer *t, uint64_t rt)
{
    const struct plan *plan = t->plan;

    t->last = rt;
    t->has_last = true;
    if (plan->periodic) {
        t->at += plan->period;
        t->nominal += plan->period;
    } else if (++t->next < plan->count) {
        uint64_t at = plan->at[t->next];

        t->nominal = rt + (at > t->at ? at - t->at : 0);
        t->at = at;
    } else {
        t->nominal = NEVER;
    }
    if (t->nominal >= AT_LIMIT || t->at >= AT_LIMIT) {
        t->nominal = NEVER;
    }
}

/* Delivers what comes up to and including RT `upto`; at one RT in the order of declaration. */
static void deliver_until(struct naive *n, uint64_t upto)
{
    for (;;) {
        size_t first = 0;
        uint64_t rt = NEVER;
        struct row row = {.kind = ROW_EVENT, .mode = VT_NORMAL};

        for (size_t i = 0; i < n->s->timer_count; i++) {
            uint64_t candidate = delivery(n, &n->timers[i]);

            if (candidate < rt) {
                rt = candidate;
                first = i;
            }
        }
        if (rt > upto || rt == NEVER) {
            return;
        }
        row.rt = rt;
        row.at = n->timers[first].at;
        row.timer = first;
        n->sink->row(n->sink->ctx, &row);
        n->timers[first].ticks.delivered++;
        rearm(&n->timers[first], rt);
    }
}

static void perform(struct naive *n, const struct directive *d)
{
    struct row row = {d->rt, d->rt, ROW_READ, ROW_NO_TIMER, VT_NORMAL, 0};

    if (d->kind == DIRECTIVE_READ) {
        n->sink->row(n->sink->ctx, &row);
        return;
    }
    cancel(&n->timers[d->timer], d->rt);
    if (d->kind == DIRECTIVE_SET) {
        arm(&n->timers[d->timer], &d->plan, d->rt);
    }
}

static void finish(struct naive *n, uint64_t end, struct result *result)
{
    result->ledger = (struct vt_ledger){.elapsed = end, .at = end, .run = end};
    result->ticks = parse_grow(NULL, n->s->timer_count, sizeof(*result->ticks));
    result->balances = true;
    for (size_t i = 0; i < n->s->timer_count; i++) {
        struct vt_ticks *k = &result->ticks[i];

        *k = n->timers[i].ticks;
        k->pending = pending(&n->timers[i], end);
        k->due = k->delivered + k->cancelled + k->pending;
    }
}

void simulate_naive(const struct scenario *s, const struct row_sink *sink, struct result *result)
{
    struct naive n = {.s = s, .sink = sink};
    uint64_t end = s->window_count != 0 ? s->windows[s->window_count - 1].to : 0;

    n.timers = parse_grow(NULL, s->timer_count, sizeof(*n.timers));
    for (size_t i = 0; i < s->timer_count; i++) {
        n.timers[i] = (struct naive_timer){0};
        arm(&n.timers[i], &s->timers[i].plan, 0);
    }
    for (size_t i = 0; i < s->directive_count; i++) {
        deliver_until(&n, s->directives[i].rt);
        perform(&n, &s->directives[i]);
    }
    if (end != 0) {
        deliver_until(&n, end - 1);
    }
    finish(&n, end, result);
    free(n.timers);
}
