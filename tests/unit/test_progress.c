/* Minimum progress and acknowledgement (DESIGN.md 2.6, 2.11): nobody is rushed, and nobody freezes. */
#include "tests/unit/support/time_rig.h"

static struct time_rig r;

static void start(uint64_t progress)
{
    struct vtime_policy p = vtime_policy_figure7();

    p.progress = progress;
    p.round = 10000;
    time_rig_init(&r, &p, 0);
}

/* ---- minimum progress ---- */

static void test_progress_is_executed_time(void **state)
{
    (void)state;
    start(50);
    once(&r, 0, 100);
    once(&r, 1, 110);
    resume_at(&r, 0);
    stop_at(&r, 120); /* event 0 at 100, then 20 executed */
    assert_int_equal(r.events, 1);
    resume_at(&r, 1000);
    assert_int_equal(vtime_deadline(&r.time), 1030); /* overdue, but 30 are left */
    stop_at(&r, 1010);
    resume_at(&r, 2000); /* computed anew */
    assert_int_equal(vtime_deadline(&r.time), 2020);
    run_to(&r, 2100);
    expect_event(&r, 1, 2020, 110, 1, VT_NORMAL);
}

/* What a vCPU had the processor for without executing is none of it; AT goes on, with the line to the gate.
 */
static void test_what_was_not_executed_is_no_progress(void **state)
{
    (void)state;
    start(50);
    once(&r, 0, 100);
    once(&r, 1, 110);
    resume_at(&r, 0);
    run_to(&r, 90);
    vtime_advance_without(&r.time, 0, 95); /* no gate is closed */
    run_to(&r, 120);                       /* event 0 at 100; 20 executed */
    vtime_advance_without(&r.time, 0, 140);
    assert_int_equal(r.events, 1);
    assert_int_equal(vtime_deadline(&r.time), 170);
    assert_in_range(vtime_peek(&r.time), 104, 110); /* as far as it was, and no step back */
    vtime_advance_without(&r.time, 0, 130);         /* nothing has passed */
    run_to(&r, 200);
    expect_event(&r, 1, 170, 110, 1, VT_NORMAL);
    assert_int_equal(r.time.cpu[0].executed + r.time.rt_c - r.time.cpu[0].since, 175);
}

static void test_the_first_event_waits_for_nothing(void **state)
{
    (void)state;
    start(50);
    once(&r, 0, 10);
    resume_at(&r, 0);
    run_to(&r, 10);
    assert_int_equal(r.events, 1);
}

static void test_the_longest_of_one_instant_counts(void **state)
{
    (void)state;
    start(10);
    r.timer[0].v.progress = 40;
    once(&r, 0, 100);
    once(&r, 1, 100);
    once(&r, 2, 105);
    resume_at(&r, 0);
    run_to(&r, 100);
    assert_int_equal(vtime_deadline(&r.time), 140);
}

/* On every vCPU alike. */
static void test_the_longest_counts_on_another_vcpu(void **state)
{
    (void)state;
    start(10);
    r.timer[0].v.progress = 40;
    for (size_t i = 0; i < 3; i++) {
        r.timer[i].v.vcpu = 1;
    }
    once(&r, 0, 100);
    once(&r, 1, 100);
    once(&r, 2, 105);
    vtime_vcpu_run(&r.time, 1);
    resume_at(&r, 0);
    run_to(&r, 100);
    assert_int_equal(vtime_deadline(&r.time), 140);
}

/* A gate that a halt has done away with leaves nothing to the next one. */
static void test_a_shorter_one_after_a_halt(void **state)
{
    (void)state;
    start(10);
    r.timer[0].v.progress = 1000;
    once(&r, 0, 100);
    once(&r, 1, 200);
    once(&r, 2, 205);
    resume_at(&r, 0);
    run_to(&r, 110);
    vtime_vcpu_halt(&r.time, 0);
    run_to(&r, 120);
    vtime_vcpu_wake(&r.time, 0);
    vtime_vcpu_run(&r.time, 0);
    run_to(&r, 200);
    assert_int_equal(r.events, 2);
    assert_int_equal(vtime_deadline(&r.time), 210);
}

/* A vCPU that has executed just M when it loses its processor, while its VM goes on, is waited for no more.
 */
