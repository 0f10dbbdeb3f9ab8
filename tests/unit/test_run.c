/* The run loop: DESIGN.md section 3 (the way of the data), 2.5, 2.6 and 2.9. The PIT, the PIC and the time
 * coordinator are the real ones; the guest is a script, and a host clock of 1 GHz moves only when the script
 * says so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/bus.h"
#include "vmm/cr.h"
#include "vmm/host.h"
#include "vmm/run.h"

#define MS          1000000ull
#define PIT_COUNT   11932u
#define TICK        10000150ull /* 11932 periods of 14318180/12 Hz, rounded down to ns */
#define PIT_CLOCKS  1700ull     /* a new count is loaded with the PIT's next clock */
#define PIT_VECTOR  8
#define UART_VECTOR 12

static struct vm *vm;
static struct vcpu *vcpu;
static struct fake_vcpu *fake;

static int setup(void **state)
{
    int failed = fake_vm_setup(state);
    vm = *state;
    vcpu = vm->vcpus[0];
    fake = fake_vcpu(vcpu);
    fake_vm_flat32(vm);
    return failed;
}

static int teardown(void **state)
{
    /* Whatever a test did, every tick is accounted for (DESIGN.md 2.12). */
    assert_true(vtime_balances(&vm->time));
    return fake_vm_teardown(state);
}

static void out(uint16_t port, uint8_t value)
{
    bus_port_write(&vm->bus, vcpu, port, 1, value);
}

/* A 100 Hz tick at IRQ 0, unmasked; interrupts on. Call with the VM's time running. */
static void start_pit(void)
{
    out(0x21, 0xfe);
    out(0x43, 0x34);
    out(0x40, PIT_COUNT & 0xff);
    out(0x40, PIT_COUNT >> 8);
    vcpu->regs.rflags |= RFLAGS_IF;
}

static void push(enum exit_kind kind)
{
    struct exit_record exit = {.kind = kind, .insn_len = 1};
    fake_hv_push(vcpu, &exit);
}

/* One turn of the loop that only programs the PIT, so that time is running when it does. */
static void program_pit(struct vcpu *v, uint64_t deadline, struct exit_record *exit)
{
    (void)v;
    (void)deadline;
    (void)exit;
    start_pit();
    fake->on_run = NULL;
}

static void run_with_pit(uint64_t until, enum run_stop stop)
{
    fake->on_run = program_pit;
    assert_int_equal(vcpu_run(vcpu, until), stop);
}

static bool in_service(void)
{
    out(0x20, 0x0b); /* OCW3: read ISR */
    return bus_port_read(&vm->bus, vcpu, 0x20, 1) & 1;
}

static void until_the_end_of_the_slice(void **state)
{
    (void)state;
    fake_host.now = 5 * MS;
    assert_int_equal(vcpu_run(vcpu, 15 * MS), RUN_PREEMPTED);
    assert_int_equal(fake->entries, 1);
    assert_int_equal(fake->last_deadline, 15 * MS);
    assert_int_equal(fake_host.now, 15 * MS);
    assert_int_equal(fake->loads, 1);
    assert_int_equal(fake->saves, 0);
    assert_int_equal(vcpu->exits[EXIT_DEADLINE], 1);
    /* The VM's time began with its first entry. */
    assert_int_equal(vtime_peek(&vm->time), 10 * MS);
    /* It keeps the processor until another takes it. */
    assert_int_equal(vm->time.cpu[0].state, VT_CPU_RUNNING);
    vcpu_put(vcpu, NULL);
    assert_int_equal(fake->saves, 1);
    assert_int_equal(vm->time.cpu[0].state, VT_CPU_READY);
    assert_int_equal(vcpu_run(vcpu, 15 * MS), RUN_PREEMPTED); /* nothing left: no entry */
    assert_int_equal(fake->entries, 1);
}

/* An entry and an exit are no descheduling: apparent time goes on at slope one. */
static void exits_cost_no_time(void **state)
{
    struct vt_ledger ledger;

    (void)state;
    for (unsigned int i = 0; i < 20; i++)
        push(EXIT_PAUSE);
    assert_int_equal(vcpu_run(vcpu, 7 * MS), RUN_PREEMPTED);
    assert_int_equal(fake->entries, 21);
    assert_int_equal(vcpu->exits[EXIT_PAUSE], 20);
    vtime_ledger(&vm->time, &ledger);
    assert_int_equal(ledger.at, 7 * MS);
    assert_int_equal(ledger.max_lag, 0);
    assert_int_equal(vm->time.losses, 0); /* nor is the end of a slice that nobody else wants */
    assert_int_equal(vcpu_run(vcpu, 9 * MS), RUN_PREEMPTED);
    assert_int_equal(fake->loads, 1);
    vtime_ledger(&vm->time, &ledger);
    assert_int_equal(ledger.at, 9 * MS);
    assert_int_equal(ledger.max_lag, 0);
}

