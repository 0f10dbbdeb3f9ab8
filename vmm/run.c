#include "vmm/run.h"

#include "timers/muldiv.h"
#include "timers/vtime.h"
#include "vmm/cr.h"
#include "vmm/dispatch.h"
#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/platform.h"
#include "vmm/siblings.h"
#include "vmm/startup.h"
#include "vmm/vm.h"

/* One turn: real time is latched and what is due in apparent time goes to the interrupt lines; one interrupt
 * is collected; the guest runs until its VM's next deadline; each of its exits is carried out at the instant
 * of the exit, and one that was not quiet ends the turn (DESIGN.md 3). */

#define ABSENCES_PER_SECOND 20000u /* each of them is as long as minimum progress is by default */
#define POLL_STEPS          256u   /* of a sleeping VM's backlog at once: a millisecond or two */
#define SHORT_PROGRESS      32u

/* A VM's time begins with its first entry. */
static void start_time(struct vm *vm, uint64_t now)
{
    if (vm->started)
        return;
    vm->started = true;
    vtime_latch(&vm->time, now);
    vtime_unpause(&vm->time);
}

static void advance(struct vm *vm, uint64_t now)
{
    vtime_advance(&vm->time, now);
    ASSERT(vtime_check(&vm->time) == NULL);
}

static bool must_leave(const struct vm *vm)
{
    return vm->state != VM_RUNNING || vm->reset_requested;
}

/* startup_act() where there is something for it; each interrupt is news, few are INIT or SIPI. */
static inline void take_startup(struct vcpu *vcpu)
{
    vcpu->lapic.news = false;
    if (vcpu->lapic.init_pending || vcpu->lapic.sipi_pending)
        startup_act(vcpu);
}

/* True if the run has to stop here, and why. */
static bool has_to_stop(struct vcpu *vcpu, uint64_t now, uint64_t until, enum run_stop *stop)
{
    struct vm *vm = vcpu->vm;

    take_startup(vcpu);
    if (vm->state != VM_RUNNING)
        *stop = RUN_ENDED;
    else if (vm->reset_requested)
        *stop = RUN_RESET;
    else if (vcpu->state != VCPU_RUNNABLE && !startup_wake(vcpu))
        *stop = RUN_HALTED;
    else if (now >= until)
        *stop = RUN_PREEMPTED;
    else
        return false;
    return true;
}

static void acknowledge(struct vcpu *vcpu, bool from_pic, uint64_t now)
{
    uint8_t vector = platform_acknowledge(vcpu, from_pic);

    trace_put(&vcpu->trace->events, vcpu->who, TRACE_ACK, now, from_pic, 0, vector);
}

static inline enum inject_result inject(struct vcpu *vcpu, int vector, uint64_t now)
{
    enum inject_result result = hv->inject_irq(vcpu, (uint8_t)vector);

    if (vcpu->watched & WATCH_RECORD)
        trace_put(&vcpu->trace->exits, vcpu->who, TRACE_INJECT, now, result, 0, (uint32_t)vector);
    return result;
}

/* One that waits behind another: this asks for a window. It cannot be taken before the first. */
static __attribute__((noinline)) void offer_second(struct vcpu *vcpu, int vector, uint64_t now)
{
    (void)inject(vcpu, vector, now);
    vcpu->irq_window = true;
}

/* Interrupts are collected once, here; the controllers decide anew each time. Acknowledging comes before the
 * next deadline is asked for: it opens the gate of the timer whose interrupt it is (DESIGN.md 2.6). */
static void offer(struct vcpu *vcpu, uint64_t now)
{
    bool from_pic;
    int vector = platform_pending(vcpu, &from_pic);

    vcpu->irq_window = false;
    if (vector < 0)
        return;
    if (inject(vcpu, vector, now) == INJECT_WINDOW) {
        vcpu->irq_window = true;
        return;
    }
    acknowledge(vcpu, from_pic, now);
    vector = platform_pending(vcpu, &from_pic);
    if (vector >= 0)
        offer_second(vcpu, vector, now);
}

