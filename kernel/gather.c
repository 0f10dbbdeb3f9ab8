#include "kernel/gather.h"

#include "kernel/accounts.h"
#include "kernel/console.h"
#include "kernel/processor_internal.h"
#include "kernel/restart.h"
#include "kernel/smp.h"
#include "kernel/spread.h"
#include "kernel/trace.h"
#include "vmm/host.h"
#include "vmm/run.h"

static unsigned int alive; /* atomic */

void gather_count(unsigned int vms)
{
    alive = vms;
}

unsigned int gather_alive(void)
{
    return __atomic_load_n(&alive, __ATOMIC_ACQUIRE);
}

/* ---- the VM at home, all for itself ---- */

/* Whoever looks on is told at once; the verdict's lines come when all have ended. */
static void say_end(const struct vm *vm, unsigned int left)
{
    char words[GUESTS_END_WORDS];

    if (left > 0 && vm->end != VM_END_KILLED)
        host_log("vm %s has ended (%s); %u go%s on", vm->config.name, guests_end_words(words, vm), left,
                 left == 1 ? "es" : "");
}

/* Each processor on which it had a vCPU once: its VMs' share grows. */
static void forget(struct guest *g)
{
    uint64_t told = 0;

    for (unsigned int i = 0; i < VM_MAX_VCPUS; i++) {
        struct processor *q = processor_of(g->seats[i].processor);

        if (i < g->vm.config.cpus && !(told >> q->id & 1))
            __atomic_fetch_sub(&q->vms, 1, __ATOMIC_RELAXED);
        told |= 1ull << q->id;
    }
}

/* The boot processor waits for the last one. */
static void end(struct processor *p, struct guest *g)
{
    struct vm *vm = &g->vm;
    unsigned int left;

    trace_end(vm);
    console_vm_end(vm->index);
    (void)console_view(); /* its terminal closes before more is said */
    accounts_print(vm);
    vm_destroy(vm);
    p->next_scrub = 0;
    forget(g);
    spread_set_rates(p);
    left = __atomic_sub_fetch(&alive, 1, __ATOMIC_ACQ_REL);
    say_end(vm, left);
    if (left == 0)
        processor_kick(0);
}

/* What the guest, or a wish, has left to be done. */
static void settle(struct processor *p, struct guest *g)
{
    struct vm *vm = &g->vm;

    if (vm->state == VM_RUNNING && vm->reset_requested)
        restart_begin(g, "guest");
    if (vm->state != VM_RUNNING && !g->ended) {
        g->ended = true;
        end(p, g);
    }
}

/* ---- seats ---- */

static unsigned int id_of(const struct seat *seat)
{
    return (unsigned int)(seat - seat->guest->seats);
}

/* INIT and SIPI can come while it is on its way, and the call that tells of them may find nobody here. */
static bool has_to_run(const struct vcpu *vcpu)
{
    const struct lapic *l = &vcpu->lapic;

    return vcpu->state == VCPU_RUNNABLE || l->init_pending || l->sipi_pending;
}

/* On the processor of the seat. It sits there before anything is looked at that others say of it: they say
 * it first, and then look whether it sits. */
static void come(struct processor *p, struct guest *g, unsigned int id)
{
    struct seat *seat = &g->seats[id];

    if (seat->moved) {
        seat->moved = false;
        p->arrivals++;
        sched_move(&p->sched, &g->entities[id]);
    }
    (void)__atomic_exchange_n(&seat->in, true, __ATOMIC_SEQ_CST);
    if (has_to_run(g->vm.vcpus[id]))
        sched_wake(&p->sched, &g->entities[id]);
}

static void come_to_seat(struct request *r);

static void scatter(struct processor *p, struct guest *g)
{
    unsigned int n = g->vm.nvcpus;

    __atomic_store_n(&g->in, n, __ATOMIC_RELEASE);
    for (unsigned int i = 0; i < n; i++) {
        struct seat *seat = &g->seats[i];

        if (seat->processor == p->id) {
            come(p, g, i);
            continue;
        }
        hv->vcpu_unload(g->vm.vcpus[i]);
        seat->come.carry_out = come_to_seat;
        processor_send(seat->processor, &seat->come);
    }
    processor_poll(p, &g->vm, host_now());
}

