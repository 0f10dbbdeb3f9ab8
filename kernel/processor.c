/* One physical processor's round; see processor.h. */
#include "kernel/processor.h"

#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "kernel/alarm.h"
#include "kernel/console.h"
#include "kernel/gather.h"
#include "kernel/host.h"
#include "kernel/inject.h"
#include "kernel/monitor.h"
#include "kernel/panic.h"
#include "kernel/processor_internal.h"
#include "kernel/restart.h"
#include "kernel/smp.h"
#include "kernel/spread.h"
#include "kernel/trace.h"
#include "kernel/turns.h"
#include "timers/monitor.h"
#include "timers/muldiv.h"
#include "vmm/host.h"
#include "vmm/run.h"

#define NS_PER_SECOND     1000000000u
#define LOOKS_PER_SECOND  100u  /* at the console, while nothing asks for one: it sends 115 bytes meanwhile */
#define STEPS_PER_SECOND  1000u /* at most, of clearing memory, while a VM can run */
#define INPUTS_PER_SECOND 2000u /* at most: looks that input asks for */

static struct processor processors[MAX_CPUS];

struct processor *processor_of(unsigned int id)
{
    return &processors[id];
}

/* In the console's interrupt, which comes where the timer's does, or where a guest's line wants to be
 * flushed. A flood of input must not keep the guests from running: between two looks at it they have the
 * processor for half a millisecond, in which 115200 baud bring six bytes. */
static void input_came(void)
{
    struct processor *p = this_processor();
    rt_t soonest = p->looked_at_console + host_hz() / INPUTS_PER_SECOND;

    if (p->id != 0 || host_now() >= soonest)
        processor_kick(0);
    else if (!deadline_waits(&p->console) || p->console.at > soonest)
        coordinator_set(&p->deadlines, &p->console, soonest);
}

void processor_init(const struct global_config *global)
{
    struct processor *p = &processors[this_cpu()->id];

    this_cpu()->processor = p;
    p->id = this_cpu()->id;
    sched_init(&p->sched, vt_mul_div(global->slice_ns, host_hz(), NS_PER_SECOND), global->boost);
    alarm_init(p, vt_mul_div(global->poll_ns, host_hz(), NS_PER_SECOND));
    p->each = global->monitor_each;
    deadline_init(&p->console, NULL);
    if (p->id == 0)
        console_on_input(input_came);
}

uint64_t host_deadline(struct vm *vm, uint64_t rt)
{
    struct processor *p = this_processor();
    rt_t next;

    if (p->each)
        monitor_each(&p->deadlines, &guests_get(vm->index)->seats[0].wake, &vm->time, rt);
    next = coordinator_arm(&p->deadlines, rt < p->slice_end ? rt : p->slice_end);
    alarm_mind_turn(p);
    return p->attention || p->resched ? 0 : next; /* 0: past, so that the run stops for a look */
}

static struct guest *guest_of(const struct vcpu *vcpu)
{
    return guests_get(vcpu->vm->index);
}

/* A VM has one deadline for each processor where vCPUs of it have seats: that of the first of these. */
static struct seat *first_seat(const struct processor *p, struct guest *g)
{
    unsigned int i = 0;

    while (i + 1 < g->vm.nvcpus && g->seats[i].processor != p->id)
        i++;
    return &g->seats[i];
}

void processor_wake_at(struct processor *p, struct vm *vm, rt_t rt)
{
    struct deadline *wake = &first_seat(p, guests_get(vm->index))->wake;

    coordinator_set(&p->deadlines, wake, rt);
    if (p->each)
        monitor_each(&p->deadlines, wake, &vm->time, rt);
}

/* With its VM's lock, or alone. One in the guest leaves it for the interrupt, and looks; what another
 * processor's scheduler knows of the others only that one can say. */
void host_kick(struct vcpu *vcpu)
{
    struct processor *p = this_processor();
    struct seat *seat = &guest_of(vcpu)->seats[vcpu->id];

    if (seat->processor == p->id) {
        gather_wake(p, seat);
    } else if (__atomic_load_n(&vcpu->in_guest, __ATOMIC_ACQUIRE)) {
        processor_interrupt(seat->processor);
    } else {
        gather_call(seat);
    }
}

