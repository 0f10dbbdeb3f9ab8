/* The apparent time of one VM: its timer event queue and the equations of DESIGN.md section 2.
 *
 * Pure C: no hardware access, no globals. Real time comes in through one door: vtime_advance() latches RT_C
 * and delivers what is due; every other function works at the latched RT_C. So one exit of a guest happens at
 * one instant, whatever it touches.
 *
 * Locking: the caller serialises all calls for one VM. */
#ifndef TIMERS_VTIME_H
#define TIMERS_VTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/coordinator.h"
#include "timers/heap.h"
#include "timers/ledger.h"
#include "timers/rate.h"
#include "timers/scaled.h"
#include "timers/types.h"

#define VT_MAX_CPUS 8

struct vtime;

/* What became of a due event (the ledger counts them apart). */
enum vt_outcome {
    VT_DELIVERED, /* the guest gets an interrupt (or a status bit) of its own for this event */
    VT_MERGED,    /* merged with an earlier one by the guest itself: masked, or not taken in its own time */
};

struct vtimer_ops {
    /* An event of this timer is due at AT `at` ([0077], step 716/718). May call vtime_set/vtime_clear for
     * itself (a one-shot's entry has been removed before; a periodic's already stands at its next event). */
    enum vt_outcome (*event)(void *self, at_t at);
    /* True while the interrupt of the last event waits, unmasked, for the guest to take it (DESIGN.md 2.6).
     * Asked from vtime_advance(), vtime_deadline() and vtime_line() only, and must not call back. NULL:
     * never. */
    bool (*outstanding)(void *self);
    /* True while no event of this timer would reach a processor: its line is masked. Asked at a resumption,
     * and must not call back. NULL: never. */
    bool (*unheard)(void *self);
};

/* When a timer's events are: event k is at first + floor((phase + k * period_num) / period_den), in AT ticks.
 * period_num == 0: a one-shot, event 0 only. phase < period_den. period_den is never 0.
 * phase carries the fraction of the first event, so that events of an input clock that does not divide AT's
 * stay on the exact grid for ever (DESIGN.md 2.1). A period of less than one AT tick is taken as one tick. */
struct vt_schedule {
    at_t first;
    uint64_t period_num;
    uint64_t period_den;
    uint64_t phase;
};

/*@ predicate is_schedule(struct vt_schedule *s) =
        s->phase < s->period_den && (s->period_num == 0 || s->period_num >= s->period_den); */

/* One virtual timer: an entry of its VM's timer event queue ([0085]). Embedded in its emulator; everything
 * below `progress` is the coordinator's own. */
struct vtimer {
    const char *name;
    const struct vtimer_ops *ops;
    void *self;        /* passed to ops: the emulator */
    unsigned int vcpu; /* target virtual CPU: whose progress gates this event ([0111]); see vtime_target() */
    unsigned int id;   /* 0.. in the order of attachment */
    uint64_t progress; /* minimum progress M in RT ticks; set from the policy at attach, may be overridden */
    enum vt_missed missed; /* ... as is this */

    /* The queue's (timers/queue.c). */
    struct heap_node entry;
    struct vtimer *next_due; /* the next entry of the instant that is being delivered */
    bool due;                /* part of it, and still to be delivered */
    bool armed;
    at_t at;                     /* the next event */
    uint64_t rem;                /* its fraction, over schedule.period_den: 0 <= rem < period_den */
    struct vt_schedule schedule; /* as it was set; `first` is where the ledger counts from */
    uint64_t instant;            /* the number of the instant that last updated this entry */

    /* The gates' (timers/progress.c): about the last event. */
    struct {
        bool happened;
        bool late;         /* it came after its NRT, nominally */
        rt_t rt;           /* nominal; naive timers only */
        unsigned int vcpu; /* where it went */
        uint64_t executed; /* what that vCPU had executed by then */
        uint64_t moved;    /* how long the VM had run by then */
        uint64_t losses;   /* how often the VM had lost the processor by then */
    } last;

    struct vt_ticks_account ticks;
    struct deadline watch;  /* only where each timer's event is monitored on its own: timers/monitor.h */
    struct vtimer *sibling; /* all timers of the VM, in the order of attachment */
};

/* The timer event queue ([0085]-[0089]). */
struct vt_queue {
    struct vtimer *head; /* of the heap */
    struct heap heap;
    struct vtimer *due; /* the rest of the instant that is being delivered */
    uint64_t instants;  /* instants, and updates outside of one, numbered so far */
    uint64_t orders;    /* entries numbered so far */
};

/* ---- virtual CPUs ---- */

