#include "timers/ledger.h"

#include "timers/internal.h"
#include "timers/queue.h"

at_t ledger_horizon(const struct vtime *t)
{
    at_t present = vt_present(t, vt_rt(t));
    at_t at = vtime_peek(t);

    return at > present ? at : present;
}

void ledger_close(const struct vtime *t, struct vtimer *timer)
{
    at_t horizon = ledger_horizon(t);

    timer->ticks.cancelled += schedule_count(timer, horizon);
    timer->ticks.due_before += schedule_count_all(timer, horizon);
}

void vtime_ledger(const struct vtime *t, struct vt_ledger *out)
{
    const struct vt_account *a = &t->account;

    out->elapsed = t->rt_c - a->start;
    out->at = vtime_peek(t);
    out->run = a->run + (out->at - t->at_l);
    out->leapt = a->leapt;
    out->lag = vtime_lag(t);
    out->paused = a->paused + (t->rt_c - vt_rt(t));
    out->leaps = a->leaps;
    out->catchups = a->catchups;
    out->max_lag = a->max_lag;
    out->max_latency = a->max_latency;
    out->max_overshoot = a->max_overshoot;
}

void vtime_ticks(const struct vtime *t, const struct vtimer *timer, struct vt_ticks *out)
{
    const struct vt_ticks_account *a = &timer->ticks;
    at_t horizon = ledger_horizon(t);

    out->due = a->due_before + schedule_count_all(timer, horizon);
    out->delivered = a->delivered;
    out->merged = a->merged;
    out->dropped = a->dropped;
    out->cancelled = a->cancelled;
    out->pending = schedule_count(timer, horizon);
}

bool vtime_balances(const struct vtime *t)
{
    struct vt_ledger l;
    struct vt_ticks k;

    vtime_ledger(t, &l);
    /* lag is signed; the sums are exact modulo 2^64, and every term is below 2^63. */
    if (l.elapsed != l.run + l.leapt + (uint64_t)l.lag + l.paused || l.at != l.run + l.leapt) {
        return false;
    }
    for (const struct vtimer *timer = t->timers; timer != NULL; timer = timer->sibling) {
        vtime_ticks(t, timer, &k);
        if (k.due != k.delivered + k.merged + k.dropped + k.cancelled + k.pending) {
            return false;
        }
    }
    return true;
}
