/* Minimum progress ([0111]) and acknowledgement (DESIGN.md 2.6, 2.11): the gates before the next event. They
 * count what the target vCPUs have really executed, from the real moment of the delivery; a vCPU that is
 * halted, or waits for SIPI, has made its progress; one that has no processor while others of its VM run is
 * waited for during one scheduler round at most. An event waits for its own targets, not for those of events
 * before it: a vCPU without a processor holds up its own ticks only, and no more of apparent time than up to
 * the next of them. What is stored are marks on clocks; when the gates open follows from the present run
 * states, and is kept while none of them changes. */
#include "timers/internal.h"
#include "timers/muldiv.h"
#include "timers/queue.h"

/* When a clock that stood at `clock` at RT `since`, and goes on, shows `mark`. */
static rt_t clock_reaches(rt_t since, uint64_t clock, uint64_t mark)
{
    return mark > clock ? vt_add(since, mark - clock) : since;
}

/* When vCPU `cpu` will have executed `progress` in all, or its VM will have run for `moved`, if both go on as
 * they are. A VM that is descheduled is taken to go on from now, on this vCPU ("if it keeps running"). */
static rt_t progress_reaches(const struct vtime *t, unsigned int cpu, uint64_t progress, uint64_t moved)
{
    const struct vt_cpu *c = &t->cpu[cpu];
    rt_t own = RT_NEVER;
    rt_t round;

    if (c->state == VT_CPU_OFF || c->state == VT_CPU_HALTED) {
        return 0;
    }
    round = clock_reaches(t->moving ? t->moved_since : vt_rt(t), t->moved, moved);
    if (c->state == VT_CPU_RUNNING) {
        own = clock_reaches(c->since, c->executed, progress);
    } else if (!t->moving || progress <= c->executed) {
        own = clock_reaches(t->moving ? t->moved_since : vt_rt(t), c->executed, progress);
    }
    return own < round ? own : round;
}

/* When a gate opens that a vCPU closes now, if nothing changes: on a processor it executes all the time, and
 * its VM runs. */
static rt_t opens_unless_changed(const struct vtime *t, const struct vt_cpu *c, uint64_t progress)
{
    bool bound = c->state == VT_CPU_RUNNING && progress > t->policy.round;

    return t->rt_c + (bound ? t->policy.round : progress);
}

/* What a vCPU's clock and its VM's show at the latched RT_C, when something is delivered: AT moves then, so
 * no pause has stopped RT. */
struct clocks {
    uint64_t executed;
    uint64_t moved;
};

static inline struct clocks clocks_at_delivery(const struct vtime *t, const struct vt_cpu *c)
{
    return (struct clocks){progress_executed(c, t->rt_c), progress_moved(t, t->rt_c)};
}

/* Events of one instant with different M: the longest counts. The clocks and M are below 2^63, but for a
 * round without end. The usual case, one vCPU and no gate closed, leaves nothing to be worked out. */
static inline void close_gate(struct vtime *t, unsigned int cpu, uint64_t progress, struct clocks now)
{
    struct vt_cpu *c = &t->cpu[cpu];
    unsigned int gates = t->gates;
    bool alone = !t->several && gates == 0 && (c->state == VT_CPU_RUNNING || c->state == VT_CPU_HALTED);

    if (progress == 0) {
        return; /* no gate at all: not even one at the real moment of the delivery */
    }
    if (!(gates >> cpu & 1u) || now.executed + progress > c->progress_at) {
        c->progress_at = now.executed + progress;
    }
    c->moved_at = vt_add(now.moved, t->policy.round);
    c->opens = t->rt_c + progress;
    t->gates = gates | 1u << cpu;
    t->gate_known = alone;
    if (alone) {
        t->gate = opens_unless_changed(t, c, progress);
    }
}

/* When the gate of vCPU `cpu`, which is closed, opens. One that halts after an event is done with it, and its
 * gate is gone. But an event that comes while it is halted wakes it: that one it still has to handle, and a
 * second event, delivered before it gets a processor, would overtake the first in the interrupt controller.
 * So a gate that closed during the halt holds; for M of real time at most if nothing wakes the vCPU
 * (interrupts off). */
static rt_t gate_opens(const struct vtime *t, unsigned int cpu)
{
    const struct vt_cpu *c = &t->cpu[cpu];

    return c->state == VT_CPU_HALTED ? c->opens : progress_reaches(t, cpu, c->progress_at, c->moved_at);
}

void progress_event(struct vtime *t, struct vtimer *timer, bool late)
{
    struct clocks now = clocks_at_delivery(t, &t->cpu[timer->vcpu]);

    timer->last.happened = true;
    timer->last.late = late;
    timer->last.vcpu = timer->vcpu;
    timer->last.executed = now.executed;
    timer->last.moved = now.moved;
    timer->last.losses = t->losses;
    close_gate(t, timer->vcpu, timer->progress, now);
}

__attribute__((cold)) void progress_leap(struct vtime *t)
{
    for (unsigned int cpu = 0; cpu < VT_MAX_CPUS; cpu++) {
        close_gate(t, cpu, t->policy.progress, clocks_at_delivery(t, &t->cpu[cpu]));
    }
    t->gate_known = false;
}

void progress_instant(struct vtime *t)
{
    if (!t->gate_known || t->several) { /* of several, another one's gate may be ahead now */
        progress_changed(t);
    }
}

static unsigned int lowest(unsigned int bits)
{
    return (unsigned int)__builtin_ctz(bits);
}

/* The closed gates that the next instant has to pass: its targets'. Without a next one, or with one vCPU,
 * all. */