enum vt_cpu_state {
    VT_CPU_OFF,     /* not there, or waiting for SIPI: like halted, holds nothing up */
    VT_CPU_HALTED,  /* waits for an interrupt: has made its progress */
    VT_CPU_READY,   /* could execute, but has no processor: descheduled */
    VT_CPU_RUNNING, /* on a processor */
};

struct vt_cpu {
    enum vt_cpu_state state;
    rt_t since;           /* RUNNING: since when */
    uint64_t executed;    /* RT executed before `since` */
    uint64_t progress_at; /* it is, when this much has been executed, */
    uint64_t moved_at;    /* or the VM has run for this long (one round) */
    rt_t opens;           /* or, if it was halted at the event and nothing wakes it, at this RT */
};

/* ---- what the tests, timesim and the kernel's trace see ---- */

/* All optional (NULL). Called at the moment it happens; they must not call back into this VM's time except
 * for the const queries. rt is nominal: the whole unit at which it was due, or the resumption. */
struct vtime_observer {
    void (*event)(void *ctx, const struct vtimer *timer, rt_t rt, at_t at, enum vt_mode mode,
                  enum vt_outcome outcome);
    void (*drop)(void *ctx, const struct vtimer *timer, rt_t rt, at_t at, uint64_t ticks);
    /* A decision of figure 5C: the mode, the rate that goes with it, and RT_N (NULL: no timer is armed). */
    void (*decide)(void *ctx, rt_t rt, enum vt_mode mode, struct vt_ratio c, const struct vt_moment *rt_n);
    /* A timer was armed, armed anew or disarmed: timer->armed, ->at and ->schedule say what it is now.
     * `cancelled` events of what it was before were pending. */
    void (*set)(void *ctx, const struct vtimer *timer, rt_t rt, uint64_t cancelled);
    /* A clock or timer was accessed: the AT that the guest saw. */
    void (*access)(void *ctx, rt_t rt, at_t at);
    /* AT has jumped to `at`, over `leapt`; the events of the leap follow. */
    void (*leap)(void *ctx, rt_t rt, at_t at, at_t leapt);
    /* AT goes on from `at`, or stands still there: the VM has got the processor, lost it, or is paused. */
    void (*move)(void *ctx, rt_t rt, at_t at, bool moving);
};

/* What the run loop goes by, kept while nothing can have changed it: an exit that touches no timer then costs
 * no arithmetic. */
struct vt_outlook {
    rt_t until;              /* it holds before this RT; 0: not any more */
    rt_t deadline;           /* vtime_deadline() */
    struct vt_tsc_line line; /* what RDTSC without an exit may follow until then; ratio 0: none */
};

/* The apparent time of one VM. Words as in DESIGN.md section 1. */
struct vtime {
    struct vtime_policy policy;
    uint64_t hz;
    const struct vtime_observer *observer;
    void *observer_ctx;

    struct vt_queue queue;
    struct vtimer *timers; /* all attached ones */

    rt_t rt_c;  /* the latched real time */
    at_t at_p;  /* the previous event: its AT, */
    rt_t nrt_p; /* its normal real time, */
    rt_t art_p; /* and its actual one (nominal: see deliver.c) */
    at_t at_l;  /* the latest incident */
    rt_t rt_l;

    enum vt_mode mode;
    struct vt_ratio c;         /* the rate that went with the last decision that took one */
    struct vt_moment rt_n;     /* RT_N of the head, without the gates; meaningless while the queue is empty */
    rt_t floor;                /* nothing happens before this: the last decision, or resumption */
    struct vt_scaling scaling; /* the processor's: vtime_set_scaling() */
    struct vt_tsc_line
        scaled; /* AT keeps to this line, not to the exact one that it was rounded down from; ratio 0: no */
    bool held;  /* AT has reached AT_N, and the event waits for an acknowledgement */
    bool leap_wanted; /* vtime_leap_at_resumption() */
    bool leap_due;    /* the lag at the last resumption was past the threshold: vtime_advance() leaps */
    bool in_event;    /* callbacks are running: AT_C is AT_L, decisions wait */
    const struct vtimer *head_seen; /* the head that the last decision was about, */
    at_t head_seen_at;              /* and its AT */

    rt_t gate;          /* when the last of the gates opens: */
    bool gate_known;    /* while the VM runs, and no gate or vCPU changes */
    unsigned int gates; /* bit n: the last event's progress is not known to have been made by cpu[n] */
    struct vt_cpu cpu[VT_MAX_CPUS];
    unsigned int running, ready; /* vCPUs in these states */
    bool several;                /* another vCPU than the first has been started */
    bool moving;                 /* AT is running: a vCPU runs, or all are halted; and not paused */
    bool paused;
    rt_t paused_at;
    uint64_t moved; /* RT during which the VM ran, before moved_since */
    rt_t moved_since;
    uint64_t losses; /* how often it lost the processor */

