/* One VM's time: how timers are set and read.
 *
 * What the words of DESIGN.md section 2 leave open, and how it is read here:
 *
 * 2.2 "An event programmed for an AT that is past is due at once in any mode, at the present AT": past or
 * present. An AT that AT_C has reached is not to come, whatever NRT_N says (AT may be ahead, K2 > 0); so
 * whenever AT_N <= AT_L at a decision, RT_N is RT_C. The mode is decided as for any other event, and the gate
 * of 2.6 holds it up like any other. 2.2 "an updated entry moves back only past strictly smaller ATs": see
 * queue.h. 2.3 The two tests are made in sequence in one decision, as the text's "then" says and as figure
 * 5C's arrows go (782, 786, 788, 784): a lag that the next event in normal mode closes anyway does not stay
 * catch-up mode. 2.4 With no timer armed the mode is a matter of the lag alone, so this is also the mode from
 * which the next decision starts, once a timer is armed again. 2.4 RT_N is decided at events and at changes
 * of the head only; a read changes AT_L and RT_L, not RT_N. 2.5 "delivered at once" is subject to the gate
 * of 2.6 ("after an event, the next is not before ..."): whether an event is overdue is asked without the
 * gate, when it is delivered is not. An overdue event keeps the RT_N and the mode that it had. Only a leap by
 * the lag at a resumption is not gated (2.7). 2.6 "after an event": nothing gates the first one. A leap
 * counts as an event (2.7 sets ART_P). 2.7 The order of rows is: for each timer, in queue order, its event,
 * then its drop. */
#include "timers/vtime.h"

#include "timers/internal.h"
#include "timers/queue.h"

/* "Whenever the head of the queue (its timer or its AT) changes without one" (DESIGN.md 2.3). */
static void head_may_have_changed(struct vtime *t)
{
    const struct vtimer *head = t->queue.head;

    if (t->several && t->gates != 0) {
        vt_leave_line(t);
        progress_changed(t); /* other targets, other gates */
    }
    if (head != t->head_seen || (head != NULL && head->at != t->head_seen_at)) {
        vt_decide(t, vt_rt(t), true);
    }
}

/* ---- for timer emulators ---- */

void vtime_attach(struct vtime *t, struct vtimer *timer, const char *name, const struct vtimer_ops *ops,
                  void *self, unsigned int vcpu)
{
    struct vtimer **end = &t->timers;
    unsigned int id = 0;

    while (*end != NULL) {
        end = &(*end)->sibling;
        id++;
    }
    *timer = (struct vtimer){
        .name = name,
        .ops = ops,
        .self = self,
        .vcpu = vcpu,
        .id = id,
        .progress = t->policy.progress,
        .missed = t->policy.missed,
    };
    *end = timer;
}

static bool name_begins(const char *name, const char *with)
{
    while (*with != '\0' && *name == *with) {
        name++;
        with++;
    }
    return *with == '\0' && (*name == '\0' || *name == '-');
}

bool vtime_missed(struct vtime *t, const char *name, enum vt_missed missed)
{
    bool any = false;

    for (struct vtimer *timer = t->timers; timer != NULL; timer = timer->sibling) {
        if (name_begins(timer->name, name)) {
            timer->missed = missed;
            any = true;
        }
    }
    return any;
}

static void disarm(struct vtime *t, struct vtimer *timer)
{
    if (timer->armed) {
        ledger_close(t, timer);
        queue_remove(&t->queue, timer);
        timer->armed = false;
    }
}

/* Queues an armed timer at its new AT: as an updated entry if it was queued, or if it is being re-armed by
 * its own event; as a new one otherwise. */
static void enqueue(struct vtime *t, struct vtimer *timer, bool queued)
{
    bool updated_now = t->in_event && queue_in_instant(&t->queue, timer);

    if (queued && !t->in_event) {
        queue_moved(&t->queue, timer);
        return;
    }
    if (queued) {
        queue_remove(&t->queue, timer);
    }
    if (updated_now) {
        queue_requeue(&t->queue, timer);
    } else {
        queue_add(&t->queue, timer);
    }
}

static void observe_set(const struct vtime *t, const struct vtimer *timer, uint64_t cancelled_before)
{
    if (t->observer != NULL && t->observer->set != NULL) {
        t->observer->set(t->observer_ctx, timer, vt_rt(t), timer->ticks.cancelled - cancelled_before);
    }
}