static bool tsc_ran_free;

static void look_at_tsc(struct vcpu *v, uint64_t deadline, struct exit_record *exit)
{
    (void)exit;
    tsc_ran_free = v->free_tsc.free;
    fake_host.now = deadline;
}

/* DESIGN.md 2.10: RDTSC needs no exit while AT runs parallel to RT; behind (catch-up at another slope) it
 * does, and so it does always with time=strict. */
static void p0110_time_fast_and_strict(void **state)
{
    (void)state;
    fake->on_run = look_at_tsc;
    assert_int_equal(vcpu_run(vcpu, 5 * MS), RUN_PREEMPTED);
    assert_true(tsc_ran_free);
    assert_int_equal(vcpu->free_tsc.line.offset + fake_host.now, vtime_peek(&vm->time));
    vcpu_put(vcpu, NULL);
    fake_host.now = 15 * MS;
    vtime_latch(&vm->time, fake_host.now);
    assert_int_equal(vcpu_run(vcpu, 16 * MS), RUN_PREEMPTED);
    assert_false(tsc_ran_free);
    vm->config.time.strict = true;
    assert_int_equal(vcpu_run(vcpu, 400 * MS), RUN_PREEMPTED);
    assert_int_equal(vtime_lag(&vm->time), 0);
    assert_false(tsc_ran_free);
}

/* ... and at the catch-up rate too where the processor scales a TSC: what RDTSC would show is AT. */
static void p0110_time_fast_at_a_slope(void **state)
{
    (void)state;
    vtime_set_scaling(&vm->time, (struct vt_scaling){48, 1 << 16});
    run_with_pit(5 * MS, RUN_PREEMPTED);
    vcpu_put(vcpu, NULL);
    fake_host.now = 8 * MS; /* the next tick is not overdue yet */
    vtime_latch(&vm->time, fake_host.now);
    fake->on_run = look_at_tsc;
    assert_int_equal(vcpu_run(vcpu, 9 * MS), RUN_PREEMPTED);
    assert_true(tsc_ran_free && !fake->tsc_exiting);
    assert_true(fake->tsc.ratio > 1ull << 48);
    assert_int_equal(fake->tsc.ratio, vcpu->free_tsc.line.ratio);
    assert_int_equal(fake->tsc.offset, vcpu->free_tsc.line.offset + vcpu->tsc.offset);
    assert_int_equal(vcpu->exits[EXIT_RDTSC], 0);
    vm->config.time.strict = true;
    assert_int_equal(vcpu_run(vcpu, 10 * MS), RUN_PREEMPTED);
    assert_true(fake->tsc_exiting);
}

static uint64_t entry_times[64], entry_deadlines[64];

static void tick_guest(struct vcpu *v, uint64_t deadline, struct exit_record *exit)
{
    entry_times[fake->entries - 1] = fake_host.now;
    entry_deadlines[fake->entries - 1] = deadline;
    if (fake->entries == 1)
        start_pit();
    else
        out(0x20, 0x20); /* EOI */
    (void)v;
    if (fake->entries > 1)
        fake_host.now = deadline;
    exit->kind = EXIT_INTERRUPT;
}

/* Ticks come out of the guest at their real time, and are injected at the very next entry. */
static void ticks_are_injected_when_due(void **state)
{
    (void)state;
    fake->on_run = tick_guest;
    assert_int_equal(vcpu_run(vcpu, 100 * MS), RUN_PREEMPTED);
    assert_int_equal(fake->nirqs, 9);
    for (unsigned int k = 1; k <= 9; k++) {
        assert_int_equal(fake->irqs[k - 1], PIT_VECTOR);
        assert_in_range(entry_times[k + 1], k * TICK, k * TICK + k + PIT_CLOCKS);
        assert_int_equal(entry_times[k + 1], entry_deadlines[k]);
    }
    assert_int_equal(entry_deadlines[10], 100 * MS);
}

static void taken_at_once_is_acknowledged_at_once(void **state)
{
    (void)state;
    run_with_pit(TICK + 5 * MS, RUN_PREEMPTED);
    assert_int_equal(fake->nirqs, 1);
    assert_true(in_service());
    assert_false(vcpu->irq_window);
}