static void test_progress_made_to_the_unit(void **state)
{
    (void)state;
    start(50);
    r.timer[0].v.vcpu = r.timer[1].v.vcpu = 1;
    once(&r, 0, 100);
    once(&r, 1, 120);
    vtime_vcpu_run(&r.time, 1);
    resume_at(&r, 0);
    run_to(&r, 149);
    vtime_latch(&r.time, 150);
    vtime_vcpu_stop(&r.time, 1);
    assert_true(vtime_deadline(&r.time) <= 150);
    run_to(&r, 150);
    assert_int_equal(r.events, 2);
}

static void test_a_halted_vcpu_has_made_its_progress(void **state)
{
    (void)state;
    start(50);
    every(&r, 0, 100, 10);
    resume_at(&r, 0);
    run_to(&r, 102);
    assert_int_equal(vtime_deadline(&r.time), 150);
    vtime_vcpu_halt(&r.time, 0);
    assert_null(vtime_check(&r.time));
    assert_int_equal(vtime_deadline(&r.time), 110); /* it is not descheduled: AT runs on */
    run_to(&r, 110);
    expect_event(&r, 1, 110, 110, 0, VT_NORMAL);
    vtime_vcpu_wake(&r.time, 0); /* for that interrupt: now it waits for a processor */
    assert_int_equal(vtime_deadline(&r.time), RT_NEVER);
    vtime_latch(&r.time, 115);
    assert_int_equal(vtime_peek(&r.time), 110);
    vtime_vcpu_run(&r.time, 0);
    assert_int_equal(vtime_deadline(&r.time), 165); /* and has 50 to execute */
}

/* Two events due close together while the vCPU is halted, and looked at late: the second must not be in the
 * interrupt controller before the first could be taken, or the controller's priorities turn them round. */
static void test_an_event_that_ends_a_halt_closes_the_gate(void **state)
{
    (void)state;
    start(50);
    once(&r, 0, 100);
    once(&r, 1, 138);
    resume_at(&r, 0);
    run_to(&r, 10);
    vtime_vcpu_halt(&r.time, 0);
    vtime_advance(&r.time, 145); /* both are due */
    expect_event(&r, 0, 100, 100, 0, VT_NORMAL);
    assert_int_equal(r.events, 1);
    vtime_vcpu_wake(&r.time, 0);
    vtime_latch(&r.time, 150);
    vtime_vcpu_run(&r.time, 0);
    vtime_advance(&r.time, 150);
    assert_int_equal(r.events, 1);
    assert_int_equal(vtime_deadline(&r.time), 200); /* 50 executed since it has a processor */
    run_to(&r, 200);
    assert_int_equal(r.events, 2);
}

/* ... but a vCPU that nothing wakes freezes no timer. */
static void test_a_halt_that_nothing_ends_holds_for_m_only(void **state)
{
    (void)state;
    start(50);
    once(&r, 0, 100);
    once(&r, 1, 138);
    resume_at(&r, 0);
    vtime_vcpu_halt(&r.time, 0);
    run_to(&r, 145);
    assert_int_equal(r.events, 1);
    assert_int_equal(vtime_deadline(&r.time), 150);
    run_to(&r, 150);
    assert_int_equal(r.events, 2);
}

/* The lag is the VM's; with its only other vCPU waiting for SIPI it is as if that were not there. */
static void test_a_vcpu_that_waits_for_sipi_holds_nothing_up(void **state)
{
    (void)state;
    start(50);
    r.timer[1].v.vcpu = 1;
    once(&r, 1, 100);
    once(&r, 0, 101);
    resume_at(&r, 0);
    run_to(&r, 100);
    assert_int_equal(vtime_deadline(&r.time), 101);
}

/* ---- SMP ---- */

static void test_a_vm_runs_while_any_vcpu_runs(void **state)
{
    (void)state;
    start(0);
    resume_at(&r, 0);
    vtime_vcpu_wake(&r.time, 1); /* SIPI */
    run_to(&r, 10);
    assert_int_equal(vtime_now(&r.time), 10);
    vtime_vcpu_run(&r.time, 1);
    vtime_vcpu_stop(&r.time, 0);
    run_to(&r, 20);
    assert_int_equal(vtime_now(&r.time), 20);
    vtime_vcpu_halt(&r.time, 1); /* vCPU 0 could execute: descheduled */
    run_to(&r, 30);
    assert_int_equal(vtime_now(&r.time), 20);
    vtime_vcpu_halt(&r.time, 0); /* all halted: time runs on, 10 behind */
    assert_int_equal(vtime_lag(&r.time), 10);
    run_to(&r, 40);
    assert_int_equal(vtime_now(&r.time), 40);
}