static void collect(struct vcpu *vcpu, uint64_t now)
{
    if (vcpu->irq_window)
        hv->retract_irq(vcpu);
    for (; vcpu->nmis_pending; vcpu->nmis_pending--)
        hv->inject_nmi(vcpu);
    offer(vcpu, now);
}

/* Out of line: nobody is, most of the time. The host's interrupts are not printed: the line's own way out
 * makes them. */
static __attribute__((noinline)) void watch_exit(const struct vcpu *vcpu, const struct exit_record *exit,
                                                 uint64_t now)
{
    if (vcpu->watched & WATCH_RECORD)
        trace_put(&vcpu->trace->exits, vcpu->who, TRACE_EXIT, now, exit->raw_qualification, vcpu->regs.rip,
                  exit->kind);
    if (!(vcpu->watched & WATCH_PRINT) || exit->kind == EXIT_INTERRUPT)
        return;
    host_log("vm %s: vcpu %u: exit %s (%u, %llx) rip %llx at %llu", vcpu->vm->config.name, vcpu->id,
             exit_kind_name(exit->kind), exit->raw_reason, (unsigned long long)exit->raw_qualification,
             (unsigned long long)vcpu->regs.rip, (unsigned long long)vtime_peek(&vcpu->vm->time));
}

/* Line: AT's. */
static __attribute__((noinline)) void change_tsc(struct vcpu *vcpu, bool free, struct vt_tsc_line line)
{
    struct vcpu_tsc tsc = {.free = free};

    if (free) {
        tsc.line = tsc.hardware = line;
        tsc.hardware.offset += vcpu->tsc.offset;
    }
    if (free != vcpu->free_tsc.free || !vt_same_line(tsc.hardware, vcpu->free_tsc.hardware))
        hv->set_tsc(vcpu, !free, tsc.hardware);
    vcpu->free_tsc = tsc;
}

/* RDTSC needs no exit while AT keeps to a line that the processor can follow, and it does until the next
 * deadline (DESIGN.md 2.10). Mostly nothing changes. */
static inline void choose_tsc(struct vcpu *vcpu, const struct vt_outlook *outlook)
{
    const struct vcpu_tsc *tsc = &vcpu->free_tsc;
    bool free = outlook->line.ratio != 0 && !vcpu->vm->config.time.strict;

    if (free != tsc->free || (free && (!vt_same_line(outlook->line, tsc->line) ||
                                       tsc->hardware.offset != outlook->line.offset + vcpu->tsc.offset)))
        change_tsc(vcpu, free, outlook->line);
}

static __attribute__((noinline)) void show_overshoot(struct vcpu *vcpu, uint64_t now)
{
    struct vtime *t = &vcpu->vm->time;

    vtime_shown(t, vt_tsc_line_at(t->scaling, vcpu->free_tsc.line, now));
}

/* Past the deadline the guest may have seen more of its TSC than AT allows, unless AT goes on along the same
 * line: AT follows before anything is answered. */
static inline void note_overshoot(struct vcpu *vcpu, uint64_t now)
{
    if (vcpu->free_tsc.free && !vt_same_line(vtime_outlook(&vcpu->vm->time)->line, vcpu->free_tsc.line))
        show_overshoot(vcpu, now);
}

/* Of all that are, or were, in the guest along a line that AT may have left meanwhile. */
static void note_overshoots(struct vcpu *vcpu, uint64_t now)
{
    note_overshoot(vcpu, now);
    if (vcpu->vm->nvcpus > 1)
        siblings_note(vcpu, now);
}

/* An exit of RDTSC on a line that is known, answered without the lock while nobody holds it. False: it is to
 * be carried out as any other. */
