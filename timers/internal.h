/* What the files that make up a VM's time (vtime.c, apparent.c, deliver.c, run.c, progress.c, ledger.c)
 * share. For nobody else. */
#ifndef TIMERS_INTERNAL_H
#define TIMERS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timers/vtime.h"

/* ---- apparent.c ---- */

/* The real time of the equations: RT_C, which stands still during a pause. */
/*@ requires \valid_read(t);
    assigns \nothing; */
rt_t vt_rt(const struct vtime *t);

/* The AT that belongs to RT when nothing is late: AT_P + (RT - NRT_P). */
/*@ requires \valid_read(t);
    assigns \nothing; */
at_t vt_present(const struct vtime *t, rt_t rt);

/* NRT_N of an AT: NRT_P + (AT_N - AT_P). */
rt_t vt_nrt(const struct vtime *t, at_t at);

/*@ // The times of a VM are far from the end of 64 bits, and its rates are rates.
    predicate is_sane(struct vtime *t) =
        \valid_read(t) && (t->queue.head != \null ==> \valid_read(t->queue.head)) && is_ratio(t->c) &&
        is_moment(t->rt_n) && t->at_l < AT_LIMIT && t->rt_l < AT_LIMIT && t->scaling.bits < 64; */

/* AT_C at `rt` (DESIGN.md 2.4), which is not before RT_L. */
/*@ requires is_sane(t) && t->rt_l <= rt < AT_LIMIT;
    assigns \nothing;
    ensures !t->policy.naive ==> t->at_l <= \result;
    ensures !t->policy.naive && t->queue.head != \null && t->queue.head->at > t->at_l ==>
            \result <= t->queue.head->at; */
at_t vt_at(const struct vtime *t, rt_t rt);

/* AT_L = AT_C at vt_rt(): an incident. */
void vt_incident(struct vtime *t);

/* Raises AT_L to `at` at vt_rt(), AT having run there. */
/*@ requires \valid(t) && t->at_l <= at && t->account.run + t->account.leapt == t->at_l;
    assigns t->account.run, t->at_l, t->rt_l;
    ensures t->account.run + t->account.leapt == t->at_l == at; */
void vt_raise(struct vtime *t, at_t at);

/* Figure 5C at `rt`, about the present head (DESIGN.md 2.3). without_event: the lag counts too. */
void vt_decide(struct vtime *t, rt_t rt, bool without_event);

/* The mode is `mode` from now on; the ledger counts how often normal mode is left. */
static inline void vt_set_mode(struct vtime *t, enum vt_mode mode)
{
    t->account.catchups += mode == VT_CATCHUP && t->mode == VT_NORMAL;
    t->mode = mode;
}

/* The end of the present line of AT: RT_N with the gate of minimum progress (DESIGN.md 2.6). */
/*@ requires \valid_read(t) && is_moment(t->rt_n);
    assigns \nothing;
    ensures is_moment(\result); */
struct vt_moment vt_line_end(const struct vtime *t);

/* The next event, the gates or the line of AT may have changed: vtime_outlook() computes anew. */
static inline void vt_changed(struct vtime *t)
{
    t->outlook.until = 0;
    t->outlook.line.ratio = 0;
}

/* ---- scaled.c ---- */

/* AT at `rt`, before the end of the present line, of a VM that keeps to t->scaled. */
/*@ requires is_sane(t) && t->queue.head != \null && t->at_l <= t->queue.head->at;
    assigns \nothing;
    ensures t->at_l <= \result <= t->queue.head->at; */
at_t vt_at_scaled(const struct vtime *t, rt_t rt);

/* The line that a scaled TSC can follow from vt_rt() on: the one that AT keeps to already, or a new one, to
 * which AT keeps from now on. For a VM without a line of slope one. */
struct vt_tsc_line vt_scaled_line(struct vtime *t);

/* AT keeps to its exact line again. Where a guest may have seen it on the other one, AT_L is that already. */
static inline void vt_leave_line(struct vtime *t)
{
    t->scaled.ratio = 0;
}

/* ---- deliver.c ---- */

/* When the head would be delivered, but for acknowledgements: its RT_N with the gate of minimum progress, and
 * not before the decision or the resumption that made it due. */
rt_t vt_due(const struct vtime *t);

/* An entry that is out of the queue, and whose event at AT `at` is now, goes on: a periodic one is queued
 * again for its first event after `upto`, any other is not armed any more. Returns how many ticks there were
 * up to `upto` besides that event. */
uint64_t vt_update_entry(struct vtime *t, struct vtimer *timer, at_t upto);

/* The emulator and the observer are told of an event, and the ledger counts it. */
static inline void vt_notify(struct vtime *t, struct vtimer *timer, rt_t rt, at_t at, enum vt_mode mode)
{
    enum vt_outcome outcome = timer->ops->event(timer->self, at);

    timer->ticks.delivered += outcome == VT_DELIVERED;
    timer->ticks.merged += outcome == VT_MERGED;
    if (t->observer != NULL && t->observer->event != NULL) {
        t->observer->event(t->observer_ctx, timer, rt, at, mode, outcome);
    }
}

/* ---- naive.c: vtime_deadline(), and what vtime_advance() does at the latched RT_C ---- */

rt_t naive_deadline(const struct vtime *t);
rt_t naive_deadline_of(const struct vtime *t, const struct vtimer *timer);
void naive_deliver(struct vtime *t);

/* ---- progress.c ---- */

/* What a vCPU has executed, and how long the VM has run, at RT `rt`: vt_rt(), or RT_C while AT moves. */
static inline uint64_t progress_executed(const struct vt_cpu *c, rt_t rt)
{
    return c->executed + (c->state == VT_CPU_RUNNING ? rt - c->since : 0);
}

/* While AT runs: nobody asks otherwise. */
static inline uint64_t progress_moved(const struct vtime *t, rt_t rt)
{
    return t->moved + (rt - t->moved_since);
}

/* An event of this timer has been delivered now; late: nominally after its NRT. Closes the gates. */
void progress_event(struct vtime *t, struct vtimer *timer, bool late);

/* The instant is over: when the gates that it has closed open. */
void progress_instant(struct vtime *t);

/* A leap that no event came with: it counts as the previous event all the same (DESIGN.md 2.7). */
void progress_leap(struct vtime *t);

/* Forgets the gates that have opened, but for when they did: nothing nominally happens before that. Asking
 * them at every read would cost more than all the rest of it. */
void progress_settle(struct vtime *t);

/* The gates have changed, or the state of a vCPU, or whether AT runs. */
void progress_changed(struct vtime *t);

/* For vtime_check(): what progress_gate() keeps is what it would find. */
bool progress_gate_holds(const struct vtime *t);

/* The RT from which minimum progress ([0111]) allows the next event; 0 or past: already. RT_NEVER: it takes a
 * change of some vCPU's state first. */
/*@ assigns \nothing; */
rt_t progress_gate(const struct vtime *t);

/* The RT up to which the head's instant may have to wait for the guest to take the previous events of its
 * timers (DESIGN.md 2.6); 0 if it need not. */
rt_t progress_taken_gate(const struct vtime *t);

/* ---- ledger.c ---- */

/* Up to which AT events count as due: the present, or AT_C where that is ahead. */
at_t ledger_horizon(const struct vtime *t);

/* The schedule of an armed timer ends: its backlog is cancelled, its events so far are due. */
void ledger_close(const struct vtime *t, struct vtimer *timer);

#endif