static unsigned int gates_ahead(const struct vtime *t)
{
    unsigned int targets = 0;

    if (!t->several || t->queue.head == NULL) {
        return t->gates;
    }
    for (const struct vtimer *timer = t->queue.head; timer != NULL;
         timer = queue_next_equal(&t->queue, timer)) {
        targets |= 1u << timer->vcpu;
    }
    return t->gates & targets;
}

void progress_settle(struct vtime *t)
{
    if (t->gates == 0) {
        return;
    }
    if (!t->several) { /* one alone; AT runs, so it is known when it opens */
        if (t->gate <= t->rt_c) {
            t->floor = t->gate > t->floor ? t->gate : t->floor;
            t->gates = 0;
        }
        return;
    }
    for (unsigned int left = gates_ahead(t); left != 0; left &= left - 1) {
        unsigned int cpu = lowest(left);
        rt_t open = gate_opens(t, cpu);

        if (open <= t->rt_c) {
            t->floor = open > t->floor ? open : t->floor;
            t->gates &= ~(1u << cpu);
        }
    }
    progress_changed(t);
}

static rt_t last_to_open(const struct vtime *t)
{
    rt_t gate = 0;

    for (unsigned int left = gates_ahead(t); left != 0; left &= left - 1) {
        unsigned int cpu = lowest(left);
        rt_t open = gate_opens(t, cpu);

        gate = open > gate ? open : gate;
    }
    return gate;
}

rt_t progress_gate(const struct vtime *t)
{
    if (t->gates == 0) {
        return 0;
    }
    return t->gate_known ? t->gate : last_to_open(t);
}

bool progress_gate_holds(const struct vtime *t)
{
    return t->gate == last_to_open(t);
}

void progress_changed(struct vtime *t)
{
    t->gate_known = false;
    if (t->moving) {
        t->gate = last_to_open(t);
        t->gate_known = true;
    }
}

/* "Whenever an event is late": the next event itself, by its RT_N; or the previous one was, which leaves the
 * guest less than a period for it; or the VM lost the processor in between, with the same effect. An event
 * that is on time after one that was, without a loss, waits for nothing: the guest had a whole period of its
 * own. */
static bool lateness_matters(const struct vtime *t, const struct vtimer *timer)
{
    rt_t nrt_n = vt_nrt(t, timer->at);

    return timer->last.late || timer->last.losses != t->losses || vt_moment_ceil(&t->rt_n) > nrt_n;
}

static __attribute__((noinline)) rt_t taken_gate_of_late(const struct vtime *t, const struct vtimer *timer)
{
    const struct vt_schedule *s = &timer->schedule;
    uint64_t most;

    if (timer->ops->outstanding == NULL || !timer->ops->outstanding(timer->self)) {
        return 0;
    }
    most = s->period_num != 0 ? s->period_num / s->period_den : timer->progress;
    return progress_reaches(t, timer->last.vcpu, vt_add(timer->last.executed, most),
                            vt_add(timer->last.moved, t->policy.round));
}

static inline rt_t taken_gate(const struct vtime *t, const struct vtimer *timer)
{
    return timer->last.happened && lateness_matters(t, timer) ? taken_gate_of_late(t, timer) : 0;
}

/* Not part of progress_taken_gate: mostly the head is alone at its instant. */
static __attribute__((noinline)) rt_t taken_gate_of_all(const struct vtime *t)
{
    rt_t gate = 0;

    for (const struct vtimer *timer = t->queue.head; timer != NULL;
         timer = queue_next_equal(&t->queue, timer)) {
        rt_t open = taken_gate(t, timer);

        gate = open > gate ? open : gate;
    }
    return gate;
}

rt_t progress_taken_gate(const struct vtime *t)
{
    return heap_alone(&t->queue.heap) ? taken_gate(t, t->queue.head) : taken_gate_of_all(t);
}

static unsigned int if_in_state(const struct vtime *t, unsigned int cpu, enum vt_cpu_state state)
{
    return t->cpu[cpu].state == state ? 1u << cpu : 0;
}

/* Those in this state whose progress or acknowledgement the next instant needs. */
static unsigned int waits_for(const struct vtime *t, enum vt_cpu_state state)
{
    unsigned int mask = 0;
    rt_t due;
    rt_t by;

    if (!t->several || !t->moving || t->policy.naive || t->queue.head == NULL) {
        return 0;
    }
    due = vt_moment_ceil(&t->rt_n);
    by = due > t->rt_c ? due : t->rt_c;
    for (const struct vtimer *timer = t->queue.head; timer != NULL;
         timer = queue_next_equal(&t->queue, timer)) {
        bool closed = t->gates >> timer->vcpu & 1u;

        if (closed && gate_opens(t, timer->vcpu) > by) {
            mask |= if_in_state(t, timer->vcpu, state);
        }
        if (due <= t->rt_c && taken_gate(t, timer) > t->rt_c) {
            mask |= if_in_state(t, timer->last.vcpu, state);
        }
    }
    return mask;
}

unsigned int vtime_waits_for(const struct vtime *t)
{
    return waits_for(t, VT_CPU_READY);
}

bool vtime_waits_for_running(const struct vtime *t, unsigned int cpu)
{
    return (waits_for(t, VT_CPU_RUNNING) >> cpu & 1u) != 0;
}

void vtime_target(struct vtime *t, struct vtimer *timer, unsigned int cpu)
{
    if (timer->vcpu == cpu) {
        return;
    }
    vt_changed(t);
    vt_incident(t);
    vt_leave_line(t);
    timer->vcpu = cpu;
    progress_changed(t);
}