void vtime_set(struct vtime *t, struct vtimer *timer, const struct vt_schedule *s)
{
    struct vt_schedule wanted = *s;
    bool queued = timer->armed;
    uint64_t cancelled = timer->ticks.cancelled;

    vt_changed(t);
    if (!t->in_event) {
        vt_incident(t);
        timer->last.happened = timer->last.happened && !t->policy.naive;
    }
    if (wanted.first < t->at_l) {
        wanted.first = t->at_l;
        wanted.phase = 0;
    }
    if (wanted.first >= AT_LIMIT) {
        disarm(t, timer);
    } else {
        if (queued) {
            ledger_close(t, timer);
        }
        schedule_start(timer, &wanted);
        timer->armed = true;
        enqueue(t, timer, queued);
    }
    observe_set(t, timer, cancelled);
    if (!t->in_event) {
        head_may_have_changed(t);
    }
}

void vtime_clear(struct vtime *t, struct vtimer *timer)
{
    uint64_t cancelled = timer->ticks.cancelled;

    vt_changed(t);
    if (!t->in_event) {
        vt_incident(t);
    }
    if (timer->armed) {
        disarm(t, timer);
        observe_set(t, timer, cancelled);
    }
    if (!t->in_event) {
        head_may_have_changed(t);
    }
}

/* On the line that is known already; the mode only changes without a timer: AT is at the present. */
static at_t now_on_line(struct vtime *t)
{
    at_t at = vt_tsc_line_at(t->scaling, t->outlook.line, t->rt_c);

    t->account.run += at - t->at_l;
    t->at_l = at;
    t->rt_l = t->rt_c;
    if (t->queue.head == NULL) {
        t->mode = VT_NORMAL;
    }
    return at;
}

at_t vtime_now(struct vtime *t)
{
    if (t->rt_c < t->outlook.until && t->outlook.line.ratio != 0) {
        return now_on_line(t);
    }
    if (!t->in_event) {
        vt_incident(t);
        vt_set_mode(t, vtime_mode(t));
        if (t->observer != NULL && t->observer->access != NULL) {
            t->observer->access(t->observer_ctx, vt_rt(t), t->at_l);
        }
    }
    return t->at_l;
}

uint64_t vtime_hz(const struct vtime *t)
{
    return t->hz;
}

/* ---- for the VM ---- */

void vtime_init(struct vtime *t, const struct vtime_policy *policy, uint64_t hz, rt_t now)
{
    *t = (struct vtime){
        .policy = *policy,
        .hz = hz,
        .rt_c = now,
        .nrt_p = now,
        .art_p = now,
        .rt_l = now,
        .floor = now,
        .rt_n = {RT_NEVER, 0, 1},
        .account.start = now,
    };
    t->cpu[0].state = VT_CPU_READY;
    t->ready = 1;
    t->c = vt_rate_for(policy, 0);
}

/* Each timer has got its M from the policy (vtime_attach()); one that was given another keeps it. */
void vtime_set_policy(struct vtime *t, const struct vtime_policy *policy)
{
    for (struct vtimer *timer = t->timers; timer != NULL; timer = timer->sibling) {
        if (timer->progress == t->policy.progress) {
            timer->progress = policy->progress;
        }
    }
    vt_changed(t);
    if (t->scaled.ratio != 0) {
        vt_incident(t);
        vt_leave_line(t); /* the new policy may have none */
    }
    t->policy = *policy;
}

void vtime_set_scaling(struct vtime *t, struct vt_scaling scaling)
{
    vt_changed(t);
    t->scaling = scaling;
}

void vtime_observe(struct vtime *t, const struct vtime_observer *observer, void *ctx)
{
    t->observer = observer;
    t->observer_ctx = ctx;
}

void vtime_shown(struct vtime *t, at_t at)
{
    const struct vtimer *head = t->queue.head;

    if (at <= t->at_l) {
        return;
    }
    vt_changed(t);
    vt_incident(t); /* also where it was not ahead: the guest has seen it */
    if (at <= t->at_l) {
        return;
    }
    if (head != NULL && at > head->at && at - head->at > t->account.max_overshoot) {
        t->account.max_overshoot = at - head->at;
    }
    vt_raise(t, at);
    vt_leave_line(t);
}
