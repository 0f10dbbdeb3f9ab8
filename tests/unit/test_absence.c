/* What keeps a guest from executing though nobody else has its processor: the host's interrupts, and a
 * processor that comes late to a halted guest's tick. DESIGN.md 2.5 (a loss is an incident), 2.6 and [0111]
 * (progress is the guest's own), 2.10 (what is short is latency). The host's clock has 1 GHz. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/fake_hv.h"
#include "tests/unit/support/fake_vm.h"
#include "vmm/bus.h"
#include "vmm/cr.h"
#include "vmm/host.h"
#include "vmm/platform.h"
#include "vmm/run.h"

#define US       1000ull
#define MS       (1000 * US)
#define PATIENCE (50 * US) /* a twenty-thousandth of a second */
#define PROGRESS (50 * US) /* the default of M */
#define FIRST    MS        /* the AT of the first timer's event, */
#define BEHIND   (10 * US) /* and how far the second's is behind it */
#define SLICE    (10 * MS)

static struct vm *vm;
static struct vcpu *vcpu;
static struct fake_vcpu *fake;

/* Two one-shot timers; each requests an interrupt. */
static struct {
    struct vtimer v;
    unsigned int irq;
    unsigned int events;
    uint64_t executed; /* by the guest, before the event */
} timers[2];

static uint64_t executed; /* by the guest, in all */
static uint64_t
    interrupted; /* how long the host's interrupts take at the guest's next entry after an event */

static enum vt_outcome on_event(void *self, at_t at)
{
    unsigned int i = *(unsigned int *)self == timers[1].irq;

    (void)at;
    timers[i].events++;
    timers[i].executed = executed;
    platform_irq_raise(vm, timers[i].irq);
    return VT_DELIVERED;
}

static const struct vtimer_ops timer_ops = {.event = on_event};

static void attach(unsigned int i, unsigned int irq, at_t at)
{
    timers[i].irq = irq;
    timers[i].events = 0;
    vtime_attach(&vm->time, &timers[i].v, "test", &timer_ops, &timers[i].irq, 0);
    timers[i].v.progress = PROGRESS;
    vtime_set(&vm->time, &timers[i].v, &(struct vt_schedule){.first = at, .period_den = 1});
}

/* Executes until its deadline, but for the host's interrupts, which take it out at once after an event. */
static void guest(struct vcpu *v, uint64_t deadline, struct exit_record *exit)
{
    (void)v;
    *exit = (struct exit_record){.kind = EXIT_INTERRUPT, .u.left = fake_host.now};
    if (interrupted != 0 && timers[0].events != 0) {
        fake_host.now += interrupted;
        interrupted = 0;
        return;
    }
    if (deadline > fake_host.now) {
        executed += deadline - fake_host.now;
        fake_host.now = deadline;
    }
    exit->u.left = fake_host.now;
}

static int setup(void **state)
{
    int failed = fake_vm_setup(state);

    vm = *state;
    vcpu = vm->vcpus[0];
    fake = fake_vcpu(vcpu);
    fake_vm_flat32(vm);
    executed = 0;
    interrupted = 0;
    fake->on_run = guest;
    vcpu->regs.rflags |= RFLAGS_IF;
    bus_port_write(&vm->bus, vcpu, 0x21, 1, 0); /* no IRQ is masked */
    assert_int_equal(vcpu_run(vcpu, 1), RUN_PREEMPTED);
    attach(0, 4, FIRST);
    attach(1, 3, FIRST + BEHIND);
    return failed;
}

static int teardown(void **state)
{
    assert_true(vtime_balances(&vm->time));
    return fake_vm_teardown(state);
}

/* What the kernel does before a run (kernel/processor.c). */
static void run_for(uint64_t length)
{
    if (vm_is_away(vm, vm->time.rt_c, fake_host.now))
        vm_latch(vm, fake_host.now);
    assert_int_equal(vcpu_run(vcpu, fake_host.now + length), RUN_PREEMPTED);
}

static void halt(void)
{
    struct exit_record exit = {.kind = EXIT_HLT, .insn_len = 1};

    fake->on_run = NULL;
    fake_hv_push(vcpu, &exit);
    assert_int_equal(vcpu_run(vcpu, SLICE), RUN_HALTED);
    fake->on_run = guest;
}

/* [0111]: the second event waits until the guest has executed M, whatever the host did meanwhile. */
static void short_interrupts_are_no_progress(void **state)
{
    (void)state;
    interrupted = PATIENCE - 1;
    run_for(SLICE);
    assert_int_equal(timers[1].events, 1);
    assert_int_equal(timers[1].executed - timers[0].executed, PROGRESS);
    assert_int_equal(vm->time.losses, 0);
}