/* Nobody needs it for himself any more. */
static void go_on(struct processor *p, struct guest *g)
{
    __atomic_store_n(&g->gathering, false, __ATOMIC_RELEASE);
    if (g->vm.state != VM_RUNNING || g->paused)
        return;
    if (g->vm.clearing)
        sched_wake(&p->sched, &g->entities[0]);
    else
        scatter(p, g);
}

/* On the processor where it is at home from now on. */
static void have_a_home(struct request *r)
{
    struct guest *g = request_of(r, struct guest, move);
    struct processor *p = this_processor();

    __atomic_store_n(&g->seats[0].processor, p->id, __ATOMIC_RELEASE);
    g->vm.trace = host_trace();
    spread_set_rates(p);
    go_on(p, g);
}

/* The wish has taken its home away; nobody else touches it on its way. */
static void hand_over(struct guest *g)
{
    for (unsigned int i = 0; i < g->vm.nvcpus; i++)
        hv->vcpu_unload(g->vm.vcpus[i]);
    g->move.carry_out = have_a_home;
    processor_send(g->bound_for, &g->move);
}

/* What is due is delivered, and wakes whom it is for: a vCPU that stayed halted, while a monitor's command
 * takes milliseconds, would be taken for done with it, and have the next tick beside it. */
static void bring_up_to_date(struct guest *g, rt_t now)
{
    if (g->vm.clearing)
        vtime_advance(&g->vm.time, now);
    else if (g->vm.nvcpus > 1)
        (void)vm_poll(&g->vm, now);
    else
        (void)vcpu_poll(g->vm.vcpus[0], now);
}

/* The last has left: at home. */
static void have(struct processor *p, struct guest *g)
{
    struct wish *wish = g->wish;

    sched_remove(&p->sched, &g->entities[0]); /* there still if it was being cleared */
    g->vm.trace = host_trace();
    if (wish && g->vm.state == VM_RUNNING)
        bring_up_to_date(g, host_now());
    settle(p, g);
    if (wish) {
        wish->fn(g, wish->arg);
        settle(p, g);
    }
    if (guest_home(g) == HOME_NONE)
        hand_over(g);
    else
        go_on(p, g);
    if (wish)
        __atomic_store_n(&wish->done, true, __ATOMIC_RELEASE);
}

/* A wish that is on its way here, from another processor, takes it as it is: still to be started again. */
void gather_cleared(struct processor *p, struct guest *g)
{
    if (__atomic_exchange_n(&g->gathering, true, __ATOMIC_ACQ_REL))
        return;
    sched_remove(&p->sched, &g->entities[0]);
    g->vm.clearing = false;
    g->vm.trace = host_trace();
    vtime_advance(&g->vm.time, host_now());
    (void)vm_restart(&g->vm); /* else it has ended */
    settle(p, g);
    go_on(p, g);
}

static void have_it(struct request *r)
{
    have(this_processor(), request_of(r, struct guest, move));
}

