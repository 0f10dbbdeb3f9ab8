/* Apparent time, item by item of DESIGN.md section 2: reads, setting, gaps, leaps, latency, pauses. Figure 7
 * itself is in tests/golden/ and, with the queue's contents, in test_queue.c. */
#include "tests/unit/support/time_rig.h"

static struct time_rig r;

static struct vtime_policy policy(void)
{
    return vtime_policy_figure7();
}

/* ---- 2.2 ---- */

static void test_an_event_for_the_past_is_due_at_once(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 1000);
    resume_at(&r, 1000);
    run_to(&r, 1100);
    every(&r, 0, 30, 40);
    assert_int_equal(vtime_deadline(&r.time), 1100);
    run_to(&r, 1200);
    expect_event(&r, 0, 1100, 100, 0, VT_NORMAL);
    expect_event(&r, 1, 1140, 140, 0, VT_NORMAL); /* "a period then counts from there" */
    once(&r, 1, 200);                             /* the present */
    assert_int_equal(vtime_deadline(&r.time), 1200);
}

/* In any mode: with AT ahead of RT, NRT_N of the present AT is still to come. */
static void test_at_once_even_when_ahead(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    p.k2 = 1000;
    time_rig_init(&r, &p, 0);
    every(&r, 0, 10, 10);
    resume_at(&r, 0);
    stop_at(&r, 15);
    resume_at(&r, 45);
    run_to(&r, 100);
    assert_true(vtime_lag(&r.time) < 0);
    p.k2 = 0;
    r.time.policy = p; /* the policy may change live; the next event returns to normal mode, ahead */
    run_to(&r, 106);
    assert_int_equal(vtime_mode(&r.time), VT_NORMAL);
    assert_true(vtime_lag(&r.time) < 0);
    once(&r, 1, vtime_now(&r.time) - 1);
    assert_int_equal(vtime_deadline(&r.time), 106);
}

static void test_setting_from_within_an_event(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 10);
    once(&r, 1, 10);
    every(&r, 2, 10, 5);
    r.timer[0].rearm = 10; /* the very same AT: a new event, after the instant is complete */
    r.timer[2].rearm = 18; /* its entry stands at 15 by then */
    resume_at(&r, 0);
    run_to(&r, 40);
    expect_event(&r, 0, 10, 10, 0, VT_NORMAL);
    expect_event(&r, 1, 10, 10, 1, VT_NORMAL);
    expect_event(&r, 2, 10, 10, 2, VT_NORMAL);
    expect_event(&r, 3, 10, 10, 0, VT_NORMAL);
    expect_event(&r, 4, 18, 18, 2, VT_NORMAL);
    assert_int_equal(r.events, 5);
    assert_int_equal(vtime_deadline(&r.time), RT_NEVER);
}

static void test_far_future_is_never(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 0);
    once(&r, 0, AT_NEVER);
    once(&r, 1, AT_LIMIT);
    every(&r, 2, 10, UINT64_MAX);
    resume_at(&r, 0);
    run_to(&r, 1000);
    assert_int_equal(r.events, 1);
    every(&r, 0, 2000, 10);
    once(&r, 0, AT_LIMIT); /* what was armed is so no more */
    assert_int_equal(vtime_deadline(&r.time), RT_NEVER);
    run_to(&r, 3000);
    assert_int_equal(r.events, 1);
    assert_null(vtime_check(&r.time));
}

/* ---- 2.4 ---- */

static void test_reads_are_incidents(void **state)
{
    struct vtime_policy p = policy();
    at_t before = 0;

    (void)state;
    p.c = (struct vt_ratio){7, 3};
    time_rig_init(&r, &p, 0);
    every(&r, 0, 8, 13);
    resume_at(&r, 0);
    stop_at(&r, 48);
    resume_at(&r, 113);
    for (rt_t rt = 113; rt < 300; rt++) {
        at_t peeked;
        at_t now;

        run_to(&r, rt);
        peeked = vtime_peek(&r.time);
        now = vtime_now(&r.time);
        assert_true(peeked == now && now >= before);
        assert_true(now <= r.timer[0].v.at);
        assert_true(vtime_now(&r.time) == now);
        before = now;
    }
    assert_int_equal(vtime_lag(&r.time), 0);
}

