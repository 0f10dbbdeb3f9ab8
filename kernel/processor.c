/* One physical processor's round; see processor.h. */
#include "kernel/processor.h"

#include "arch/x86/cpu.h"
#include "arch/x86/apic.h"
#include "arch/x86/percpu.h"
#include "kernel/accounts.h"
#include "kernel/console.h"
#include "kernel/host.h"
#include "kernel/inject.h"
#include "kernel/monitor.h"
#include "kernel/panic.h"
#include "kernel/processor_internal.h"
#include "kernel/smp.h"
#include "kernel/spread.h"
#include "kernel/trace.h"
#include "timers/monitor.h"
#include "timers/muldiv.h"
#include "vmm/host.h"
#include "vmm/run.h"
#include "vmm/trace.h"

#define NS_PER_SECOND       1000000000u
#define LOOKS_PER_SECOND    100u /* at the console, while nothing asks for one: it sends 115 bytes meanwhile */
#define STEPS_PER_SECOND    1000u  /* at most, of clearing memory, while a VM can run */
#define ABSENCES_PER_SECOND 20000u /* each of them is as long as minimum progress is by default */

static struct processor processors[MAX_CPUS];
static unsigned int alive; /* VMs that have not ended, on all processors */

struct processor *processor_of(unsigned int id)
{
    return &processors[id];
}

/* What belongs to no VM, in a full trace. */
static void trace(enum trace_kind kind, rt_t value)
{
    if (trace_is_full)
        trace_put(&host_trace()->events, trace_who(TRACE_NO_VM, 0, TRACE_NO_TIMER), kind, host_now(), 0,
                  value, 0);
}

static void arm(void *ctx, rt_t deadline)
{
    (void)ctx;
    trace(TRACE_ALARM, deadline);
    apic_timer_arm(inject_alarm(deadline));
}

/* In the timer's interrupt, which comes where nothing else is under way: in a guest's exit or in HLT. Nothing
 * is armed before the loop has acted on what is due. */
static void timer_fired(void)
{
    trace(TRACE_FIRE, 0);
    coordinator_fired(&this_processor()->deadlines);
}

/* With the console's lock: in its interrupt, or where a guest begins a line. */
static void input_came(void)
{
    processor_kick(0);
}

void processor_init(const struct global_config *global)
{
    static const struct coordinator_alarm_ops alarm = {.arm = arm};
    struct processor *p = &processors[this_cpu()->id];

    this_cpu()->processor = p;
    p->id = this_cpu()->id;
    sched_init(&p->sched, vt_mul_div(global->slice_ns, host_hz(), NS_PER_SECOND), global->boost);
    coordinator_init(&p->deadlines, &alarm, p);
    coordinator_poll(&p->deadlines, vt_mul_div(global->poll_ns, host_hz(), NS_PER_SECOND));
    p->each = global->monitor_each;
    p->patience = host_hz() / ABSENCES_PER_SECOND;
    deadline_init(&p->console, NULL);
    if (p->id != 0) {
        apic_timer_enable();
        return;
    }
    apic_timer_init(true, timer_fired);
    console_on_input(input_came);
}

uint64_t host_deadline(struct vm *vm, uint64_t rt)
{
    struct processor *p = this_processor();
    rt_t next;

    if (p->each)
        monitor_each(&p->deadlines, &vm->deadline, &vm->time, rt);
    next = coordinator_arm(&p->deadlines, rt < p->slice_end ? rt : p->slice_end);
    return p->attention || p->resched ? 0 : next; /* 0: past, so that the run stops for a look */
}

/* The deadline of a VM that does not run: of a halted one the RT_N that wakes it; RT_NEVER: none. */
static void wake_at(struct processor *p, struct vm *vm, rt_t rt)
{
    coordinator_set(&p->deadlines, &vm->deadline, rt);
    if (p->each)
        monitor_each(&p->deadlines, &vm->deadline, &vm->time, rt);
}

static struct guest *guest_of(struct vcpu *vcpu)
{
    return guests_get(vcpu->vm->index);
}

void host_kick(struct vcpu *vcpu)
{
    struct processor *p = this_processor();
    struct guest *g = guest_of(vcpu);

    if (!g->paused && sched_wake(&p->sched, &g->entities[vcpu->id]))
        p->resched = true;
}

void host_yield(struct vcpu *vcpu, struct vcpu *to)
{
    struct processor *p = this_processor();
    const struct guest *g = guest_of(vcpu);
    const struct vm *vm = vcpu->vm;

    for (unsigned int i = 1; !to && i < vm->nvcpus; i++) {
        unsigned int id = (vcpu->id + i) % vm->nvcpus;

        if (g->entities[id].state == SCHED_READY)
            to = vm->vcpus[id];
    }
    p->yield_to = to;
    p->resched = p->resched || to;
}