static unsigned int executed_nothing;

/* A guest that takes its tick, ends it, and executes until its deadline; none is left if that is past. */
static void short_of_time(struct vcpu *v, uint64_t deadline, struct exit_record *exit)
{
    (void)v;
    *exit = (struct exit_record){.kind = EXIT_DEADLINE};
    out(0x20, 0x20);
    executed_nothing += fake_host.now >= deadline;
    if (fake_host.now < deadline)
        fake_host.now = deadline;
}

/* [0111]: what the host takes is not the guest's progress. Each of its turns lasts twice M here, and the VM
 * has a backlog of ticks. */
static void the_hosts_own_turn_is_no_progress(void **state)
{
    (void)state;
    run_with_pit(5 * MS, RUN_PREEMPTED);
    vcpu_put(vcpu, NULL);
    fake_host.now += 400 * MS;
    vtime_latch(&vm->time, fake_host.now);
    struct vtime_policy p = vm->time.policy;
    p.progress = MS / 100;
    p.maxrate = (struct vt_ratio){1000000, 1};
    p.tau = 1;
    vtime_set_policy(&vm->time, &p);
    fake->inject_takes = 2 * p.progress;
    fake->on_run = short_of_time;
    assert_int_equal(vcpu_run(vcpu, fake_host.now + 100 * MS), RUN_PREEMPTED);
    assert_true(fake->nirqs >= 40); /* the ticks of 400 ms */
    assert_int_equal(executed_nothing, 0);
}

/* IF clear: a window is asked for; when the guest opens it the interrupt goes in, and the window is taken
 * back. */
static void a_window_while_interrupts_are_off(void **state)
{
    (void)state;
    run_with_pit(5 * MS, RUN_PREEMPTED);
    vcpu->regs.rflags &= ~RFLAGS_IF;
    assert_int_equal(vcpu_run(vcpu, TICK + 5 * MS), RUN_PREEMPTED);
    assert_int_equal(fake->nirqs, 0);
    assert_true(fake->window);
    assert_false(in_service());
    vcpu->regs.rflags |= RFLAGS_IF;
    push(EXIT_IRQ_WINDOW);
    assert_int_equal(vcpu_run(vcpu, TICK + 6 * MS), RUN_PREEMPTED);
    assert_int_equal(fake->nirqs, 1);
    assert_false(fake->window);
    assert_true(in_service());
}

/* A second interrupt behind one that is on its way: its window is asked for at the same entry. */
static void a_second_one_waits_behind_the_first(void **state)
{
    (void)state;
    run_with_pit(5 * MS, RUN_PREEMPTED);
    out(0x21, 0xee); /* IRQ 0 and 4 */
    platform_irq_raise(vm, IRQ_UART);
    platform_irq_raise(vm, 0);
    assert_int_equal(vcpu_run(vcpu, 6 * MS), RUN_PREEMPTED);
    assert_int_equal(fake->irqs[0], PIT_VECTOR);
    assert_int_equal(fake->nirqs, 1); /* IRQ 4 is below the one in service */
    out(0x20, 0x20);
    assert_int_equal(vcpu_run(vcpu, 7 * MS), RUN_PREEMPTED);
    assert_int_equal(fake->irqs[1], UART_VECTOR);
}

static void halted_until_the_next_tick(void **state)
{
    uint64_t rip = 0x8000;

    (void)state;
    run_with_pit(MS, RUN_PREEMPTED);
    push(EXIT_HLT);
    assert_int_equal(vcpu_run(vcpu, 100 * MS), RUN_HALTED);
    assert_int_equal(vcpu->state, VCPU_HALTED);
    assert_int_equal(vcpu->regs.rip, rip + 1);
    assert_int_equal(vm->time.cpu[0].state, VT_CPU_HALTED);
    /* While all are halted apparent time runs on. */
    uint64_t wake = vtime_deadline(&vm->time);
    assert_in_range(wake, TICK, TICK + PIT_CLOCKS);
    assert_false(vcpu_poll(vcpu, wake - 1));
    fake_host.now = wake;
    assert_true(vcpu_poll(vcpu, wake));
    assert_int_equal(vcpu->state, VCPU_RUNNABLE);
    assert_int_equal(vm->time.cpu[0].state, VT_CPU_READY);
    assert_true(vcpu_poll(vcpu, wake)); /* it is runnable already */
    assert_int_equal(vcpu_run(vcpu, wake + MS), RUN_PREEMPTED);
    assert_int_equal(fake->irqs[0], PIT_VECTOR);
}