static void test_a_vcpu_without_a_processor_is_waited_for_one_round(void **state)
{
    uint64_t offset;

    (void)state;
    start(50);
    r.timer[1].v.vcpu = 1;
    r.timer[2].v.vcpu = 1;
    once(&r, 1, 100);
    once(&r, 2, 101);
    resume_at(&r, 0);
    assert_int_equal(vtime_waits_for(&r.time), 0);
    vtime_vcpu_wake(&r.time, 1);
    run_to(&r, 150);
    assert_int_equal(r.events, 1);
    assert_int_equal(vtime_waits_for(&r.time), 1u << 1);
    assert_int_equal(vtime_deadline(&r.time), 10100); /* round = 10000 */
    assert_int_equal(vtime_line(&r.time, &offset), false);
    run_to(&r, 200);
    vtime_vcpu_run(&r.time, 1);
    assert_int_equal(vtime_waits_for(&r.time), 0);
    assert_int_equal(vtime_deadline(&r.time), 250);
    run_to(&r, 220);
    vtime_vcpu_stop(&r.time, 1); /* 20 executed */
    run_to(&r, 10101);
    assert_int_equal(r.events, 2);
    expect_event(&r, 1, 10100, 101, 2, VT_NORMAL);
}

/* Of two that are waited for, the one that runs knows it. */
static void test_two_vcpus_are_waited_for(void **state)
{
    (void)state;
    start(50);
    r.timer[1].v.vcpu = 1;
    once(&r, 0, 100);
    once(&r, 1, 100);
    resume_at(&r, 0);
    vtime_vcpu_wake(&r.time, 1);
    run_to(&r, 110);
    once(&r, 0, 120);
    once(&r, 1, 120);
    assert_int_equal(vtime_waits_for(&r.time), 1u << 1);
    assert_true(vtime_waits_for_running(&r.time, 0));
    assert_false(vtime_waits_for_running(&r.time, 1));
    run_to(&r, 150); /* it has executed M */
    assert_int_equal(vtime_waits_for(&r.time), 1u << 1);
    assert_false(vtime_waits_for_running(&r.time, 0));
    vtime_vcpu_stop(&r.time, 0);
    vtime_vcpu_run(&r.time, 1);
    assert_true(vtime_waits_for_running(&r.time, 1));
    assert_false(vtime_waits_for_running(&r.time, 0));
}

/* An event waits for its own targets: a vCPU without a processor does not hold up its siblings' ticks. */
static void test_a_vcpu_without_a_processor_holds_up_its_own_events_only(void **state)
{
    (void)state;
    start(50);
    r.timer[1].v.vcpu = 1;
    every(&r, 0, 10, 100); /* 10, 110, 210, ... */
    every(&r, 1, 60, 500);
    resume_at(&r, 0);
    vtime_vcpu_wake(&r.time, 1);
    run_to(&r, 500);
    assert_int_equal(r.events, 6); /* one of them for vCPU 1 */
    assert_int_equal(vtime_lag(&r.time), 0);
    assert_int_equal(vtime_waits_for(&r.time), 0);
    run_to(&r, 520); /* its next one, at 560, has to wait */
    assert_int_equal(vtime_waits_for(&r.time), 1u << 1);
    run_to(&r, 700);
    assert_true(vtime_now(&r.time) <= 560);
    vtime_vcpu_run(&r.time, 1);
    vtime_vcpu_stop(&r.time, 0);
    run_to(&r, 760);
    assert_true(vtime_now(&r.time) >= 560);
}

static void test_a_timer_may_get_another_target(void **state)
{
    (void)state;
    start(50);
    once(&r, 0, 100);
    once(&r, 1, 101);
    resume_at(&r, 0);
    vtime_vcpu_wake(&r.time, 1);
    run_to(&r, 100);
    assert_int_equal(vtime_deadline(&r.time), 150); /* vCPU 0 has the event of 100 to handle */
    vtime_target(&r.time, &r.timer[1].v, 1);
    assert_int_equal(vtime_deadline(&r.time), 101); /* vCPU 1 has nothing to handle */
    vtime_target(&r.time, &r.timer[1].v, 0);
    assert_int_equal(vtime_deadline(&r.time), 150);
}