static void test_no_timer_armed(void **state)
{
    struct vtime_policy p = policy();
    uint64_t offset;

    (void)state;
    time_rig_init(&r, &p, 50);
    resume_at(&r, 50);
    assert_true(vtime_line(&r.time, &offset) && offset == (uint64_t)-50);
    stop_at(&r, 60);
    vtime_latch(&r.time, 80);
    assert_int_equal(vtime_peek(&r.time), 10); /* smooth: it stands */
    resume_at(&r, 90);
    assert_false(vtime_line(&r.time, &offset));
    assert_int_equal(vtime_mode(&r.time), VT_CATCHUP);
    run_to(&r, 105);
    assert_int_equal(vtime_now(&r.time), 40);
    run_to(&r, 121);
    assert_int_equal(vtime_now(&r.time), 71); /* min: the present */
    assert_int_equal(vtime_mode(&r.time), VT_NORMAL);
    assert_true(vtime_line(&r.time, &offset) && offset == (uint64_t)-50);
}

/* ---- 2.5 ---- */

/* The mode from which the next decision starts is then a matter of the lag alone: one unit, whatever K1 is.
 */
static void test_the_first_timer_armed_behind(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    p.k1 = 5;
    time_rig_init(&r, &p, 0);
    resume_at(&r, 0);
    stop_at(&r, 10);
    resume_at(&r, 11);
    once(&r, 0, 11);
    assert_int_equal(vtime_lag(&r.time), 1);
    assert_int_equal(vtime_mode(&r.time), VT_CATCHUP);
}

static void test_gap_smooth_leaves_no_hole(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 100);
    resume_at(&r, 0);
    stop_at(&r, 20);
    resume_at(&r, 60); /* 40 behind, not overdue; FAST = 60 + 80 / 2 = 100 */
    assert_int_equal(vtime_now(&r.time), 20);
    assert_int_equal(vtime_deadline(&r.time), 100);
    run_to(&r, 80);
    assert_int_equal(vtime_now(&r.time), 60);
}

static void test_gap_jump_is_the_literal_equation(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    p.gap = VT_GAP_JUMP;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 100);
    resume_at(&r, 0);
    stop_at(&r, 20);
    resume_at(&r, 60);
    assert_int_equal(vtime_now(&r.time), 60);
    assert_int_equal(vtime_deadline(&r.time), 100);
}

/* ---- 2.7 ---- */

static void test_leap_of_a_late_event(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    p.leap = 100;
    time_rig_init(&r, &p, 0);
    every(&r, 0, 10, 10);
    every(&r, 1, 7, 1000);
    once(&r, 2, 95);
    once(&r, 3, 900);
    resume_at(&r, 0);
    stop_at(&r, 90);
    resume_at(&r, 555);
    run_to(&r, 560);
    assert_int_equal(r.events, 8 + 1 + 3);
    expect_event(&r, 9, 555, 555, 0, VT_LEAP);
    assert_int_equal(r.event[9].dropped, 46); /* 90 ... 550 are 47 */
    expect_event(&r, 10, 555, 555, 2, VT_LEAP);
    expect_event(&r, 11, 560, 560, 0, VT_NORMAL); /* on the old grid */
    assert_int_equal(vtime_lag(&r.time), 0);
    assert_int_equal(r.time.account.leaps, 1);
}

static void test_leap_by_the_lag_at_a_resumption(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    p.leap = 100;
    p.progress = 50;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 100000);
    once(&r, 1, 10);
    resume_at(&r, 0);
    stop_at(&r, 20);
    resume_at(&r, 120); /* 100 behind: not more than the threshold */
    assert_int_equal(vtime_now(&r.time), 20);
    stop_at(&r, 130);
    resume_at(&r, 500);
    assert_int_equal(vtime_deadline(&r.time), 500); /* not gated, and done by vtime_advance() */
    run_to(&r, 500);
    assert_int_equal(vtime_now(&r.time), 500);
    assert_int_equal(r.events, 1);
}

static void test_a_century_of_ticks_is_leapt_by_arithmetic(void **state)
{
    struct vtime_policy p = vtime_policy_defaults(1000000000);
    struct vt_schedule s = {.first = 1, .period_num = 1000000007, .period_den = 1000000006, .phase = 5};
    struct vt_ticks k;

    (void)state;
    time_rig_init(&r, &p, 77);
    vtime_set(&r.time, &r.timer[0].v, &s);
    resume_at(&r, UINT64_C(3000000000000000000));
    run_to(&r, UINT64_C(3000000000000000000) + 1000);
    vtime_ticks(&r.time, &r.timer[0].v, &k);
    assert_true(k.dropped > UINT64_C(2999999990000000000));
    assert_true(k.delivered >= 1 && k.delivered < 5);
}

