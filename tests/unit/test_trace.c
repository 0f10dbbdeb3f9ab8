/* The records of a VM's time (vmm/trace.c): DESIGN.md section 3 ("trace"), STYLE.md habit 13, and that the
 * ledger's events are all among them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_host.h"
#include "vmm/trace.h"
#include "vmm/vm.h"

static struct vm vm;
static struct vtimer tick, once;
static enum vt_outcome outcome;

static enum vt_outcome on_event(void *self, at_t at)
{
    (void)self;
    (void)at;
    return outcome;
}

/* A VM of figure 7's policy that has the processor from RT 0 on; VM 3 of its machine. */
static int set_up(void **state)
{
    static const struct vtimer_ops ops = {.event = on_event};
    struct vtime_policy policy = vtime_policy_figure7();

    (void)state;
    fake_host_reset();
    memset(&vm, 0, sizeof(vm));
    vm.index = 3;
    strcpy(vm.config.name, "alpha");
    outcome = VT_DELIVERED;
    vtime_init(&vm.time, &policy, 1000000000, 0);
    trace_vm_time(&vm);
    vtime_attach(&vm.time, &tick, "tick", &ops, NULL, 0);
    vtime_attach(&vm.time, &once, "a-name-of-more-than-16", &ops, NULL, 1);
    vtime_vcpu_run(&vm.time, 0);
    return 0;
}

static void set(struct vtimer *timer, at_t first, uint64_t period)
{
    vtime_set(&vm.time, timer,
              &(struct vt_schedule){.first = first, .period_num = period, .period_den = 1, .phase = 0});
}

/* Record n of the events' ring must be this; timer NULL: none. */
static void expect(uint64_t n, enum trace_kind kind, const struct vtimer *timer, uint64_t rt, uint64_t at,
                   uint64_t value, uint32_t arg)
{
    const struct trace_record *r = &fake_host.trace.events.records[n];

    assert_true(n < fake_host.trace.events.next);
    assert_int_equal(r->who & 0xFFu, kind);
    assert_int_equal(r->who >> 8 & 0xFFu, 3);
    assert_int_equal(r->who >> 24, timer ? timer->id : TRACE_NO_TIMER);
    assert_int_equal(r->rt, rt);
    assert_int_equal(r->at, at);
    assert_int_equal(r->value, value);
    assert_int_equal(r->arg, arg);
}

static uint32_t with_mode(enum vt_mode mode, uint32_t rest)
{
    return (uint32_t)mode << TRACE_MODE_SHIFT | rest;
}

static void timers_are_numbered(void **state)
{
    (void)state;
    assert_int_equal(tick.id, 0);
    assert_int_equal(once.id, 1);
}

static void arm_deliver_disarm(void **state)
{
    (void)state;
    expect(0, TRACE_RESUME, NULL, 0, 0, 0, 0);
    set(&tick, 10, 20);
    expect(1, TRACE_ARM, &tick, 0, 10, 20, 0);
    vtime_advance(&vm.time, 13);
    expect(2, TRACE_DELIVER, &tick, 13, 10, 0, with_mode(VT_NORMAL, 3));
    outcome = VT_MERGED;
    vtime_advance(&vm.time, 30);
    expect(3, TRACE_MERGE, &tick, 30, 30, 0, with_mode(VT_NORMAL, 0));
    vtime_clear(&vm.time, &tick);
    expect(4, TRACE_DISARM, &tick, 30, 30, 0, 0);
    vtime_clear(&vm.time, &tick);
    assert_int_equal(fake_host.trace.events.next, 5);
}

/* Figure 7's gap in small: lost at 5, back at 100; the event of 10 is 90 late, and AT runs twice as fast. */
static void lose_resume_catch_up(void **state)
{
    (void)state;
    set(&tick, 10, 20);
    vtime_advance(&vm.time, 5);
    vtime_vcpu_stop(&vm.time, 0);
    expect(2, TRACE_LOSE, NULL, 5, 5, 0, 0);
    vtime_latch(&vm.time, 100);
    vtime_vcpu_run(&vm.time, 0);
    expect(3, TRACE_RESUME, NULL, 100, 5, 0, 0);
    vtime_advance(&vm.time, 100);
    expect(4, TRACE_DELIVER, &tick, 100, 10, 90, with_mode(VT_NORMAL, 0));
    expect(5, TRACE_DECIDE, &tick, 100, 10, 110, with_mode(VT_CATCHUP, 2 * TRACE_RATE_ONE));
    vtime_advance(&vm.time, 110);
    expect(6, TRACE_DELIVER, &tick, 110, 30, 80, with_mode(VT_CATCHUP, 0));
    assert_int_equal(fake_host.trace.events.next, 7); /* the same mode and rate: no second decision */
}

/* The same gap with time=naive: the clock is at once at the present, and each pending tick is late against
 * its own moment. Figure 5C decides nothing. */
static void naive_events_are_late_against_their_own_moment(void **state)
{
    (void)state;
    vm.time.policy.naive = true;
    set(&tick, 10, 20);
    vtime_advance(&vm.time, 5);
    vtime_vcpu_stop(&vm.time, 0);
    vtime_latch(&vm.time, 100);
    vtime_vcpu_run(&vm.time, 0);
    expect(3, TRACE_RESUME, NULL, 100, 100, 0, 0);
    vtime_advance(&vm.time, 100);
    expect(4, TRACE_DELIVER, &tick, 100, 10, 90, with_mode(VT_NORMAL, 0));
    vtime_advance(&vm.time, 102);
    expect(5, TRACE_DELIVER, &tick, 102, 30, 72, with_mode(VT_NORMAL, 0));
    assert_int_equal(fake_host.trace.events.next, 6);
}

