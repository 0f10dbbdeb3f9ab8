/* Real time comes in, events go out: vtime_advance() (figure 5B, steps 760-766; DESIGN.md 2.6, 2.7, 2.10).
 *
 * In a kernel this runs some microseconds after RT_N, although the VM had the processor all the time. That
 * latency is not lag (2.10): for the equations each event counts as delivered at the whole unit at which it
 * was due, its nominal ART_P, and AT goes on from there. The gates, in contrast, count from the real
 * delivery. What really held AT back (a lost processor, a gate, a guest that had not taken the last
 * interrupt) is in the nominal time. */
#include "timers/internal.h"
#include "timers/queue.h"

rt_t vt_due(const struct vtime *t)
{
    rt_t due = vt_moment_ceil(&t->rt_n);
    rt_t gate = progress_gate(t);

    due = gate > due ? gate : due;
    return t->floor > due ? t->floor : due;
}

rt_t vtime_deadline(const struct vtime *t)
{
    rt_t due;
    rt_t taken;

    if (!t->moving) {
        return RT_NEVER;
    }
    if (t->policy.naive) {
        return naive_deadline(t);
    }
    if (t->leap_due) {
        return t->floor;
    }
    if (t->queue.head == NULL) {
        return RT_NEVER;
    }
    due = vt_due(t);
    if (due > t->rt_c) {
        return due; /* AT reaches AT_N then, and stands; whether it must wait is asked then */
    }
    taken = progress_taken_gate(t);
    return taken > due ? taken : due;
}

uint64_t vt_update_entry(struct vtime *t, struct vtimer *timer, at_t upto)
{
    uint64_t events;

    if (timer->schedule.period_num == 0) {
        timer->ticks.due_before++;
        timer->armed = false;
        return 0;
    }
    events = upto == timer->at ? 1 : schedule_count(timer, upto);
    if (schedule_skip(timer, events)) {
        queue_requeue(&t->queue, timer);
    } else {
        timer->ticks.due_before += schedule_count_all(timer, upto);
        timer->armed = false;
    }
    return events - 1;
}

/* Up to which AT a timer's ticks are done with by the one at `at`: that one alone, or all whose real time has
 * come (enum vt_missed). A one-shot misses none. */
static at_t done_with(const struct vtime *t, const struct vtimer *timer, rt_t rt, at_t at)
{
    at_t present;

    if (timer->missed == VT_COMPRESS) {
        return at;
    }
    present = vt_present(t, rt);
    return present > at ? present : at;
}

/* The entries at or before `at` are delivered as one, nominally at RT `rt`. In a leap `at` is the present. */
struct instant {
    rt_t rt;
    at_t at;
    enum vt_mode mode; /* under which its RT_N was computed; VT_LEAP */
    bool late;         /* behind its NRT */
};

static void deliver_entry(struct vtime *t, struct vtimer *timer, const struct instant *i)
{
    uint64_t dropped = vt_update_entry(t, timer, done_with(t, timer, i->rt, i->at));

    if (timer->missed == VT_SKIP && dropped != 0 && i->mode != VT_LEAP) {
        dropped++;
    } else {
        progress_event(t, timer, i->late);
        vt_notify(t, timer, i->rt, i->at, i->mode);
    }
    if (dropped == 0) {
        return;
    }
    timer->ticks.dropped += dropped;
    if (t->observer != NULL && t->observer->drop != NULL) {
        t->observer->drop(t->observer_ctx, timer, i->rt, i->at, dropped);
    }
}

/* AT is `at` at RT `rt`: the previous event, and the latest incident, are there. AT_L only differs where a
 * TSC overshot. */
static void set_previous(struct vtime *t, rt_t rt, at_t at)
{
    t->nrt_p = vt_nrt(t, at);
    t->at_p = at;
    t->art_p = rt;
    t->at_l = at > t->at_l ? at : t->at_l;
    t->rt_l = rt;
}

/* Every entry of the instant, in queue order; then figure 5C. */
static void deliver_instant(struct vtime *t, const struct instant *i)
{
    struct vtimer *timer;

    set_previous(t, i->rt, i->at);
    t->in_event = true;
    if (!queue_begin_instant(&t->queue, i->at)) {
        progress_leap(t);
    }
    while ((timer = queue_next_due(&t->queue)) != NULL) {
        deliver_entry(t, timer, i);
    }
    t->in_event = false;
    progress_instant(t);
    vt_decide(t, i->rt, false);
}