/* HLT with an interrupt that is pending already does not stop anything. */
static void a_halt_that_ends_at_once(void **state)
{
    (void)state;
    run_with_pit(MS, RUN_PREEMPTED);
    platform_irq_raise(vm, 0);
    push(EXIT_HLT);
    fake->not_ready = true; /* the STI shadow: not injected before HLT */
    assert_int_equal(vcpu_run(vcpu, 2 * MS), RUN_PREEMPTED);
    assert_int_equal(vcpu->state, VCPU_RUNNABLE);
    assert_int_equal(vcpu->exits[EXIT_HLT], 1);
}

/* Two that came while the vCPU had no processor are two for the backend, which knows how many it can keep. */
static void each_nmi_is_handed_on(void **state)
{
    (void)state;
    assert_true(vcpu_raise_nmi(vcpu) && vcpu_raise_nmi(vcpu));
    assert_false(vcpu_raise_nmi(vcpu));
    assert_true(vcpu->lapic.news);
    assert_int_equal(vcpu_run(vcpu, MS), RUN_PREEMPTED);
    assert_int_equal(fake->nmis, 2);
    assert_int_equal(vcpu->nmis_pending, 0);
}

static void halted_with_interrupts_off(void **state)
{
    (void)state;
    run_with_pit(MS, RUN_PREEMPTED);
    vcpu->regs.rflags &= ~RFLAGS_IF;
    push(EXIT_HLT);
    assert_int_equal(vcpu_run(vcpu, 100 * MS), RUN_HALTED);
    fake_host.now = 3 * TICK;
    assert_false(vcpu_poll(vcpu, fake_host.now));
    vcpu->nmis_pending = 1;
    assert_true(vcpu_poll(vcpu, fake_host.now));
    assert_int_equal(vcpu_run(vcpu, fake_host.now + 1), RUN_PREEMPTED);
    assert_int_equal(fake->nmis, 1);
    assert_int_equal(vcpu->nmis_pending, 0);
}

/* 2.5 and 2.6: after a gap the overdue tick is delivered at once. Its acknowledgement, made before the
 * deadline is asked for, lets the next one come on time; a guest that does not take it is given a period of
 * its own. Returns the ticks that were delivered by 21 ms of real time. */
static uint64_t ticks_after_a_gap(bool takes_it)
{
    struct vt_ticks ticks;

    run_with_pit(5 * MS, RUN_PREEMPTED);
    vcpu_put(vcpu, NULL);
    fake_host.now = 15 * MS;
    vtime_latch(&vm->time, fake_host.now);
    fake->not_ready = !takes_it;
    assert_int_equal(vcpu_run(vcpu, 21 * MS), RUN_PREEMPTED);
    vtime_ticks(&vm->time, vm->time.queue.head, &ticks);
    assert_int_equal(ticks.due, 2);
    return ticks.delivered;
}

static void the_gate_opens_with_the_acknowledgement(void **state)
{
    void *handle;

    assert_int_equal(ticks_after_a_gap(true), 2);
    assert_int_equal(fake->nirqs, 1); /* the second waits in the PIC: no EOI yet */
    handle = vm;
    assert_int_equal(teardown(&handle), 0);
    assert_int_equal(setup(state), 0);
    assert_int_equal(ticks_after_a_gap(false), 1);
    assert_in_range(fake_host.deadline, 15 * MS + TICK, 15 * MS + TICK + PIT_CLOCKS);
}

static void ends_and_resets(void **state)
{
    struct exit_record exit_port = {.kind = EXIT_IO, .insn_len = 1, .u.io = {.port = 0xf4, .size = 1}},
                       reset_port = {.kind = EXIT_IO, .insn_len = 1, .u.io = {.port = 0xcf9, .size = 1}};

    (void)state;
    vcpu->regs.gpr[GPR_RAX] = 6;
    fake_hv_push(vcpu, &reset_port);
    assert_int_equal(vcpu_run(vcpu, MS), RUN_RESET);
    assert_true(vcpu_poll(vcpu, fake_host.now)); /* its caller has something to do */
    assert_true(vm_restart(vm));
    vcpu->regs.gpr[GPR_RAX] = 0;
    fake_hv_push(vcpu, &exit_port);
    assert_int_equal(vcpu_run(vcpu, MS), RUN_ENDED);
    assert_int_equal(fake->entries, 2);
    vcpu_put(vcpu, NULL);
    assert_int_equal(vm->time.cpu[0].state, VT_CPU_OFF);
    assert_int_equal(vcpu_run(vcpu, 2 * MS), RUN_ENDED); /* never entered again */
    assert_int_equal(fake->entries, 2);
}