static bool waits_here(const struct processor *p, const struct guest *g, unsigned int id)
{
    return g->seats[id].processor == p->id && g->entities[id].state == SCHED_READY;
}

/* A sibling that is kept from running on another processor. Its queue is that one's, and has changed by the
 * time that this is looked at: then a slice is given up, or spun away, for nothing. */
static bool waits_elsewhere(const struct processor *p, const struct guest *g)
{
    for (unsigned int i = 0; i < g->vm.nvcpus; i++) {
        if (g->seats[i].processor != p->id &&
            __atomic_load_n(&g->entities[i].state, __ATOMIC_RELAXED) == SCHED_READY)
            return true;
    }
    return false;
}

void host_yield(struct vcpu *vcpu, struct vcpu *to)
{
    struct processor *p = this_processor();
    const struct guest *g = guest_of(vcpu);
    const struct vm *vm = vcpu->vm;

    if (to && !waits_here(p, g, to->id))
        return;
    for (unsigned int i = 1; !to && i < vm->nvcpus; i++) {
        unsigned int id = (vcpu->id + i) % vm->nvcpus;

        if (waits_here(p, g, id))
            to = vm->vcpus[id];
    }
    p->yield_to = to;
    p->gives_up = !to && p->sched.head && waits_elsewhere(p, g);
    p->resched = p->resched || to || p->gives_up;
}

/* Delivers what is due; returns when there is more, RT_NEVER: whoever runs will see. */
static rt_t deliver_due(struct processor *p, struct guest *g, rt_t now)
{
    struct sched_entity *e = &g->entities[0];

    if (g->vm.nvcpus > 1)
        return vm_poll(&g->vm, now);
    if (e->state == SCHED_BLOCKED && vcpu_poll(g->vm.vcpus[0], now))
        sched_wake(&p->sched, e);
    return e->state == SCHED_BLOCKED ? vtime_deadline(&g->vm.time) : RT_NEVER;
}

/* For a VM that waits for the processor, or has it, there is nothing to do: it looks for itself. */
void processor_poll(struct processor *p, struct vm *vm, rt_t now)
{
    struct guest *g = guests_get(vm->index);
    rt_t began = host_now(), next;

    if (g->paused || vm->clearing || vm->state != VM_RUNNING)
        return;
    next = deliver_due(p, g, now);
    if (next != RT_NEVER) /* it sleeps on: nobody's slice pays for this */
        next = upkeep_next(&first_seat(p, g)->upkeep, began, host_now(), host_hz() / UPKEEP_CREDITS, next);
    processor_wake_at(p, vm, next);
}

/* Its transmitter was held back because the ring was full, and it halted for it; or there is console input
 * for a guest that waits for it (the others' ports ask for it themselves, vmm/uart.h). */
static void serve_port(struct processor *p, struct guest *g, rt_t now)
{
    struct uart *uart = &g->vm.platform.uart;
    bool news;

    vm_lock(&g->vm);
    news = uart->held && console_vm_ready(g->vm.index);
    news = (console_vm_input(g->vm.index) && uart_feed(uart)) || news;
    vm_unlock(&g->vm);
    if (news)
        processor_poll(p, &g->vm, now);
}

/* A VM at home on another processor: that one serves its port, when it is told to. Input is told of once,
 * when it comes: what the port has no room for it asks for when it has. */
static void have_port_served(const struct guest *g, bool input)
{
    unsigned int home = guest_home(g);

    if (home != HOME_NONE && ((g->vm.platform.uart.held && console_vm_ready(g->vm.index)) ||
                              (input && console_vm_input(g->vm.index))))
        processor_kick(home);
}

static void serve_ports(struct processor *p, rt_t now, bool input)
{
    for (unsigned int i = 0; i < guests_count(); i++) {
        struct guest *g = guests_get(i);

        if (g->vm.state != VM_RUNNING)
            continue;
        if (guest_home(g) == p->id)
            serve_port(p, g, now);
        else if (p->id == 0)
            have_port_served(g, input);
    }
}