static void one_less(struct processor *p, struct guest *g)
{
    if (__atomic_sub_fetch(&g->in, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    if (guest_home(g) == p->id) {
        have(p, g);
        return;
    }
    g->move.carry_out = have_it;
    processor_send(guest_home(g), &g->move);
}

void gather_leave(struct processor *p, struct guest *g, unsigned int id)
{
    struct vcpu *vcpu = g->vm.vcpus[id];

    if (p->loaded == vcpu)
        processor_unload(p);
    sched_remove(&p->sched, &g->entities[id]);
    processor_wake_at(p, &g->vm, RT_NEVER);
    __atomic_store_n(&g->seats[id].in, false, __ATOMIC_RELEASE);
}

/* From its seat here. */
static void leave(struct processor *p, struct guest *g, unsigned int id)
{
    if (!seat_is_taken(&g->seats[id]))
        return;
    gather_leave(p, g, id);
    if (guest_home(g) != p->id)
        hv->vcpu_unload(g->vm.vcpus[id]);
    one_less(p, g);
}

/* The next gathering may have begun meanwhile, and its request to leave may have been before this one: then
 * this is the moment to leave. */
static void come_to_seat(struct request *r)
{
    struct seat *seat = request_of(r, struct seat, come);
    struct processor *p = this_processor();
    struct guest *g = seat->guest;
    unsigned int id = id_of(seat);

    come(p, g, id);
    if (__atomic_load_n(&g->gathering, __ATOMIC_SEQ_CST))
        leave(p, g, id);
}

/* It may be an old one, whose vCPU had left before it came: that gathering is over then, or this serves the
 * next, unless the vCPU has not come back yet (come_to_seat()). The seat is still here: it is given away only
 * by the processor where its vCPU sits, which has come after this request. */
static void leave_seat(struct request *r)
{
    struct seat *seat = request_of(r, struct seat, leave);
    struct guest *g = seat->guest;

    (void)__atomic_exchange_n(&seat->asked, false, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&g->gathering, __ATOMIC_SEQ_CST))
        leave(this_processor(), g, id_of(seat));
}

static void ask_others(const struct processor *p, struct guest *g)
{
    for (unsigned int i = 0; i < g->vm.nvcpus; i++) {
        struct seat *seat = &g->seats[i];

        if (seat_is_on(seat, p->id) || __atomic_exchange_n(&seat->asked, true, __ATOMIC_SEQ_CST))
            continue;
        seat->leave.carry_out = leave_seat;
        processor_send(seat->processor, &seat->leave);
    }
}

/* ---- calls ---- */

void gather_wake(struct processor *p, struct seat *seat)
{
    if (seat_is_taken(seat) && sched_wake(&p->sched, &seat->guest->entities[id_of(seat)]))
        p->resched = true;
}

/* One that is on its way finds out for itself (come()); it may have left from here. */
static void called(struct request *r)
{
    struct seat *seat = request_of(r, struct seat, call);
    struct processor *p = this_processor();

    (void)__atomic_exchange_n(&seat->called, false, __ATOMIC_SEQ_CST);
    if (!seat_is_taken(seat))
        return;
    if (seat_is_on(seat, p->id))
        gather_wake(p, seat);
    else
        gather_call(seat);
}

/* One whose home is nowhere just now finds out for itself, too: what there is to find is written before this,
 * and it has a seat again after it. */
void gather_call(struct seat *seat)
{
    unsigned int to;

    if (__atomic_exchange_n(&seat->called, true, __ATOMIC_SEQ_CST))
        return;
    to = __atomic_load_n(&seat->processor, __ATOMIC_ACQUIRE);
    if (to == HOME_NONE) {
        (void)__atomic_exchange_n(&seat->called, false, __ATOMIC_SEQ_CST);
        return;
    }
    seat->call.carry_out = called;
    processor_send(to, &seat->call);
}

/* ---- */

bool gather(struct processor *p, struct guest *g, struct wish *wish)
{
    bool first = !__atomic_exchange_n(&g->gathering, true, __ATOMIC_SEQ_CST);
    unsigned int n = g->vm.nvcpus;

    if (first) {
        g->wish = wish;
        __atomic_fetch_add(&g->in, 1, __ATOMIC_ACQ_REL); /* until all have been asked */
        ask_others(p, g);
    }
    for (unsigned int i = 0; i < n; i++) {
        if (g->seats[i].processor == p->id)
            leave(p, g, i);
    }
    if (first)
        one_less(p, g);
    return first;
}

void gather_start(struct processor *p, struct guest *g)
{
    for (unsigned int i = 0; i < g->vm.nvcpus; i++) {
        if (g->seats[i].processor != p->id)
            continue;
        deadline_init(&g->seats[i].wake, &g->vm);
        sched_add(&p->sched, &g->entities[i], g->vm.vcpus[i]);
        come(p, g, i);
    }
}