/* A halted VM's deadline has come, or input for it: what is due is delivered, and whoever can run is made
 * runnable. For a VM that waits for the processor, or has it, there is nothing to do: it looks for itself. */
static void poll_vm(struct processor *p, struct vm *vm, rt_t now)
{
    bool halted = true;

    if (guests_get(vm->index)->paused)
        return;
    for (unsigned int i = 0; i < vm->nvcpus; i++) {
        struct vcpu *vcpu = vm->vcpus[i];
        struct sched_entity *e = &guest_of(vcpu)->entities[i];

        if (e->state == SCHED_BLOCKED && vcpu_poll(vcpu, now))
            sched_wake(&p->sched, e);
        halted = halted && e->state == SCHED_BLOCKED;
    }
    wake_at(p, vm, halted ? vtime_deadline(&vm->time) : RT_NEVER);
}

/* Its transmitter was held back because the ring was full, and it halted for it; or there is console input
 * for a guest that waits for it (the others' ports ask for it themselves, vmm/uart.h). */
static void serve_port(struct processor *p, struct guest *g, rt_t now)
{
    struct uart *uart = &g->vm.platform.uart;

    if (uart->held && console_vm_ready(g->vm.index))
        poll_vm(p, &g->vm, now);
    if (console_vm_input(g->vm.index) && uart_feed(uart))
        poll_vm(p, &g->vm, now);
}

/* A VM at home on another processor: that one serves its port, when it is told to. Input is told of once,
 * when it comes: what the port has no room for it asks for when it has. */