static bool answer_tsc(struct vcpu *vcpu, const struct exit_record *exit)
{
    struct vm *vm = vcpu->vm;
    uint64_t now;
    uint32_t ticket;
    at_t at;

    if (exit->kind != EXIT_RDTSC || exit->insn_len == 0 || vcpu->watched || !lock_look(&vm->lock, &ticket) ||
        !exit_rdtsc_allowed(vcpu))
        return false;
    now = host_now_in_order();
    if (!vtime_glance(&vm->time, now, &at) || !lock_looked(&vm->lock, ticket))
        return false;
    vcpu->exits[EXIT_RDTSC]++;
    exit_rdtsc_answer(vcpu, exit, tsc_at(&vcpu->tsc, at));
    return true;
}

/* The guest runs, and not under its VM's lock. True: others have had the lock meanwhile. A call that comes
 * between the lock's release and the entry waits for the interrupts that the entry opens. */
static bool run_unlocked(struct vcpu *vcpu, uint64_t deadline, struct exit_record *exit)
{
    struct lock *lock = &vcpu->vm->lock;
    uint32_t ticket = lock->serving;

    vcpu->out_by = deadline;
    __atomic_store_n(&vcpu->in_guest, true, __ATOMIC_RELAXED);
    lock_release(lock);
    do
        hv->run(vcpu, deadline, exit);
    while (answer_tsc(vcpu, exit));
    __atomic_store_n(&vcpu->in_guest, false, __ATOMIC_RELEASE);
    lock_take(lock);
    vcpu->vm->trace = vcpu->trace;
    return lock->serving != ticket + 1;
}

/* So little of a turn without the guest, the length of an interrupt's own way, counts as progress: a small
 * part of the minimum, and looking at it would cost more. */
static inline bool is_short(const struct vtime *t, uint64_t since, uint64_t now)
{
    return now - since <= t->policy.progress / SHORT_PROGRESS;
}

/* With the VM's lock. Behind, AT may run C times as fast, and an absence leaves as large a hole in it. */
static bool is_away(const struct vtime *t, uint64_t since, uint64_t now)
{
    uint64_t patience = host_hz() / ABSENCES_PER_SECOND;

    if (now <= since || now - since > patience)
        return now > since;
    return !vt_le(vt_mul(now - since, t->c.num), vt_mul(patience, t->c.den)) && vtime_lag(t) > 0;
}

/* The guest was out at RT `rt`: what is due is delivered, and AT follows what may have been seen of it. True:
 * not all is as it was at the entry. */
static inline bool come_to(struct vcpu *vcpu, uint64_t rt, uint64_t due, bool disturbed)
{
    advance(vcpu->vm, rt);
    if (rt < due && !disturbed)
        return false;
    note_overshoots(vcpu, rt);
    return true;
}

/* What the host's interrupts took, from `left` to `now`, is not the guest's progress ([0111]); if it was long
 * for the guest's clocks, it is a loss of the processor (DESIGN.md 2.5). */
static __attribute__((noinline)) void come_through_interrupts(struct vcpu *vcpu, uint64_t left, uint64_t now,
                                                              uint64_t due, bool disturbed)
{
    struct vtime *t = &vcpu->vm->time;

    (void)come_to(vcpu, left, due, disturbed);
    if (is_away(t, left, now)) {
        vtime_vcpu_stop(t, vcpu->id);
        vtime_advance(t, now);
        vtime_vcpu_run(t, vcpu->id);
    }
    vtime_advance_without(t, vcpu->id, now);
    ASSERT(vtime_check(t) == NULL);
}

/* The host's interrupts were let in after it. */
static inline bool was_interrupted(const struct exit_record *exit)
{
    return exit->kind == EXIT_INTERRUPT || exit->kind == EXIT_DEADLINE;
}