/* The boot processor's: the console's lines, and the operator. */
static void look_at_console(struct processor *p, rt_t now)
{
    rt_t lines, watch;

    console_poll();
    monitor_service(now);
    p->looked_at_console = host_now();
    lines = console_deadline();
    watch = monitor_deadline();
    coordinator_set(&p->deadlines, &p->console, lines < watch ? lines : watch);
}

/* What others want, and the console: they need a look now and then, not at each of a thousand switches or
 * wake-ups a second. Input, a request, and a line that waits too long, bring one at once. */
static void look(struct processor *p, rt_t now)
{
    bool attention = p->attention;

    p->attention = false;
    inbox_serve(&p->inbox);
    if (p->rated != __atomic_load_n(&p->vms, __ATOMIC_RELAXED))
        spread_set_rates(p);
    if (p->id == 0)
        look_at_console(p, now);
    serve_ports(p, now, attention);
    p->next_look = now + host_hz() / LOOKS_PER_SECOND;
}

/* next: who runs here now, NULL: nobody yet. */
static void put_loaded(struct processor *p, const struct vcpu *next)
{
    if (p->loaded)
        vcpu_put(p->loaded, next);
    p->loaded = NULL;
}

/* RT for the loop. It never steps back (DESIGN.md 2): guests' clocks and deadlines would be worth nothing. */
static rt_t look_at_clock(struct processor *p)
{
    rt_t now = host_now();

    if (now < p->looked)
        panic("the TSC has gone back from %llu to %llu: this machine's time cannot be trusted",
              (unsigned long long)p->looked, (unsigned long long)now);
    p->looked = now;
    return now;
}

/* A monitor's command can take milliseconds, and hundreds can come one after the other. AT that ran on along
 * its line meanwhile, in catch-up at up to 32 times their length, would be a hole in the guest's time, with
 * its ticks in it: the vCPU loses the processor to them as to any other, from the end of its last run. */
static void drop_loaded(struct processor *p)
{
    p->dropped = p->loaded;
    put_loaded(p, NULL);
}

static void note_absence(struct processor *p, rt_t now)
{
    bool away = false;

    if (p->loaded) {
        vm_lock(p->loaded->vm);
        away = vm_is_away(p->loaded->vm, p->left, now);
        vm_unlock(p->loaded->vm);
    }
    if (away)
        drop_loaded(p);
}

/* Everything whose moment has come, but for the end of the slice, which the caller sees from the clock.
 * Returns RT after it. */
static rt_t act_on_deadlines(struct processor *p, rt_t now)
{
    struct deadline *d;

    while ((d = coordinator_due(&p->deadlines, now)) != NULL) {
        if (d == &p->console)
            p->next_look = 0;
        else if (d->owner)
            processor_poll(p, d->owner, now);
    }
    if (now < p->next_look && !p->attention)
        return now;
    if (p->attention && p->loaded)
        drop_loaded(p);
    look(p, now);
    return look_at_clock(p);
}

/* A little of what ended VMs have left behind. False: all is clear. */
static bool scrub(struct processor *p)
{
    bool more = host_scrub();

    p->next_scrub = more ? host_now() + host_hz() / STEPS_PER_SECOND : RT_NEVER;
    return more;
}

/* Nobody can run: the processor halts until an interrupt (the coordinator's deadline, the console). HLT is
 * C1, in which the LAPIC timer runs on whatever CPUID says of deeper states (SDM vol. 3, 11.5.4: ARAT), and
 * no other is used. */
static void halt(struct processor *p)
{
    trace_host(TRACE_IDLE, 0);
    if (processors_in_use > 1)
        spread_idles(p);
    coordinator_arm(&p->deadlines, RT_NEVER);
    wait_for_interrupt();
    if (processors_in_use > 1)
        spread_wakes(p);
    p->next_look = 0; /* it may have been the console's: the last one before a guest that waits for it */
}