/* ---- acknowledgement ---- */

/* Behind, the next event of a timer waits until the last has been taken: no merge because of descheduling. */
static void test_late_events_wait_for_the_guest(void **state)
{
    struct vt_ticks k;

    (void)state;
    start(5);
    every(&r, 0, 100, 100);
    resume_at(&r, 0);
    stop_at(&r, 150);
    resume_at(&r, 1050); /* 200 to 1000 are late */
    r.timer[0].keeps = true;
    run_to(&r, 1050);
    assert_int_equal(r.events, 2);
    assert_int_equal(vtime_deadline(&r.time), 1100); /* AT reaches 300 then, and stands */
    run_to(&r, 1110);
    assert_int_equal(r.events, 2);
    assert_int_equal(vtime_now(&r.time), 300);
    assert_int_equal(vtime_deadline(&r.time), 1150); /* one period, executed */
    run_to(&r, 1120);
    r.timer[0].waiting = false; /* the guest takes it */
    assert_true(vtime_deadline(&r.time) <= 1120);
    run_to(&r, 1120);
    expect_event(&r, 2, 1120, 300, 0, VT_CATCHUP); /* what held AT up was no latency */
    assert_int_equal(vtime_now(&r.time), 300);
    vtime_ticks(&r.time, &r.timer[0].v, &k);
    assert_int_equal(k.merged, 0);
    assert_int_equal(r.time.account.max_latency, 0);
}

/* A guest that polls with interrupts off: the merges are its own, and time goes on. */
static void test_a_polling_guest_does_not_freeze(void **state)
{
    struct vt_ticks k;

    (void)state;
    start(5);
    every(&r, 0, 100, 100);
    r.timer[0].keeps = true;
    resume_at(&r, 0);
    stop_at(&r, 150);
    resume_at(&r, 450);
    for (rt_t rt = 450; rt < 100000; rt += 10) {
        run_to(&r, rt);
    }
    vtime_ticks(&r.time, &r.timer[0].v, &k);
    assert_true(k.merged + k.delivered > 990);
    assert_int_equal(k.delivered, 1);
}

static void test_events_on_time_wait_for_nothing(void **state)
{
    (void)state;
    start(5);
    every(&r, 0, 100, 100);
    r.timer[0].keeps = true;
    resume_at(&r, 0);
    run_to(&r, 1000);
    assert_int_equal(r.events, 10);
    expect_event(&r, 9, 1000, 1000, 0, VT_NORMAL);
}

static void test_a_masked_timer_holds_nothing_up(void **state)
{
    (void)state;
    start(5);
    every(&r, 0, 100, 100);
    once(&r, 1, 310);
    resume_at(&r, 0);
    stop_at(&r, 150);
    resume_at(&r, 350);
    r.timer[0].keeps = true;
    run_to(&r, 420);
    assert_int_equal(r.events, 2); /* held at 300 */
    r.timer[0].masked = true;      /* the guest masks it while it is held */
    run_to(&r, 440);
    assert_true(r.events >= 4);
}

static void test_a_guest_that_halts_while_it_is_waited_for(void **state)
{
    (void)state;
    start(5);
    every(&r, 0, 100, 100);
    resume_at(&r, 0);
    stop_at(&r, 150);
    resume_at(&r, 450);
    r.timer[0].keeps = true;
    run_to(&r, 520);
    assert_int_equal(r.events, 2);
    vtime_vcpu_halt(&r.time, 0); /* with interrupts off: nothing will ever be taken */
    run_to(&r, 5000);
    assert_true(r.events > 40);
    assert_int_equal(vtime_lag(&r.time), 0);
}

/* M longer than a round: the round is all that is waited for (DESIGN.md 2.11). */
static void test_no_gate_is_longer_than_a_round(void **state)
{
    (void)state;
    start(50000);
    once(&r, 0, 100);
    once(&r, 1, 101);
    resume_at(&r, 0);
    run_to(&r, 100);
    assert_int_equal(vtime_deadline(&r.time), 10100);
    run_to(&r, 10100);
    assert_int_equal(r.events, 2);
}