static void have_port_served(const struct guest *g, bool input)
{
    unsigned int home = g->home;

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
        if (g->home == p->id)
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

/* Everything whose moment has come, but for the end of the slice, which the caller sees from the clock.
 * Returns RT after it. */
static rt_t act_on_deadlines(struct processor *p, rt_t now)
{
    struct deadline *d;

    while ((d = coordinator_due(&p->deadlines, now)) != NULL) {
        if (d == &p->console)
            p->next_look = 0;
        else if (d->owner)
            poll_vm(p, d->owner, now);
    }
    if (now < p->next_look && !p->attention)
        return now;
    look(p, now);
    return look_at_clock(p);
}

/* A monitor's command can take milliseconds, and several can come before the guest goes on. AT that ran on
 * along its line meanwhile, in catch-up at up to 32 times their length, would be a hole in the guest's time:
 * so the vCPU loses the processor to it as to any other, from the end of its last run. */
static void note_absence(struct processor *p, rt_t now)
{
    if (p->loaded && now > p->left && now - p->left > p->patience) {
        put_loaded(p, NULL);
        p->absent = true;
    }
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
    trace(TRACE_IDLE, 0);
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
    if (scrub(p))
        interrupt_window();
    else
        halt(p);
    sched_idle(&p->sched);
    p->left = host_now();
}

static bool restart(struct vm *vm, const char *who)
{
    if (!vm_restart(vm)) {
        return false;
    }
    host_log("vm %s: reset by the %s: starts again from its images", vm->config.name, who);
    return true;
}

/* The share of each VM grows as others end, so less catching up is needed (DESIGN.md 2.8: the default is 4
 * times the runnable VMs of the processor). */
void processor_set_rates(const struct processor *p)
{
    for (unsigned int i = 0; i < guests_count(); i++) {
        const struct guest *g = guests_get(i);

        if (g->home == p->id && g->vm.state == VM_RUNNING && g->vm.config.time.maxrate == 0)
            guests_get(i)->vm.time.policy.maxrate = (struct vt_ratio){4 * (uint64_t)p->vms, 1};
    }
}

/* Whoever looks on is told at once; the verdict's lines come when all have ended. */
static void say_end(const struct vm *vm, unsigned int left)
{
    char words[GUESTS_END_WORDS];

    if (left > 0 && vm->end != VM_END_KILLED)
        host_log("vm %s has ended (%s); %u go%s on", vm->config.name, guests_end_words(words, vm), left,
                 left == 1 ? "es" : "");
}

/* The boot processor waits for the last one. */
static void end(struct processor *p, struct vm *vm)
{
    unsigned int left;

    for (unsigned int i = 0; i < vm->nvcpus; i++)
        sched_remove(&p->sched, &guests_get(vm->index)->entities[i]);
    wake_at(p, vm, RT_NEVER);
    trace_end(vm);
    console_vm_end(vm->index);
    (void)console_view(); /* its terminal closes before more is said */
    accounts_print(vm);
    vm_destroy(vm);
    p->next_scrub = 0;
    p->vms--;
    processor_set_rates(p);
    left = __atomic_sub_fetch(&alive, 1, __ATOMIC_ACQ_REL);
    say_end(vm, left);
    if (left == 0)
        processor_kick(0);
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

static void run_one(struct processor *p, struct sched_entity *e, rt_t now)
{
    struct vcpu *vcpu = e->owner;
    struct vm *vm = vcpu->vm;
    bool sibling = p->loaded && p->loaded->vm == vm; /* nobody else had the processor since its VM */
    enum run_stop stop;

    if (p->loaded != vcpu) {
        put_loaded(p, vcpu);
        p->switches++;
    }
    p->loaded = vcpu;
    p->resched = false;
    p->yield_to = NULL;
    if (p->absent || (e->waited && !sibling))
        vtime_latch(&vm->time, now);
    p->absent = false;
    p->slice_end = now + e->budget;
    stop = vcpu_run(vcpu, p->slice_end);
    if (stop == RUN_RESET && restart(vm, "guest"))
        stop = RUN_PREEMPTED;
    sched_ran(&p->sched, charge(p, e, host_now() - now), stop != RUN_PREEMPTED);
    if (p->yield_to)
        sched_swap(&p->sched, e, &guest_of(p->yield_to)->entities[p->yield_to->id]);
    if (vm->state != VM_RUNNING) {
        put_loaded(p, NULL);
        end(p, vm);
    } else if (stop == RUN_HALTED || p->each) {
        wake_at(p, vm, stop == RUN_HALTED ? vtime_deadline(&vm->time) : RT_NEVER);
    }
}

static void start_all(struct processor *p)
{
    for (unsigned int i = 0; i < guests_count(); i++) {
        struct guest *g = guests_get(i);

        if (g->vm.state != VM_RUNNING || g->home != p->id) {
            continue;
        }
        deadline_init(&g->vm.deadline, &g->vm);
        if (p->deadlines.poll != 0) /* nobody would take the guest out before its TSC passes an event */
            g->vm.config.time.strict = true;
        console_vm_start(i, g->vm.config.name);
        for (unsigned int k = 0; k < g->vm.nvcpus; k++) {
            sched_add(&p->sched, &g->entities[k], g->vm.vcpus[k]);
            if (g->vm.vcpus[k]->state == VCPU_RUNNABLE) {
                sched_wake(&p->sched, &g->entities[k]);
            }
        }
    }
}

void processor_start(void)
{
    alive = guests_alive();
    spread_start(processors_in_use);
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
    processor_set_rates(p);
    p->left = host_now();
    while (p->id != 0 || __atomic_load_n(&alive, __ATOMIC_ACQUIRE) > 0) {
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
        if (spread_idle)
            spread_share(p);
        e = sched_pick(&p->sched);
        if (e) {
            run_one(p, e, now);
        } else {
            idle(p);
        }
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

/* Takes all of a VM's vCPUs from the processor; its time is at RT `now` then. */
static void take_off(struct processor *p, struct vm *vm, rt_t now)
{
    if (p->loaded && p->loaded->vm == vm)
        put_loaded(p, NULL);
    for (unsigned int i = 0; i < vm->nvcpus; i++)
        sched_remove(&p->sched, &guests_get(vm->index)->entities[i]);
    vtime_advance(&vm->time, now);
    wake_at(p, vm, RT_NEVER);
}

void processor_pause(struct vm *vm)
{
    take_off(this_processor(), vm, host_now());
    guests_get(vm->index)->paused = true;
    if (vm->started) /* else its time stands until its first entry */
        vtime_pause(&vm->time);
}

void processor_resume(struct vm *vm, enum pause_meaning meaning)
{
    rt_t now = host_now();

    guests_get(vm->index)->paused = false;
    if (vm->started) {
        vtime_latch(&vm->time, now);
        if (meaning == PAUSE_LEAP)
            vtime_leap_at_resumption(&vm->time);
        if (meaning == PAUSE_FREEZE)
            vtime_unpause(&vm->time);
        else
            vtime_unpause_late(&vm->time);
    }
    poll_vm(this_processor(), vm, now);
}

void processor_reset(struct vm *vm)
{
    struct processor *p = this_processor();
    rt_t now = host_now();

    take_off(p, vm, now);
    if (restart(vm, "operator"))
        poll_vm(p, vm, now);
    else
        end(p, vm);
}

void processor_kill(struct vm *vm)
{
    struct processor *p = this_processor();

    take_off(p, vm, host_now());
    vm_end_killed(vm);
    end(p, vm);
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