/* ---- 2.10 ---- */

/* An exit some units after RT_N: the event counts as delivered on time, AT keeps its line. */
static void test_latency_is_not_lag(void **state)
{
    struct vtime_policy p = policy();
    uint64_t offset;

    (void)state;
    time_rig_init(&r, &p, 0);
    every(&r, 0, 100, 100);
    resume_at(&r, 0);
    assert_true(vtime_line(&r.time, &offset) && offset == 0);
    vtime_advance(&r.time, 107);
    expect_event(&r, 0, 100, 100, 0, VT_NORMAL);
    assert_int_equal(vtime_now(&r.time), 107);
    assert_int_equal(vtime_lag(&r.time), 0);
    assert_int_equal(vtime_deadline(&r.time), 200);
    assert_int_equal(r.time.account.max_latency, 7);
    assert_true(vtime_line(&r.time, &offset) && offset == 0);
    assert_null(vtime_check(&r.time));
}

/* But the gate counts from the real delivery; AT, which a guest may have read without an exit, does not go
 * back, and waits at the next event. */
static void test_gates_count_from_the_real_delivery(void **state)
{
    struct vtime_policy p = policy();
    uint64_t offset;

    (void)state;
    p.progress = 50;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 100);
    once(&r, 1, 130);
    once(&r, 2, 103);
    resume_at(&r, 0);
    assert_true(vtime_outlook(&r.time)->line.ratio != 0); /* RDTSC runs free */
    vtime_advance(&r.time, 107);
    assert_int_equal(r.events, 1);
    assert_int_equal(vtime_deadline(&r.time), 157);
    assert_int_equal(vtime_peek(&r.time), 103);
    assert_false(vtime_line(&r.time, &offset));
    run_to(&r, 157);
    expect_event(&r, 1, 157, 103, 2, VT_NORMAL);
    run_to(&r, 400);
    expect_event(&r, 2, 207, 130, 1, VT_CATCHUP);
}

static void test_what_a_tsc_has_shown_stays_shown(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    p.progress = 50;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 100);
    once(&r, 2, 103);
    resume_at(&r, 0);
    vtime_advance(&r.time, 107);
    vtime_shown(&r.time, 107);
    assert_int_equal(vtime_now(&r.time), 107);
    assert_int_equal(r.time.account.max_overshoot, 4);
    assert_null(vtime_check(&r.time));
    run_to(&r, 156);
    assert_int_equal(vtime_now(&r.time), 107);
    run_to(&r, 200);
    expect_event(&r, 1, 157, 103, 2, VT_NORMAL);
    assert_true(vtime_now(&r.time) > 107);
}

/* A hostile schedule: the work of one call is bounded, and the backlog is not lost. */
static void test_one_call_is_bounded(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 0);
    every(&r, 0, 1, 1);
    resume_at(&r, 0);
    vtime_advance(&r.time, 1000000);
    assert_int_equal(r.events, VT_MAX_INSTANTS);
    assert_true(vtime_deadline(&r.time) <= 1000000);
    vtime_advance(&r.time, 1000000);
    assert_int_equal(r.events, 2 * VT_MAX_INSTANTS);
    r.time.policy.progress = r.timer[0].v.progress = 50; /* with minimum progress one instant a call is all */
    vtime_advance(&r.time, 1000001);
    assert_int_equal(r.events, 2 * VT_MAX_INSTANTS + 1);
    assert_int_equal(vtime_deadline(&r.time), 1000051);
    assert_null(vtime_check(&r.time));
}

/* ---- pauses, and real time ---- */