/* One entry, one exit, and the exit carried out at *now, RT after it. True: it was quiet. */
static inline __attribute__((always_inline)) bool enter_once(struct vcpu *vcpu, uint64_t deadline,
                                                             uint64_t due, uint64_t *now, bool several)
{
    struct exit_record exit;
    bool disturbed = false, changed = true;

    if (several)
        disturbed = run_unlocked(vcpu, deadline, &exit);
    else
        hv->run(vcpu, deadline, &exit);
    vcpu->exits[exit.kind]++;
    *now = several ? host_now_in_order() : host_now();
    if (was_interrupted(&exit) && !is_short(&vcpu->vm->time, exit.u.left, *now))
        come_through_interrupts(vcpu, exit.u.left, *now, due, disturbed);
    else
        changed = come_to(vcpu, *now, due, disturbed);
    if (vcpu->watched)
        watch_exit(vcpu, &exit, *now);
    dispatch_exit(vcpu, &exit);
    return vcpu->quiet && !changed;
}

/* Enters the guest until `deadline` at the latest, and again after quiet exits before `due`, when there is
 * something to deliver. Returns RT after the last. */
static uint64_t enter(struct vcpu *vcpu, uint64_t deadline, uint64_t due)
{
    uint64_t now;

    if (vcpu->entered == 0)
        vcpu->entered = host_now();
    if (vcpu->vm->nvcpus == 1)
        while (enter_once(vcpu, deadline, due, &now, false))
            ;
    else
        while (enter_once(vcpu, deadline, due, &now, true))
            ;
    /* The deadline may have come between the look at the clock and the entry. */
    uint64_t left = now < deadline || deadline < vcpu->entered ? now : deadline;
    vcpu->ran = left - vcpu->entered;
    return now;
}

/* Minimum progress is the guest's own: the rest of this turn, after `now`, does not count. Without that a
 * guest whose M is shorter than a turn would be taken out for its next event before its first instruction,
 * again and again. */
static uint64_t with_progress(const struct vm *vm, uint64_t now, uint64_t due)
{
    return due > now && vtime_is_progress(&vm->time) ? due + (host_now() - now) : due;
}

static enum run_stop loop(struct vcpu *vcpu, uint64_t now, uint64_t until)
{
    struct vm *vm = vcpu->vm;
    enum run_stop stop;

    if (is_short(&vm->time, vm->time.rt_c, now))
        advance(vm, now);
    else
        vtime_advance_without(&vm->time, vcpu->id, now);
    ASSERT(vtime_check(&vm->time) == NULL);
    for (;;) {
        platform_poll(vm);
        if (vm->nvcpus > 1)
            siblings_call(vm, vcpu);
        if (has_to_stop(vcpu, now, until, &stop))
            return stop;
        collect(vcpu, now);
        if (vm->nvcpus > 1)
            siblings_make_way(vcpu);
        const struct vt_outlook *outlook = vtime_outlook(&vm->time);
        if (vm->nvcpus > 1 && siblings_settle(vcpu, outlook))
            continue;
        uint64_t due = outlook->deadline;
        uint64_t earliest = host_deadline(vm, with_progress(vm, now, due));
        if (due <= now) { /* due already: the exit's own doing, or more than one advance delivers */
            now = host_now();
            advance(vm, now);
        } else if (earliest <= now) {
            return RUN_PREEMPTED; /* another VM's moment has come */
        } else {
            choose_tsc(vcpu, outlook);
            uint64_t out = earliest < until ? earliest : until;
            now = enter(vcpu, out, due < out ? due : out);
        }
    }
}

enum run_stop vcpu_run(struct vcpu *vcpu, uint64_t until)
{
    struct vm *vm = vcpu->vm;
    uint64_t now = host_now();
    enum run_stop stop;