/* An event for a vCPU that is off, the only one there is, is waited for by nobody. */
static void test_the_only_vcpu_is_off(void **state)
{
    (void)state;
    start(50);
    once(&r, 0, 100);
    once(&r, 1, 105);
    resume_at(&r, 0);
    vtime_vcpu_off(&r.time, 0);
    run_to(&r, 105);
    assert_int_equal(r.events, 2);
    expect_event(&r, 1, 105, 105, 1, VT_NORMAL);
}

/* vtime_waits_for(): nobody is waited for while AT stands, nor where nothing is coordinated; nor one whose
 * gate opens before the event is due anyway. */
static void test_nobody_is_waited_for(void **state)
{
    struct vtime_policy naive = vtime_policy_figure7();

    (void)state;
    start(50);
    r.timer[1].v.vcpu = r.timer[2].v.vcpu = 1;
    once(&r, 1, 100);
    once(&r, 2, 20000);
    resume_at(&r, 0);
    vtime_vcpu_wake(&r.time, 1);
    run_to(&r, 100); /* vCPU 1 has a gate, but 20000 is past any round */
    assert_int_equal(vtime_waits_for(&r.time), 0);
    once(&r, 2, 101);
    assert_int_equal(vtime_waits_for(&r.time), 1u << 1);
    once(&r, 2, 100 + 10000); /* when the round is over, and with it the wait: to the unit */
    assert_int_equal(vtime_waits_for(&r.time), 0);
    once(&r, 2, 100 + 10000 - 1);
    assert_int_equal(vtime_waits_for(&r.time), 1u << 1);
    vtime_vcpu_stop(&r.time, 0);
    assert_int_equal(vtime_waits_for(&r.time), 0);

    naive.naive = true;
    time_rig_init(&r, &naive, 0);
    resume_at(&r, 0);
    vtime_vcpu_wake(&r.time, 1);
    r.timer[1].v.vcpu = 1;
    once(&r, 1, 100);
    assert_int_equal(vtime_waits_for(&r.time), 0);
}

/* AT stands at an event whose predecessor a vCPU without a processor has not taken: that one is waited for.
 */
static void test_waiting_for_who_has_to_take(void **state)
{
    (void)state;
    start(0);
    r.timer[1].v.vcpu = 1;
    r.timer[1].keeps = true;
    vtime_vcpu_run(&r.time, 1);
    resume_at(&r, 0);
    every(&r, 1, 100, 100);
    run_to(&r, 110);
    vtime_vcpu_stop(&r.time, 1);
    vtime_vcpu_stop(&r.time, 0); /* a loss: lateness matters */
    vtime_latch(&r.time, 150);
    vtime_vcpu_run(&r.time, 0);
    run_to(&r, 199);
    assert_int_equal(vtime_waits_for(&r.time), 0); /* AT does not stand yet */
    run_to(&r, 200);
    assert_int_equal(vtime_waits_for(&r.time), 1u << 1);
    run_to(&r, 260);
    assert_int_equal(r.events, 1);
    assert_int_equal(vtime_now(&r.time), 200);
    assert_int_equal(vtime_waits_for(&r.time), 1u << 1);
    r.timer[1].waiting = false;
    assert_int_equal(vtime_waits_for(&r.time), 0);
    run_to(&r, 261);
    assert_int_equal(r.events, 2);
}

/* "... bounded by one scheduler round" (2.11): who has not taken the last one by then is waited for no more.
 */
static void test_waiting_for_one_round(void **state)
{
    (void)state;
    start(0);
    r.timer[1].v.vcpu = 1;
    r.timer[1].keeps = true;
    vtime_vcpu_run(&r.time, 1);
    resume_at(&r, 0);
    every(&r, 1, 100, 100);
    run_to(&r, 110);
    vtime_vcpu_stop(&r.time, 1);
    vtime_vcpu_stop(&r.time, 0);
    vtime_latch(&r.time, 150);
    vtime_vcpu_run(&r.time, 0); /* the VM had run for 100 at the event, and has for 110 now */
    run_to(&r, 10139);
    assert_int_equal(r.events, 1);
    assert_int_equal(vtime_waits_for(&r.time), 1u << 1);
    vtime_latch(&r.time, 10140);
    assert_int_equal(vtime_waits_for(&r.time), 0);
    run_to(&r, 10140);
    assert_int_equal(r.events, 2);
}