static void long_interrupts_are_no_progress(void **state)
{
    (void)state;
    interrupted = 10 * PROGRESS;
    run_for(SLICE);
    assert_int_equal(timers[1].executed - timers[0].executed, PROGRESS);
}

/* 2.5 and 2.10: what is long is lag, what is short is latency. */
static void long_interrupts_are_a_loss(void **state)
{
    (void)state;
    interrupted = 300 * US;
    run_for(FIRST + 320 * US);
    assert_int_equal(vm->time.losses, 1);
    assert_int_equal(vm->time.account.max_lag, 300 * US);
    assert_in_range(vtime_lag(&vm->time), 1, 350 * US);
}

static void short_ones_are_latency(void **state)
{
    (void)state;
    interrupted = PATIENCE;
    run_for(FIRST + 2 * PATIENCE);
    assert_int_equal(vm->time.losses, 0);
    assert_true(vtime_lag(&vm->time) <= (int64_t)(PATIENCE + PROGRESS)); /* the gate's */
}

/* At a rate of C they are C times as long on the guest's clocks. */
static void what_is_long_goes_by_the_guests_clocks(void **state)
{
    struct vtime_policy p = vm->time.policy;

    (void)state;
    p.rate = VT_RATE_FIXED;
    p.c = (struct vt_ratio){32, 1};
    vtime_set_policy(&vm->time, &p);
    assert_false(vm_is_away(vm, 0, PATIENCE));
    assert_true(vm_is_away(vm, 0, PATIENCE + 1));
    assert_false(vm_is_away(vm, PATIENCE + 2, PATIENCE + 1)); /* not yet */
    vcpu_put(vcpu, NULL);
    fake_host.now += 500 * US;
    vtime_latch(&vm->time, fake_host.now);
    vtime_vcpu_run(&vm->time, 0);
    assert_false(vm_is_away(vm, 0, PATIENCE / 32));
    assert_true(vm_is_away(vm, 0, PATIENCE / 32 + 1));
}

/* A halted guest's event comes when the processor has time for it: AT stands meanwhile, so the guest finds
 * its clock at the event, and what has passed is lag. */
static void a_late_wake_up_is_a_loss(void **state)
{
    (void)state;
    halt();
    fake_host.now = FIRST + 16 * MS;
    assert_true(vcpu_poll(vcpu, fake_host.now));
    assert_int_equal(timers[0].events, 1);
    assert_int_equal(timers[1].events, 0);
    assert_int_equal(vtime_peek(&vm->time), FIRST);
    run_for(1);
    assert_in_range(vtime_peek(&vm->time), FIRST, FIRST + BEHIND);
    assert_in_range(vm->time.account.max_lag, 16 * MS, 16 * MS + US);
}

/* A little late is latency, but no progress either. */
static void the_way_to_the_processor_is_no_progress(void **state)
{
    (void)state;
    halt();
    fake_host.now = FIRST + PATIENCE - 1;
    assert_true(vcpu_poll(vcpu, fake_host.now));
    run_for(SLICE);
    assert_true(vm->time.account.max_lag < (int64_t)(2 * PROGRESS)); /* the gate's */
    assert_int_equal(timers[1].events, 1);
    assert_int_equal(timers[1].executed - timers[0].executed, PROGRESS);
}

/* With interrupts off nothing wakes the guest, and its time goes by. */
static void events_that_wake_nobody(void **state)
{
    (void)state;
    vcpu->regs.rflags &= ~RFLAGS_IF;
    halt();
    fake_host.now = FIRST + 16 * MS;
    assert_false(vcpu_poll(vcpu, fake_host.now));
    assert_int_equal(timers[0].events + timers[1].events, 2);
    assert_in_range(vtime_peek(&vm->time), fake_host.now - PROGRESS, fake_host.now); /* a gate's */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(short_interrupts_are_no_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(long_interrupts_are_no_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(long_interrupts_are_a_loss, setup, teardown),
        cmocka_unit_test_setup_teardown(short_ones_are_latency, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_long_goes_by_the_guests_clocks, setup, teardown),
        cmocka_unit_test_setup_teardown(a_late_wake_up_is_a_loss, setup, teardown),
        cmocka_unit_test_setup_teardown(the_way_to_the_processor_is_no_progress, setup, teardown),
        cmocka_unit_test_setup_teardown(events_that_wake_nobody, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