    vcpu->entered = 0;
    vcpu->ran = 0;
    vcpu->spins = 0;
    vm->trace = host_trace();
    take_startup(vcpu);
    if (vcpu->state == VCPU_WAIT_SIPI) {
        vtime_vcpu_off(&vm->time, vcpu->id);
        return RUN_HALTED;
    }
    start_time(vm, now);
    vtime_vcpu_run(&vm->time, vcpu->id);
    if (vm->config.keep_lag)
        lag_note(&vm->lag, vm->time.rt_c - vm->time.account.start, vtime_lag(&vm->time));
    if (!vcpu->loaded)
        hv->vcpu_load(vcpu);
    vcpu->loaded = true;
    vcpu->trace = vm->trace;
    vcpu->watched = (uint8_t)((vcpu->watched & WATCH_PRINT) | (vcpu->trace->full ? WATCH_RECORD : 0));
    trace_put(&vcpu->trace->events, vcpu->who, TRACE_RUN, now, 0, until, 0);
    stop = loop(vcpu, now, until);
    trace_put(&vcpu->trace->events, vcpu->who, TRACE_STOP, vm->time.rt_c, stop, 0, 0);
    if (vcpu->state == VCPU_WAIT_SIPI)
        vtime_vcpu_off(&vm->time, vcpu->id);
    else if (stop == RUN_HALTED)
        vtime_vcpu_halt(&vm->time, vcpu->id);
    else if (stop != RUN_PREEMPTED && vm->nvcpus > 1)
        siblings_take_out(vcpu);
    if (vm->nvcpus > 1)
        siblings_take_over(vm, vcpu);
    return stop;
}

void vcpu_put(struct vcpu *vcpu, const struct vcpu *next)
{
    struct vtime *t = &vcpu->vm->time;

    if (vcpu->loaded)
        hv->vcpu_save(vcpu);
    vcpu->loaded = false;
    vm_lock(vcpu->vm);
    if (next && next->vm == vcpu->vm)
        vtime_vcpu_run(t, next->id);
    if (vcpu->vm->state != VM_RUNNING)
        vtime_vcpu_off(t, vcpu->id);
    else if (vcpu->state == VCPU_RUNNABLE)
        vtime_vcpu_stop(t, vcpu->id);
    vm_unlock(vcpu->vm);
}

static uint64_t idle_until(const struct vtime *t)
{
    return t->running == 0 ? vtime_deadline(t) : RT_NEVER;
}

/* Of a VM whose vCPUs all wait: up to the event that may wake one, and no further. From there on that one
 * wants the processor, and if it does not get it at once, it has lost it (DESIGN.md 2.5); had AT run on to
 * `now`, the guest would find its tick long past. True: `now` has been reached. */
static bool advance_idle(struct vm *vm, uint64_t now)
{
    uint64_t due = idle_until(&vm->time);

    advance(vm, due < now ? due : now);
    return due >= now;
}

bool vcpu_poll(struct vcpu *vcpu, uint64_t now)
{
    struct vm *vm = vcpu->vm;
    unsigned int steps = POLL_STEPS;
    bool runnable, there;

    vm_lock(vm);
    vm->trace = host_trace();
    do {
        there = advance_idle(vm, now);
        platform_poll(vm);
        startup_act(vcpu);
        runnable = startup_wake(vcpu);
    } while (!there && !runnable && !must_leave(vm) && --steps > 0);
    if (runnable)
        vtime_vcpu_wake(&vm->time, vcpu->id);
    vm_unlock(vm);
    return runnable || must_leave(vm);
}

uint64_t vm_poll(struct vm *vm, uint64_t now)
{
    uint64_t until;
    unsigned int steps = POLL_STEPS;
    bool there;

    vm_lock(vm);
    do {
        there = advance_idle(vm, now);
        platform_poll(vm);
        siblings_wake(vm);
    } while (!there && vm->time.ready == 0 && !must_leave(vm) && --steps > 0);
    siblings_take_over(vm, NULL);
    until = idle_until(&vm->time);
    vm_unlock(vm);
    return until;
}

bool vm_is_away(const struct vm *vm, uint64_t since, uint64_t now)
{
    return is_away(&vm->time, since, now);
}

uint64_t vm_idle_until(struct vm *vm)
{
    uint64_t until;

    vm_lock(vm);
    until = idle_until(&vm->time);
    vm_unlock(vm);
    return until;
}

void vm_latch(struct vm *vm, uint64_t now)
{
    if (!vm->time.moving)
        vtime_latch(&vm->time, now);
}