/* 2.6: "no longer than the vCPU has itself executed for one period (M for a one-shot)". The one that has to
 * take it is not the one that the next event goes to, whose progress is made. */
static void test_a_one_shot_waits_for_m(void **state)
{
    (void)state;
    start(50);
    r.timer[1].v.vcpu = 1;
    r.timer[1].keeps = true;
    vtime_vcpu_run(&r.time, 1);
    resume_at(&r, 0);
    once(&r, 1, 100);
    run_to(&r, 90);
    vtime_vcpu_stop(&r.time, 0);
    vtime_vcpu_stop(&r.time, 1);
    vtime_latch(&r.time, 150);
    vtime_vcpu_run(&r.time, 0);
    vtime_vcpu_run(&r.time, 1);
    run_to(&r, 150);
    assert_int_equal(r.events, 1); /* late: at 150 instead of 100 */
    vtime_target(&r.time, &r.timer[1].v, 0);
    once(&r, 1, 110);
    run_to(&r, 199);
    assert_int_equal(r.events, 1);
    run_to(&r, 200);
    assert_int_equal(r.events, 2);
}

/* vtime_target() is an incident: the wait for the new target bends the line of AT from where it is, and
 * whoever goes by the old deadline is told. */
static void test_another_target_takes_nothing_back(void **state)
{
    (void)state;
    start(50);
    r.timer[1].v.vcpu = 1;
    vtime_vcpu_run(&r.time, 1);
    resume_at(&r, 0);
    once(&r, 1, 100);
    once(&r, 2, 120);
    run_to(&r, 110);
    assert_int_equal(vtime_outlook(&r.time)->deadline, 120);
    vtime_target(&r.time, &r.timer[2].v, 1);
    assert_int_equal(vtime_peek(&r.time), 110);
    assert_int_equal(vtime_outlook(&r.time)->deadline, 150);
    run_to(&r, 130);
    assert_int_equal(vtime_peek(&r.time), 115);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress_is_executed_time),
        cmocka_unit_test(test_what_was_not_executed_is_no_progress),
        cmocka_unit_test(test_the_first_event_waits_for_nothing),
        cmocka_unit_test(test_the_longest_of_one_instant_counts),
        cmocka_unit_test(test_the_longest_counts_on_another_vcpu),
        cmocka_unit_test(test_a_shorter_one_after_a_halt),
        cmocka_unit_test(test_progress_made_to_the_unit),
        cmocka_unit_test(test_a_halted_vcpu_has_made_its_progress),
        cmocka_unit_test(test_an_event_that_ends_a_halt_closes_the_gate),
        cmocka_unit_test(test_a_halt_that_nothing_ends_holds_for_m_only),
        cmocka_unit_test(test_a_vcpu_that_waits_for_sipi_holds_nothing_up),
        cmocka_unit_test(test_a_vm_runs_while_any_vcpu_runs),
        cmocka_unit_test(test_a_vcpu_without_a_processor_is_waited_for_one_round),
        cmocka_unit_test(test_two_vcpus_are_waited_for),
        cmocka_unit_test(test_a_vcpu_without_a_processor_holds_up_its_own_events_only),
        cmocka_unit_test(test_a_timer_may_get_another_target),
        cmocka_unit_test(test_late_events_wait_for_the_guest),
        cmocka_unit_test(test_a_polling_guest_does_not_freeze),
        cmocka_unit_test(test_events_on_time_wait_for_nothing),
        cmocka_unit_test(test_a_masked_timer_holds_nothing_up),
        cmocka_unit_test(test_a_guest_that_halts_while_it_is_waited_for),
        cmocka_unit_test(test_no_gate_is_longer_than_a_round),
        cmocka_unit_test(test_the_only_vcpu_is_off),
        cmocka_unit_test(test_nobody_is_waited_for),
        cmocka_unit_test(test_waiting_for_who_has_to_take),
        cmocka_unit_test(test_waiting_for_one_round),
        cmocka_unit_test(test_a_one_shot_waits_for_m),
        cmocka_unit_test(test_another_target_takes_nothing_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