/* 2.9: the earliest deadline of the processor takes the guest out, whoever it belongs to. */
static void another_vms_deadline(void **state)
{
    (void)state;
    fake_host.earliest = 3 * MS;
    assert_int_equal(vcpu_run(vcpu, 10 * MS), RUN_PREEMPTED);
    assert_int_equal(fake->last_deadline, 3 * MS);
    assert_int_equal(fake_host.now, 3 * MS);
    assert_ptr_equal(fake_host.deadline_vm, vm);
}

static void processors_that_wait_for_sipi(void **state)
{
    (void)state;
    vcpu->state = VCPU_WAIT_SIPI;
    assert_int_equal(vcpu_run(vcpu, MS), RUN_HALTED);
    assert_false(vcpu_poll(vcpu, MS));
    assert_int_equal(fake->entries, 0);
    vcpu->state = VCPU_RUNNABLE;
}

static void exits_can_be_traced(void **state)
{
    (void)state;
    vcpu->watched = WATCH_PRINT;
    push(EXIT_CPUID);
    vcpu_run(vcpu, MS);
    assert_non_null(strstr(fake_host.log, "vm test: vcpu 0: exit cpuid"));
}

/* Random exits, jumps of the host's clock, preemptions and halts: invariants (checked inside, ESC_DEBUG) and
 * ledger hold. */
static uint64_t seed;

static uint64_t next_random(void)
{
    seed = seed * 6364136223846793005ull + 1442695040888963407ull;
    return seed >> 20;
}

static void random_guest(struct vcpu *v, uint64_t deadline, struct exit_record *exit)
{
    static const enum exit_kind kinds[] = {EXIT_PAUSE, EXIT_HLT, EXIT_CPUID,     EXIT_RDTSC,
                                           EXIT_IO,    EXIT_IO,  EXIT_INTERRUPT, EXIT_IRQ_WINDOW};
    static const uint16_t ports[] = {0x20, 0x21, 0x40, 0x43, 0x61, 0x70, 0x71, 0xa0, 0xa1, 0x3f9, 0x608};

    *exit = (struct exit_record){.kind = kinds[next_random() % 8], .insn_len = 1};
    exit->u.io.port = ports[next_random() % 11];
    exit->u.io.size = 1;
    exit->u.io.in = next_random() % 2;
    v->regs.gpr[GPR_RAX] = next_random();
    v->regs.rflags ^= next_random() % 4 ? 0 : RFLAGS_IF;
    fake_host.now += next_random() % (deadline > fake_host.now + 1 ? deadline - fake_host.now + 3000 : 2);
    fake->nirqs = 0;
}

static void random_life(void **state)
{
    at_t last = 0;

    (void)state;
    seed = 17;
    fake->on_run = random_guest;
    for (unsigned int i = 0; i < 3000; i++) {
        enum run_stop stop = vcpu_run(vcpu, fake_host.now + next_random() % (3 * MS));
        assert_int_equal(vm->state, VM_RUNNING);
        fake_host.now += next_random() % (5 * MS);
        if (stop == RUN_HALTED && !vcpu_poll(vcpu, fake_host.now))
            vcpu->nmis_pending = 1;
        vcpu_poll(vcpu, fake_host.now);
        assert_true(vtime_peek(&vm->time) >= last);
        last = vtime_peek(&vm->time);
        assert_true(vtime_balances(&vm->time));
    }
    assert_true(fake->entries > 3000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(until_the_end_of_the_slice),
        TEST(exits_cost_no_time),
        TEST(p0110_time_fast_and_strict),
        TEST(p0110_time_fast_at_a_slope),
        TEST(ticks_are_injected_when_due),
        TEST(taken_at_once_is_acknowledged_at_once),
        TEST(the_hosts_own_turn_is_no_progress),
        TEST(a_window_while_interrupts_are_off),
        TEST(a_second_one_waits_behind_the_first),
        TEST(halted_until_the_next_tick),
        TEST(a_halt_that_ends_at_once),
        TEST(each_nmi_is_handed_on),
        TEST(halted_with_interrupts_off),
        TEST(the_gate_opens_with_the_acknowledgement),
        TEST(ends_and_resets),
        TEST(another_vms_deadline),
        TEST(processors_that_wait_for_sipi),
        TEST(exits_can_be_traced),
        TEST(random_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
