/* The invariants of DESIGN.md section 2, as far as one moment shows them. */
#include "timers/internal.h"
#include "timers/queue.h"

static const char *check_queue(const struct vtime *t)
{
    const struct vtimer *head = t->queue.head;

    if (!queue_check(&t->queue)) {
        return "the queue is out of order";
    }
    if (t->head_seen != head || (head != NULL && t->head_seen_at != head->at)) {
        return "the head changed without a decision";
    }
    if (!t->policy.naive && head != NULL && t->at_l > head->at &&
        t->at_l - head->at > t->account.max_overshoot) {
        return "AT passed an undelivered event";
    }
    for (const struct vtimer *timer = t->timers; timer != NULL; timer = timer->sibling) {
        if (timer->due) {
            return "a due entry outlived its instant";
        }
    }
    return NULL;
}

static bool counts_hold(const struct vtime *t)
{
    unsigned int running = 0, ready = 0;

    for (unsigned int i = 0; i < VT_MAX_CPUS; i++) {
        running += t->cpu[i].state == VT_CPU_RUNNING;
        ready += t->cpu[i].state == VT_CPU_READY;
    }
    return running == t->running && ready == t->ready;
}

static const char *check_clocks(const struct vtime *t)
{
    if (t->rt_l > vt_rt(t) || t->rt_c < t->account.start || vtime_peek(t) < t->at_l) {
        return "time ran backwards";
    }
    if (t->nrt_p - t->at_p != t->account.start + t->account.paused) {
        return "the normal real times lost their offset";
    }
    if (!counts_hold(t) || (t->gate_known && t->gates != 0 && !progress_gate_holds(t))) {
        return "vCPUs or gates miscounted";
    }
    if (t->scaled.ratio != 0 && (!t->moving || vt_tsc_line_at(t->scaling, t->scaled, t->rt_c) < t->at_l)) {
        return "AT is past the line that it keeps to";
    }
    if (t->moving && t->paused) {
        return "a paused VM runs";
    }
    if (t->c.den == 0 || t->c.num < t->c.den || t->mode == VT_LEAP) {
        return "a rate below one, or no mode";
    }
    return NULL;
}

/* What vtime_outlook() keeps is what it would find now. A line of slope one may be there unnoticed: a read
 * that exits for nothing is still right. */
static bool outlook_holds(const struct vtime *t)
{
    const struct vt_outlook *o = &t->outlook;
    uint64_t offset;

    if (o->until <= t->rt_c) {
        return true;
    }
    if (o->deadline != vtime_deadline(t)) {
        return false;
    }
    if (o->line.ratio == 0) {
        return true;
    }
    if (t->scaled.ratio != 0) {
        return o->line.ratio == t->scaled.ratio && o->line.offset == t->scaled.offset;
    }
    return vtime_line(t, &offset) && offset == o->line.offset;
}

const char *vtime_check(const struct vtime *t)
{
    const char *broken = check_queue(t);

    if (broken == NULL) {
        broken = check_clocks(t);
    }
    if (broken == NULL && !outlook_holds(t)) {
        broken = "the outlook is out of date";
    }
    if (broken == NULL && !vtime_balances(t)) {
        broken = "the ledger does not balance";
    }
    return broken;
}