static void test_a_pause_is_neither_at_nor_lag(void **state)
{
    struct vtime_policy p = policy();
    struct vt_ledger l;

    (void)state;
    for (int gap = 0; gap < 2; gap++) {
        p.gap = gap != 0 ? VT_GAP_JUMP : VT_GAP_SMOOTH;
        time_rig_init(&r, &p, 0);
        every(&r, 0, 100, 100);
        resume_at(&r, 0);
        run_to(&r, 150);
        vtime_pause(&r.time);
        vtime_vcpu_stop(&r.time, 0);
        vtime_advance(&r.time, 1150);
        assert_int_equal(vtime_deadline(&r.time), RT_NEVER);
        assert_int_equal(vtime_peek(&r.time), 150);
        assert_null(vtime_check(&r.time));
        vtime_vcpu_run(&r.time, 0);
        vtime_unpause(&r.time);
        assert_int_equal(vtime_lag(&r.time), 0);
        assert_int_equal(vtime_deadline(&r.time), 1200);
        run_to(&r, 1250);
        assert_int_equal(vtime_now(&r.time), 250);
        vtime_ledger(&r.time, &l);
        assert_int_equal(l.paused, 1000);
        assert_int_equal(l.elapsed, 1250);
    }
}

/* Descheduled at 50, paused from 60 to 90, and on at 100: 20 behind. */
static void test_a_pause_within_a_gap(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 0);
    resume_at(&r, 0);
    stop_at(&r, 50);
    vtime_latch(&r.time, 60);
    vtime_pause(&r.time);
    vtime_pause(&r.time);
    vtime_latch(&r.time, 90);
    vtime_unpause(&r.time);
    vtime_unpause(&r.time);
    resume_at(&r, 100);
    assert_int_equal(vtime_lag(&r.time), 20);
    assert_int_equal(vtime_now(&r.time), 50);
}

/* The operator's other meaning of a pause: what has passed is lag, and is caught up (C = 2). */
static void test_a_late_end_of_a_pause_is_lag(void **state)
{
    struct vtime_policy p = policy();
    struct vt_ledger l;

    (void)state;
    time_rig_init(&r, &p, 0);
    every(&r, 0, 100, 100);
    resume_at(&r, 0);
    run_to(&r, 150);
    vtime_vcpu_halt(&r.time, 0); /* a halted VM too: it would otherwise run on in real time */
    vtime_pause(&r.time);
    vtime_unpause_late(&r.time);
    assert_int_equal(vtime_lag(&r.time), 0);
    vtime_pause(&r.time);
    vtime_advance(&r.time, 1150);
    assert_int_equal(r.events, 1);
    vtime_unpause_late(&r.time);
    vtime_unpause_late(&r.time);
    assert_int_equal(vtime_lag(&r.time), 1000);
    assert_null(vtime_check(&r.time));
    run_to(&r, 5000);
    vtime_ledger(&r.time, &l);
    assert_int_equal(l.paused, 0);
    assert_int_equal(l.leapt, 0);
    assert_int_equal(l.lag, 0);
    assert_int_equal(l.at, 5000);
    assert_int_equal(r.events, 50); /* each tick */
}

/* ... and the third: AT jumps over it, whatever the threshold, once. */
static void test_a_pause_that_is_leapt_over(void **state)
{
    struct vtime_policy p = policy();
    struct vt_ledger l;

    (void)state;
    for (int gap = 0; gap < 2; gap++) {
        for (int overdue = 0; overdue < 2; overdue++) {
            int leaps = !gap || overdue; /* gap=jump: AT went with RT, unless an event held it */

            p.gap = gap != 0 ? VT_GAP_JUMP : VT_GAP_SMOOTH;
            time_rig_init(&r, &p, 0);
            every(&r, 0, overdue ? 100 : 10000, 100);
            resume_at(&r, 0);
            run_to(&r, 150);
            vtime_pause(&r.time);
            vtime_vcpu_stop(&r.time, 0);
            vtime_latch(&r.time, 1150);
            vtime_leap_at_resumption(&r.time);
            vtime_unpause_late(&r.time);
            assert_null(vtime_check(&r.time));
            vtime_latch(&r.time, 1180); /* it gets its processor later */
            resume_at(&r, 1180);
            vtime_advance(&r.time, 1180);
            vtime_ledger(&r.time, &l);
            assert_int_equal(l.lag, 0);
            assert_int_equal(l.at, 1180);
            assert_int_equal(l.leapt > 0, leaps);
            assert_int_equal(l.leaps, leaps);
            stop_at(&r, 1250);
            resume_at(&r, 1450); /* an ordinary loss again: caught up */
            run_to(&r, 12000);
            vtime_ledger(&r.time, &l);
            assert_int_equal(l.leaps, leaps);
            assert_int_equal(l.lag, 0);
        }
    }
}