static void note_lag(struct vtime *t, int64_t lag)
{
    t->account.max_lag = lag > t->account.max_lag ? lag : t->account.max_lag;
}

/* [0112]: AT jumps to the present. AT_P and NRT_P move along the same line, so NRT_P becomes rt. */
static __attribute__((noinline)) struct instant leap(struct vtime *t, rt_t rt)
{
    at_t ran = vt_at(t, rt);
    at_t present = vt_present(t, rt);
    at_t leapt = present > ran ? present - ran : 0;

    note_lag(t, (int64_t)(present - ran));
    t->account.run += ran - t->at_l;
    t->at_l = ran;
    t->account.leapt += leapt;
    t->account.leaps++;
    t->mode = VT_NORMAL;
    if (t->observer != NULL && t->observer->leap != NULL) {
        t->observer->leap(t->observer_ctx, rt, present, leapt);
    }
    return (struct instant){rt, present, VT_LEAP, true};
}

/* AT runs up to the head's, which is due at RT `rt`; or leaps. */
static struct instant reach_head(struct vtime *t, rt_t rt)
{
    at_t at = t->queue.head->at;
    rt_t nrt = vt_nrt(t, at);

    if (t->policy.leap != VT_NO_LEAP && rt > nrt && rt - nrt > t->policy.leap) {
        return leap(t, rt);
    }
    note_lag(t, (int64_t)(rt - nrt));
    t->account.run += at > t->at_l ? at - t->at_l : 0;
    return (struct instant){rt, at, t->mode, rt > nrt};
}

/* Is the head due at RT_C, and when was it? Without, its event waits for an acknowledgement, or is not due.
 */
static bool head_is_due(struct vtime *t, rt_t *due)
{
    if (t->queue.head == NULL || (*due = vt_due(t)) > t->rt_c) {
        return false;
    }
    if (progress_taken_gate(t) > t->rt_c) {
        t->held = true;
        return false;
    }
    if (t->held) {
        *due = t->rt_c; /* AT stood at AT_N up to now: that was no latency */
        t->held = false;
    } else if (t->rt_c - *due > t->account.max_latency) {
        t->account.max_latency = t->rt_c - *due;
    }
    return true;
}

/* Delivers the next instant if it is due at RT_C. */
static bool deliver_next(struct vtime *t)
{
    struct instant i;
    rt_t due;

    if (t->leap_due) {
        t->leap_due = false;
        i = leap(t, t->floor);
    } else if (head_is_due(t, &due)) {
        i = reach_head(t, due);
    } else {
        return false;
    }
    deliver_instant(t, &i);
    return true;
}

/* A guest that ran on a line may have read it, without an exit, up to now: AT keeps to that line, though the
 * next one may be flatter, as far as the next undelivered event allows (DESIGN.md 2.10). */
static void keep_to_line(struct vtime *t, struct vt_tsc_line line)
{
    at_t shown = vt_tsc_line_at(t->scaling, line, t->rt_c);
    const struct vtimer *head = t->queue.head;

    if (head != NULL && shown > head->at) {
        shown = head->at;
    }
    if (shown > vtime_peek(t)) {
        vt_changed(t);
        vt_raise(t, shown);
        vt_leave_line(t);
    }
}

/* The usual case: the line goes on as it was. */
static bool goes_on(struct vtime *t, struct vt_tsc_line line)
{
    const struct vt_outlook *o = vtime_outlook(t);

    return o->line.ratio == line.ratio && o->line.offset == line.offset;
}

void vtime_latch(struct vtime *t, rt_t now)
{
    t->rt_c = now > t->rt_c ? now : t->rt_c;
}

void vtime_deliver(struct vtime *t, rt_t now)
{
    /* The line that the caller was told of: what it did not ask for, no guest has run on. */
    struct vt_tsc_line line = t->outlook.line;
    unsigned int instants = 0;

    vt_changed(t);
    if (t->policy.naive) {
        vtime_latch(t, now);
        naive_deliver(t);
        return;
    }
    vtime_latch(t, now);
    if (!t->moving) {
        return;
    }
    progress_settle(t);
    while (instants < VT_MAX_INSTANTS && deliver_next(t)) {
        instants++;
    }
    if (line.ratio != 0 && !goes_on(t, line)) {
        keep_to_line(t, line);
    }
}
