/* Without a coordinator ([0061]-[0066], figure 3B): each virtual timer is driven by a hardware timer of its
 * own, and every clock is real time. For comparison (time=naive, timesim --naive): what a guest sees then is
 * what the rest of this folder is there to prevent.
 *
 * The rule behind the figure's numbers. A hardware timer keeps its grid in real time, whoever has the
 * processor. A tick that finds the VM without the processor stays pending until the VM runs again. Of the
 * ticks that are pending for one timer the first comes at once, and each further one a period of the
 * hardware's clock after the one before: 72 and 104 come at 113 and 115, and 136 is on time. A one-shot is
 * armed by the guest when the one before has come, with an interval: 124 comes at 113 + (124 - 62) = 175.
 * Each timer goes its own way, so events come out of the order of their AT. */
#include "timers/internal.h"
#include "timers/muldiv.h"
#include "timers/queue.h"

/* When an armed timer's next event comes, if the VM keeps the processor. */
rt_t naive_deadline_of(const struct vtime *t, const struct vtimer *timer)
{
    rt_t rt = vt_nrt(t, timer->at);

    if (timer->last.happened && rt <= timer->last.rt) {
        rt = vt_add(timer->last.rt, t->policy.spacing); /* it was pending already when that one came */
    }
    return rt > t->floor ? rt : t->floor;
}

/* The timer whose event comes first; of several the one that was attached first. */
static struct vtimer *first(const struct vtime *t)
{
    struct vtimer *earliest = NULL;

    for (struct vtimer *timer = t->timers; timer != NULL; timer = timer->sibling) {
        if (timer->armed &&
            (earliest == NULL || naive_deadline_of(t, timer) < naive_deadline_of(t, earliest))) {
            earliest = timer;
        }
    }
    return earliest;
}

rt_t naive_deadline(const struct vtime *t)
{
    const struct vtimer *timer = first(t);

    return timer != NULL ? naive_deadline_of(t, timer) : RT_NEVER;
}

static void deliver(struct vtime *t, struct vtimer *timer, rt_t rt)
{
    at_t at = timer->at;

    if (rt > t->rt_l) {
        t->account.run += vt_present(t, rt) - t->at_l;
        t->at_l = vt_present(t, rt);
        t->rt_l = rt;
    }
    timer->last.happened = true;
    timer->last.rt = rt;
    queue_remove(&t->queue, timer);
    vt_update_entry(t, timer, at);
    t->in_event = true; /* AT_C is AT_L */
    vt_notify(t, timer, rt, at, VT_NORMAL);
    t->in_event = false;
    vt_decide(t, rt, false);
}

void naive_deliver(struct vtime *t)
{
    struct vtimer *timer = first(t);

    for (unsigned int i = 0; i < VT_MAX_INSTANTS && t->moving && timer != NULL; i++) {
        rt_t rt = naive_deadline_of(t, timer);

        if (rt > t->rt_c) {
            break;
        }
        deliver(t, timer, rt);
        timer = first(t);
    }
}