/* Nothing to jump over: no leap, not even later. */
static void test_a_wish_to_leap_without_a_lag(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 0);
    resume_at(&r, 0);
    stop_at(&r, 50);
    vtime_pause(&r.time);
    vtime_leap_at_resumption(&r.time);
    vtime_unpause_late(&r.time);
    resume_at(&r, 50);
    stop_at(&r, 60);
    resume_at(&r, 90);
    assert_int_equal(vtime_lag(&r.time), 30);
}

/* set, live: the timers' minimum progress follows, unless one was given its own. */
static void test_another_policy(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 0);
    r.timer[1].v.progress = 7;
    every(&r, 0, 100, 100);
    resume_at(&r, 0);
    stop_at(&r, 50);
    resume_at(&r, 550);
    p.c = (struct vt_ratio){4, 1};
    p.progress = 20;
    vtime_set_policy(&r.time, &p);
    assert_int_equal(r.timer[0].v.progress, 20);
    assert_int_equal(r.timer[1].v.progress, 7);
    run_to(&r, 900);
    assert_int_equal(vtime_lag(&r.time), 0); /* 500 at a rate of 4: made up within 167 */
    assert_null(vtime_check(&r.time));
}

static void test_real_time_never_goes_back(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 0);
    resume_at(&r, 100);
    run_to(&r, 200);
    vtime_advance(&r.time, 150); /* another processor's TSC */
    assert_int_equal(vtime_now(&r.time), 200);
}

/* ---- 2.12 ---- */

static void test_the_ledger_of_a_timer(void **state)
{
    struct vtime_policy p = policy();
    struct vt_ticks k;

    (void)state;
    time_rig_init(&r, &p, 0);
    every(&r, 0, 10, 10);
    resume_at(&r, 0);
    stop_at(&r, 35);
    vtime_latch(&r.time, 75);
    vtime_ticks(&r.time, &r.timer[0].v, &k);
    assert_int_equal(k.delivered, 3);
    assert_int_equal(k.due, 7);
    assert_int_equal(k.pending, 4);
    resume_at(&r, 75);
    run_to(&r, 75);
    vtime_clear(&r.time, &r.timer[0].v);
    vtime_clear(&r.time, &r.timer[0].v);
    vtime_ticks(&r.time, &r.timer[0].v, &k);
    assert_int_equal(k.delivered, 4);
    assert_int_equal(k.cancelled, 3);
    assert_int_equal(k.due, 7);
    r.timer[0].masked = true;
    once(&r, 0, 200);
    run_to(&r, 300);
    vtime_ticks(&r.time, &r.timer[0].v, &k);
    assert_int_equal(k.merged, 1);
    assert_int_equal(k.due, 8);
    assert_true(vtime_balances(&r.time));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_for_the_past_is_due_at_once),
        cmocka_unit_test(test_at_once_even_when_ahead),
        cmocka_unit_test(test_setting_from_within_an_event),
        cmocka_unit_test(test_far_future_is_never),
        cmocka_unit_test(test_reads_are_incidents),
        cmocka_unit_test(test_no_timer_armed),
        cmocka_unit_test(test_the_first_timer_armed_behind),
        cmocka_unit_test(test_gap_smooth_leaves_no_hole),
        cmocka_unit_test(test_gap_jump_is_the_literal_equation),
        cmocka_unit_test(test_leap_of_a_late_event),
        cmocka_unit_test(test_leap_by_the_lag_at_a_resumption),
        cmocka_unit_test(test_a_century_of_ticks_is_leapt_by_arithmetic),
        cmocka_unit_test(test_latency_is_not_lag),
        cmocka_unit_test(test_gates_count_from_the_real_delivery),
        cmocka_unit_test(test_what_a_tsc_has_shown_stays_shown),
        cmocka_unit_test(test_one_call_is_bounded),
        cmocka_unit_test(test_a_pause_is_neither_at_nor_lag),
        cmocka_unit_test(test_a_pause_within_a_gap),
        cmocka_unit_test(test_a_late_end_of_a_pause_is_lag),
        cmocka_unit_test(test_a_pause_that_is_leapt_over),
        cmocka_unit_test(test_a_wish_to_leap_without_a_lag),
        cmocka_unit_test(test_another_policy),
        cmocka_unit_test(test_real_time_never_goes_back),
        cmocka_unit_test(test_the_ledger_of_a_timer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