    struct vt_outlook outlook;
    struct vt_account account;
};

/* ---- for timer emulators (at the latched RT_C) ---- */

/* Makes a timer known to its VM's time; not armed. Call once, before anything else. */
void vtime_attach(struct vtime *t, struct vtimer *timer, const char *name, const struct vtimer_ops *ops,
                  void *self, unsigned int vcpu);

/* Arms or re-arms a timer ([0078], step 720). An event for an AT that is past is due at once, at the present
 * AT, and a period then counts from there (DESIGN.md 2.2). An incident. */
void vtime_set(struct vtime *t, struct vtimer *timer, const struct vt_schedule *s);

/* The timer's interrupts go to another virtual CPU from now on (its timer->vcpu). An incident. Not from an
 * event callback. */
void vtime_target(struct vtime *t, struct vtimer *timer, unsigned int cpu);

/* Disarms ([0075], step 722): a pending event is counted as cancelled. Harmless when not armed. An incident.
 */
void vtime_clear(struct vtime *t, struct vtimer *timer);

/* AT_C: what a read or write of any timer register sees ([0090]). An incident: AT_L becomes the answer.
 * In an event callback: the event's AT. */
at_t vtime_now(struct vtime *t);

/* Sets the missed-tick policy of every timer whose name is `name`, or begins with that and a '-'. False if
 * there is none. */
bool vtime_missed(struct vtime *t, const char *name, enum vt_missed missed);

/* Ticks of AT (and RT) a second. */
uint64_t vtime_hz(const struct vtime *t);

/* ---- for the VM and the run loop ---- */

/* Starts a VM's time: AT is 0 at RT `now`, vCPU 0 is READY (not on a processor), the others are OFF.
 * The policy must be valid (vtime_policy_valid()). */
void vtime_init(struct vtime *t, const struct vtime_policy *policy, uint64_t hz, rt_t now);

void vtime_observe(struct vtime *t, const struct vtime_observer *observer, void *ctx);

/* The one door of real time: RT_C becomes `now` (never less than before) and everything that is due is
 * delivered, in AT order. Delivers at most VT_MAX_INSTANTS instants; if vtime_deadline() is not after `now`
 * then, call again. While the VM does not run, nothing is delivered. */
static inline void vtime_advance(struct vtime *t, rt_t now);

#define VT_MAX_INSTANTS 64

/* The same, and vCPU `cpu`, which is RUNNING in a VM that is not paused, has executed nothing since the
 * latched RT_C, but something that was not worth calling a loss of the processor has kept it: none of that
 * time is its progress ([0111]). May be an incident. */
void vtime_advance_without(struct vtime *t, unsigned int cpu, rt_t now);

/* RT_C becomes `now` without a delivery: for the moment at which the processor is taken away, when the VM
 * does not execute any more at `now` itself. What was due before must have been delivered by vtime_advance().
 */
void vtime_latch(struct vtime *t, rt_t now);

/* When vtime_advance() must be called next, for this state: the RT_N of the head with its gates, rounded up;
 * RT_NEVER if nothing is to come (no timer armed, or the VM does not run). May be in the past. Ask it anew
 * after whatever may have changed the answer: any call of this interface, and the guest's taking of an
 * interrupt. */
rt_t vtime_deadline(const struct vtime *t);

/* When this timer's next event comes, as things stand at the latched RT_C: never before vtime_deadline().
 * RT_NEVER: it is not armed, or the VM does not run. For whoever monitors several events ([0084]). */
rt_t vtime_deadline_of(const struct vtime *t, const struct vtimer *timer);

/* A vCPU's run state, at the latched RT_C. The VM runs while any of its vCPUs does; with all of them halted
 * AT runs on in real time; else it is descheduled. After a call that makes the VM run again, call
 * vtime_advance() with the same `now`: what is overdue is delivered at once. A call for the present state
 * changes nothing. */
void vtime_vcpu_run(struct vtime *t, unsigned int cpu);  /* is on a processor from now on */
void vtime_vcpu_stop(struct vtime *t, unsigned int cpu); /* has lost it, and wants it back ([0064]) */
void vtime_vcpu_halt(struct vtime *t, unsigned int cpu); /* HLT, MWAIT: needs no processor */
void vtime_vcpu_wake(struct vtime *t, unsigned int cpu); /* something to do: READY, if it was halted or off */
void vtime_vcpu_off(struct vtime *t, unsigned int cpu);  /* waits for SIPI, or is gone */

