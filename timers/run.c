/* When a VM has the processor, and when not (DESIGN.md 2.5, 2.11). A VM runs while any of its vCPUs runs; one
 * whose vCPUs are all halted is not descheduled, for nobody keeps it from anything: its AT runs on in real
 * time. */
#include "timers/internal.h"

/* Whether AT runs: not while a vCPU wants a processor and none of the VM has one. */
static bool would_move(const struct vtime *t)
{
    return !t->paused && (t->running != 0 || t->ready == 0);
}

static void count(struct vtime *t, enum vt_cpu_state state, int by)
{
    t->running += (unsigned int)(state == VT_CPU_RUNNING ? by : 0);
    t->ready += (unsigned int)(state == VT_CPU_READY ? by : 0);
}

static void observe_move(const struct vtime *t)
{
    bool stands =
        t->policy.gap == VT_GAP_SMOOTH && !t->policy.naive; /* at AT_L: just lost, or not yet gone on */

    if (t->observer != NULL && t->observer->move != NULL) {
        t->observer->move(t->observer_ctx, vt_rt(t), stands ? t->at_l : vtime_peek(t), t->moving);
    }
}

/* "Losing the processor is an incident too"; with gap=jump it is none, but that the gates of several vCPUs
 * may be others afterwards, and with them the slope. */
static void lose(struct vtime *t)
{
    if (t->policy.gap == VT_GAP_SMOOTH || t->several) {
        vt_incident(t);
    }
    vt_leave_line(t);
    t->moved = progress_moved(t, vt_rt(t));
    t->moving = false;
    t->held = false;
    t->leap_due = false;
    t->losses++;
    observe_move(t);
}

/* Asked for by the operator: done in vtime_advance(), overdue events or not. */
static bool leap_is_wanted(struct vtime *t)
{
    t->leap_due = t->leap_wanted && vtime_lag(t) > 0;
    t->leap_wanted = false;
    return t->leap_due;
}

/* An event whose moment has passed meanwhile is delivered at once (figure 7), and AT jumps to it. If its
 * line is masked nobody waits for it: then AT goes on from where it stood, as without one (2.6: such a timer
 * holds nothing up). A guest that finds its frequencies by polling a PIT that it has masked would otherwise
 * see a hole of up to a whole turn, and miscount. */
static bool is_overdue(const struct vtime *t)
{
    const struct vtimer *head = t->queue.head;

    return head != NULL && vt_moment_ceil(&t->rt_n) <= t->rt_c &&
           (head->ops->unheard == NULL || !head->ops->unheard(head->self));
}

/* An overdue event keeps its RT_N, and vtime_advance() delivers it at once; otherwise AT goes on from where
 * it stood, or leaps, also in vtime_advance(). */
static void resume(struct vtime *t)
{
    int64_t lag;

    t->moving = true;
    t->moved_since = t->rt_c;
    t->floor = t->rt_c;
    progress_changed(t);
    if (t->policy.gap == VT_GAP_JUMP || t->policy.naive) {
        observe_move(t);
        leap_is_wanted(t);
        return;
    }
    t->rt_l = t->rt_c;
    observe_move(t);
    lag = (int64_t)(vt_present(t, t->rt_c) - t->at_l);
    t->account.max_lag = lag > t->account.max_lag ? lag : t->account.max_lag;
    if (leap_is_wanted(t)) {
        return;
    }
    if (is_overdue(t)) {
        return;
    }
    if (t->policy.leap != VT_NO_LEAP && lag > 0 && (uint64_t)lag > t->policy.leap) {
        t->leap_due = true;
    } else {
        vt_decide(t, t->rt_c, true);
    }
}

static void set_state(struct vtime *t, unsigned int cpu, enum vt_cpu_state state)
{
    struct vt_cpu *c = &t->cpu[cpu];
    bool moved = t->moving;
    bool will_move;

    if (c->state == state) {
        return;
    }
    vt_changed(t);
    t->several = t->several || cpu != 0;
    count(t, c->state, -1);
    count(t, state, 1);
    will_move = would_move(t);
    if (moved && will_move) {
        vt_incident(t); /* the gate, and with it the slope, may change */
        vt_leave_line(t);
    } else if (moved) {
        lose(t);
    } else if (t->several && t->policy.gap == VT_GAP_JUMP) {
        vt_incident(t); /* here AT runs although none of the vCPUs does, and the gate may change as well */
    }
    c->executed = progress_executed(c, vt_rt(t));
    c->since = vt_rt(t);
    c->state = state;
    if (state == VT_CPU_HALTED || state == VT_CPU_OFF) {
        t->gates &= ~(1u << cpu); /* it is done with its last event */
    }
    progress_changed(t);
    if (!moved && will_move) {
        resume(t);
    }
}

void vtime_vcpu_run(struct vtime *t, unsigned int cpu)
{
    set_state(t, cpu, VT_CPU_RUNNING);
}

void vtime_vcpu_stop(struct vtime *t, unsigned int cpu)
{
    if (t->cpu[cpu].state == VT_CPU_RUNNING) {
        set_state(t, cpu, VT_CPU_READY);
    }
}

void vtime_advance_without(struct vtime *t, unsigned int cpu, rt_t now)
{
    struct vt_cpu *c = &t->cpu[cpu];
    rt_t without = now > t->rt_c ? now - t->rt_c : 0;

    if (t->gates >> cpu & 1u) {
        vt_changed(t);
        vt_incident(t); /* its gate opens later, and the slope changes */
        vt_leave_line(t);
        c->since += without;
        progress_changed(t);
    } else {
        c->since += without;
    }
    vtime_advance(t, now);
}

void vtime_vcpu_halt(struct vtime *t, unsigned int cpu)
{
    set_state(t, cpu, VT_CPU_HALTED);
}

void vtime_vcpu_wake(struct vtime *t, unsigned int cpu)
{
    if (t->cpu[cpu].state != VT_CPU_RUNNING) {
        set_state(t, cpu, VT_CPU_READY);
    }
}

void vtime_vcpu_off(struct vtime *t, unsigned int cpu)
{
    set_state(t, cpu, VT_CPU_OFF);
}

static void settle_clocks(struct vtime *t, rt_t since)
{
    for (unsigned int cpu = 0; cpu < VT_MAX_CPUS; cpu++) {
        t->cpu[cpu].executed = progress_executed(&t->cpu[cpu], vt_rt(t));
        t->cpu[cpu].since = since;
    }
}

void vtime_leap_at_resumption(struct vtime *t)
{
    t->leap_wanted = true;
}

void vtime_pause(struct vtime *t)
{
    if (t->paused) {
        return;
    }
    vt_changed(t);
    if (t->moving) {
        lose(t);
    }
    t->paused_at = t->rt_c;
    t->paused = true;
    progress_changed(t);
}

static void go_on(struct vtime *t)
{
    t->paused = false;
    if (would_move(t)) {
        resume(t);
    }
}

void vtime_unpause(struct vtime *t)
{
    rt_t length = t->rt_c - t->paused_at;

    if (!t->paused) {
        return;
    }
    vt_changed(t);
    settle_clocks(t, t->rt_c);
    t->nrt_p += length;
    t->art_p += length;
    t->rt_l += length;
    t->rt_n.whole = t->queue.head != NULL ? t->rt_n.whole + length : t->rt_n.whole;
    t->account.paused += length;
    go_on(t);
}

void vtime_unpause_late(struct vtime *t)
{
    if (!t->paused) {
        return;
    }
    vt_changed(t);
    settle_clocks(t, t->rt_c);
    go_on(t);
}