/* Before it halts it clears what there is to clear. */
static void idle(struct processor *p)
{
    if (scrub(p)) {
        alarm_mind_turn(p);
        interrupt_window();
    } else {
        halt(p);
    }
    sched_idle(&p->sched);
    p->left = host_now();
}

void processor_unload(struct processor *p)
{
    put_loaded(p, NULL);
}

/* What a run of `elapsed` costs. Switches are accounted for apart (sched_switched()): charged to the one that
 * a wake-up interrupts, they would take its share away. At the end of the slice nothing is left. */
static uint64_t charge(struct processor *p, const struct sched_entity *e, uint64_t elapsed)
{
    const struct vcpu *vcpu = e->owner;

    if (vcpu->entered != 0) {
        sched_switched(&p->sched, vcpu->entered - p->left);
        p->left = vcpu->entered + vcpu->ran;
    }
    return elapsed >= e->budget ? e->budget : vcpu->ran;
}

/* It belongs to a VM that is being reset. */
static bool is_cleared(const struct sched_entity *e)
{
    const struct vcpu *vcpu = e->owner;

    return vcpu->vm->clearing;
}

static void clear_one(struct processor *p, struct sched_entity *e, rt_t now)
{
    put_loaded(p, NULL);
    p->resched = false;
    p->slice_end = now + e->budget;
    if (restart_run(p, e, now))
        gather_cleared(p, guest_of(e->owner));
}

/* Does a sibling have its seat here, too, or anybody wait here? Who spins may be waiting for that sibling, or
 * for one that is kept from running elsewhere, and has somebody to give its slice to then. */
static bool is_shared(const struct processor *p, const struct guest *g, unsigned int id)
{
    if (p->sched.head)
        return true;
    for (unsigned int i = 0; i < g->vm.nvcpus; i++) {
        if (i != id && g->seats[i].processor == p->id)
            return true;
    }
    return false;
}

static void change_to(struct processor *p, struct vcpu *vcpu)
{
    const struct guest *g = guest_of(vcpu);

    put_loaded(p, vcpu);
    p->switches++;
    if (g->vm.nvcpus > 1)
        hv->watch_spins(vcpu, is_shared(p, g, vcpu->id));
    p->loaded = vcpu;
}

/* It is in the middle of something that siblings wait for, perhaps: a kernel has its interrupts off where it
 * holds what an interrupt's handler wants, too, and not for long. Taken out there, it would keep those that
 * spin for it waiting until its next slice. */
static bool is_at_a_bad_moment(const struct processor *p, const struct vcpu *vcpu)
{
    return vcpu->vm->nvcpus > 1 && p->sched.head && !(vcpu->regs.rflags & RFLAGS_IF);
}

static void requeue(struct processor *p, struct sched_entity *e, enum run_stop stop, uint64_t elapsed)
{
    uint64_t cost = charge(p, e, elapsed);
    bool gives = p->yield_to || p->gives_up;

    if (stop == RUN_PREEMPTED && cost >= e->budget && !gives && is_at_a_bad_moment(p, e->owner))
        (void)sched_lend(&p->sched);
    sched_ran(&p->sched, cost, stop != RUN_PREEMPTED);
    if (p->yield_to)
        sched_swap(&p->sched, e, &guest_of(p->yield_to)->entities[p->yield_to->id]);
    else if (p->gives_up)
        sched_give_up(&p->sched, e);
}

/* It has something to run again. Returns RT at which it may. */
static rt_t end_idling(struct processor *p)
{
    __atomic_store_n(&p->idle_since, 0, __ATOMIC_RELAXED);
    turns_wake(p);
    p->left = host_now();
    return p->left;
}