/* Stops and continues the VM's time by the operator's wish: RT that passes between is neither AT nor lag but
 * `paused`, and every NRT moves by it. vCPU states may change meanwhile. Neither nests.
 * vtime_unpause_late(): the VM had only lost the processor meanwhile, and what has passed is lag. */
void vtime_pause(struct vtime *t);
void vtime_unpause(struct vtime *t);
void vtime_unpause_late(struct vtime *t);

/* The operator's wish that what the VM has missed be jumped over ([0112]), whatever the threshold: when it
 * next runs, and its AT is behind then, AT leaps to the present. For a VM that does not run now. */
void vtime_leap_at_resumption(struct vtime *t);

/* Another policy from now on; the next decision of figure 5C uses it. It must be valid. */
void vtime_set_policy(struct vtime *t, const struct vtime_policy *policy);

/* AT_C without an incident: for monitors, traces and the ledger. */
at_t vtime_peek(const struct vtime *t);

/* How far AT is behind at the latched RT_C; negative when it is ahead. */
int64_t vtime_lag(const struct vtime *t);

/* The vCPUs (bit n: vCPU n) that AT waits for although they are descheduled while others of their VM run: the
 * next event's targets, whose progress or acknowledgement is due. Give them a processor before the others. */
unsigned int vtime_waits_for(const struct vtime *t);

/* The same of vCPU `cpu`, which has a processor: true if AT waits for it, beside those. */
bool vtime_waits_for_running(const struct vtime *t, unsigned int cpu);

/* True if AT_C = RT + *offset (modulo 2^64) from the latched RT_C until vtime_deadline(): RDTSC needs no
 * exit. */
bool vtime_line(const struct vtime *t, uint64_t *offset);

/* The processor can scale a TSC: vtime_outlook() finds lines of other slopes than one, too. Not with
 * gap=jump, where AT may pass a loss on the patent's literal line. For the whole life of the VM. */
void vtime_set_scaling(struct vtime *t, struct vt_scaling scaling);

/* The rest of vtime_outlook(), which alone calls it: what was found holds no longer. */
void vtime_look_out(struct vtime *t);

/* vtime_deadline() and the line of AT at once, for the run loop, which has to ask before each entry on which
 * RDTSC may run free: AT then keeps to that line, for every clock. At another slope than one the line is the
 * exact one rounded down to what the processor's ratio expresses, so it is not past the next event before the
 * deadline. Computed only after a call that may have changed them, and until the deadline an advance then
 * costs next to nothing. Valid until the next call of this interface. */
static inline const struct vt_outlook *vtime_outlook(struct vtime *t)
{
    if (t->outlook.until <= t->rt_c) {
        vtime_look_out(t);
    }
    return &t->outlook;
}

/* True if what vtime_outlook() has just said is the moment at which minimum progress will have been made
 * ([0111]). It is counted from the delivery: whoever takes the guest there afterwards adds the time that this
 * takes, for the guest has not executed meanwhile. */
static inline bool vtime_is_progress(const struct vtime *t)
{
    return t->gates != 0 && t->gate_known && t->gate == t->outlook.deadline;
}

/* For a look without the caller's lock: true if AT_C is *at at RT `now` by the line that vtime_outlook() has
 * found. What it reads may be changing; it counts only if nobody has had the lock since before `now` was
 * read. No incident: while the line holds, whatever comes later sees later values. */
static inline bool vtime_glance(const struct vtime *t, rt_t now, at_t *at)
{
    struct vt_tsc_line line = t->outlook.line;

    *at = vt_tsc_line_at(t->scaling, line, now);
    return line.ratio != 0 && now < t->outlook.until;
}

/* The mode that a read at the latched RT_C happens under (never VT_LEAP). */
enum vt_mode vtime_mode(const struct vtime *t);

/* A TSC that ran without exits may have shown the guest up to AT `at`: AT_L is raised to it if it is below.
 * May pass the next undelivered event; by how much at most is recorded. Call it after vtime_advance()
 * (DESIGN.md 2.10). An incident. */
void vtime_shown(struct vtime *t, at_t at);

/* NULL if every invariant of section 2 that can be seen at one moment holds, or the name of the broken one.
 * O(n); for assertions in debug kernels and for tests. Not from an event callback. */
const char *vtime_check(const struct vtime *t);

/* The rest of vtime_advance(), which alone calls it: something may be due. */
void vtime_deliver(struct vtime *t, rt_t now);

/* The common case, and cheap: nothing was to come before `now`. */
static inline void vtime_advance(struct vtime *t, rt_t now)
{
    if (now >= t->outlook.until) {
        vtime_deliver(t, now);
    } else if (now > t->rt_c) {
        t->rt_c = now;
    }
}

#endif