/* With missed=skip the late tick itself is dropped, too, and nothing is delivered for it. */
static void skipped_ticks_are_drops(void **state)
{
    (void)state;
    tick.missed = VT_SKIP;
    set(&tick, 10, 20);
    vtime_advance(&vm.time, 5);
    vtime_vcpu_stop(&vm.time, 0);
    vtime_latch(&vm.time, 55);
    vtime_vcpu_run(&vm.time, 0);
    vtime_advance(&vm.time, 55);
    expect(4, TRACE_DROP, &tick, 55, 10, 3, 0); /* of 10, 30, 50 */
}

static void reads_have_a_ring_of_their_own(void **state)
{
    const struct trace_record *r = fake_host.trace.exits.records;

    (void)state;
    vtime_advance(&vm.time, 7);
    (void)vtime_now(&vm.time);
    assert_int_equal(fake_host.trace.exits.next, 0);
    fake_host.trace.full = true;
    assert_int_equal(vtime_now(&vm.time), 7);
    assert_int_equal(fake_host.trace.exits.next, 1);
    assert_int_equal(r->who, TRACE_READ | trace_who(3, 0, TRACE_NO_TIMER));
    assert_int_equal(r->rt, 7);
    assert_int_equal(r->at, 7);
}

static void leap_and_drops(void **state)
{
    (void)state;
    vm.time.policy.leap = 50;
    set(&tick, 10, 20);
    vtime_advance(&vm.time, 5);
    vtime_vcpu_stop(&vm.time, 0);
    vtime_latch(&vm.time, 100);
    vtime_vcpu_run(&vm.time, 0);
    vtime_advance(&vm.time, 100);
    expect(4, TRACE_LEAP, NULL, 100, 100, 95, 0);
    expect(5, TRACE_DELIVER, &tick, 100, 100, 0, with_mode(VT_LEAP, 0));
    expect(6, TRACE_DROP, &tick, 100, 100, 4, 0);
}

static void cancelled_ones_are_counted(void **state)
{
    (void)state;
    set(&tick, 10, 20);
    vtime_advance(&vm.time, 5);
    vtime_vcpu_stop(&vm.time, 0);
    vtime_latch(&vm.time, 60);
    set(&tick, 100, 0);
    expect(3, TRACE_CANCEL, &tick, 60, 5, 3, 0); /* of 10, 30, 50 */
    expect(4, TRACE_ARM, &tick, 60, 100, 0, 0);
}

static void latency_is_capped(void **state)
{
    (void)state;
    set(&once, 10, 0);
    vtime_advance(&vm.time, 10 + (rt_t)TRACE_REST + 1);
    expect(2, TRACE_DELIVER, &once, 10 + (rt_t)TRACE_REST + 1, 10, 0, with_mode(VT_NORMAL, TRACE_REST));
}

static void names_and_ledger(void **state)
{
    const struct trace_record *r = fake_host.trace.events.records;
    uint64_t start;

    (void)state;
    set(&tick, 10, 20);
    vtime_advance(&vm.time, 50);
    start = fake_host.trace.events.next;
    trace_vm_account(&vm);
    assert_int_equal(fake_host.trace.events.next, start + 1 + 2 * 4 + 5);
    assert_memory_equal(&r[start].at, "alpha\0\0\0\0\0\0\0\0\0\0\0", TRACE_NAME_MAX);
    assert_memory_equal(&r[start + 1].at, "tick\0\0\0\0\0\0\0\0\0\0\0\0", TRACE_NAME_MAX);
    assert_memory_equal(&r[start + 5].at, "a-name-of-more-t", TRACE_NAME_MAX);
    expect(start + 2, TRACE_LEDGER, &tick, 50, 3, 3, TRACE_DUE_DELIVERED);
    expect(start + 9, TRACE_LEDGER, NULL, 50, 50, 50, TRACE_ELAPSED_AT);
}

/* Rates that the record's 30 bits cannot hold are shown as the largest. */
static void rates_are_capped(void **state)
{
    (void)state;
    vm.time.policy.c = (struct vt_ratio){UINT64_C(1) << 40, 1};
    set(&tick, 10, 20);
    vtime_advance(&vm.time, 5);
    vtime_vcpu_stop(&vm.time, 0);
    vtime_latch(&vm.time, 100);
    vtime_vcpu_run(&vm.time, 0);
    vtime_advance(&vm.time, 100);
    assert_int_equal(fake_host.trace.events.records[5].arg, with_mode(VT_CATCHUP, TRACE_REST));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timers_are_numbered, set_up),
        cmocka_unit_test_setup(arm_deliver_disarm, set_up),
        cmocka_unit_test_setup(lose_resume_catch_up, set_up),
        cmocka_unit_test_setup(naive_events_are_late_against_their_own_moment, set_up),
        cmocka_unit_test_setup(skipped_ticks_are_drops, set_up),
        cmocka_unit_test_setup(reads_have_a_ring_of_their_own, set_up),
        cmocka_unit_test_setup(leap_and_drops, set_up),
        cmocka_unit_test_setup(cancelled_ones_are_counted, set_up),
        cmocka_unit_test_setup(latency_is_capped, set_up),
        cmocka_unit_test_setup(names_and_ledger, set_up),
        cmocka_unit_test_setup(rates_are_capped, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