static void run_one(struct processor *p, struct sched_entity *e, rt_t now)
{
    struct vcpu *vcpu = e->owner;
    struct vm *vm = vcpu->vm;
    bool sibling = p->loaded && p->loaded->vm == vm; /* nobody else had the processor since its VM */
    enum run_stop stop;

    if (p->idle_since != 0)
        now = end_idling(p);
    if (p->loaded != vcpu)
        change_to(p, vcpu);
    p->resched = false;
    p->yield_to = NULL;
    p->gives_up = false;
    vm_lock(vm);
    if (vm->nvcpus > 1)
        now = host_now(); /* what it has waited for the lock is not of its slice */
    if ((e->waited && !sibling) || vcpu == p->dropped || vm_is_away(vm, vm->time.rt_c, now))
        vm_latch(vm, now);
    if (vcpu == p->dropped)
        p->dropped = NULL;
    p->slice_end = now + e->budget;
    stop = vcpu_run(vcpu, p->slice_end);
    vm_unlock(vm);
    requeue(p, e, stop, host_now() - now);
    if (stop == RUN_ENDED || stop == RUN_RESET)
        gather(p, guest_of(vcpu), NULL);
    else if (stop == RUN_HALTED || p->each)
        processor_wake_at(p, vm, stop == RUN_HALTED ? vm_idle_until(vm) : RT_NEVER);
}

static void start_all(struct processor *p)
{
    for (unsigned int i = 0; i < guests_count(); i++) {
        struct guest *g = guests_get(i);

        if (g->vm.state != VM_RUNNING)
            continue;
        if (guest_home(g) == p->id) {
            if (p->deadlines.poll != 0) /* nobody would take the guest out before its TSC passes an event */
                g->vm.config.time.strict = true;
            console_vm_start(i, g->vm.config.name);
        }
        gather_start(p, g);
    }
}

void processor_start(void)
{
    gather_count(guests_alive());
    spread_start(processors_in_use, this_processor()->each);
    turns_start();
    processors_go();
}

uint64_t processor_progress(void)
{
    const struct processor *p = this_processor();

    return p->turns + (p->loaded ? p->loaded->exits[EXIT_NMI] : 0);
}

void processor_run(void)
{
    struct processor *p = this_processor();

    start_all(p);
    spread_set_rates(p);
    p->left = host_now();
    p->next_level = p->left + p->sched.slice; /* the others begin meanwhile */
    while (p->id != 0 || gather_alive() > 0) {
        rt_t now = look_at_clock(p);
        struct sched_entity *e;

        p->turns++;
        inject_turn(now);
        now = act_on_deadlines(p, now);
        if (now >= p->next_scrub && p->sched.runnable > 0) { /* idle() has all the time */
            (void)scrub(p);
            now = look_at_clock(p);
        }
        note_absence(p, now);
        if (processors_in_use > 1)
            spread_share(p, now);
        e = sched_pick(&p->sched);
        if (!e)
            idle(p);
        else if (is_cleared(e))
            clear_one(p, e, now);
        else
            run_one(p, e, now);
    }
}

void processor_linger(void)
{
    struct processor *p = this_processor();

    p->next_look = 0;
    for (;;) {
        act_on_deadlines(p, look_at_clock(p));
        if (monitor_has_quit())
            return;
        idle(p);
    }
}

/* ---- the operator's wishes ---- */

void processor_pause(struct vm *vm)
{
    guests_get(vm->index)->paused = true;
    if (vm->started) /* else its time stands until its first entry */
        vtime_pause(&vm->time);
}

void processor_resume(struct vm *vm, enum pause_meaning meaning)
{
    guests_get(vm->index)->paused = false;
    if (!vm->started)
        return;
    vtime_latch(&vm->time, host_now());
    if (meaning == PAUSE_LEAP)
        vtime_leap_at_resumption(&vm->time);
    if (meaning == PAUSE_FREEZE)
        vtime_unpause(&vm->time);
    else
        vtime_unpause_late(&vm->time);
}

void processor_reset(struct vm *vm)
{
    restart_begin(guests_get(vm->index), "operator");
}

void processor_kill(struct vm *vm)
{
    vm_end_killed(vm);
}

struct processor_deadlines processor_deadlines(unsigned int id)
{
    const struct processor *p = processor_of(id);

    return (struct processor_deadlines){
        .slice_end = p->slice_end,
        .console = deadline_waits(&p->console) ? p->console.at : RT_NEVER,
        .armed = p->deadlines.armed,
        .arms = p->deadlines.arms,
    };
}
