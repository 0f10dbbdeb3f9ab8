/* What is an incident of apparent time and what is none, to the unit (DESIGN.md 2.3-2.5, 2.7, 2.10): an
 * incident fixes AT_L at AT_C rounded down, so one too many bends a line of fractions, and one too few takes
 * back what a guest has seen. */
#include "tests/unit/support/time_rig.h"

static struct time_rig r;

static struct vtime_policy policy_of(struct vt_ratio c)
{
    struct vtime_policy p = vtime_policy_figure7();

    p.c = c;
    return p;
}

/* An event at RT 2000 for AT 100, the next one at AT 1000: AT goes on from there in catch-up mode at 3/2, so
 * that it is 101.5 at 2001, 103 at 2002, 104.5 at 2003, 106 at 2004, and RT_N is 2600. */
static void start_at_three_halves(enum vt_gap gap)
{
    struct vtime_policy p = policy_of((struct vt_ratio){3, 2});

    p.gap = gap;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 100);
    once(&r, 1, 1000);
    resume_at(&r, 0);
    stop_at(&r, 50);
    resume_at(&r, 2000);
    run_to(&r, 2000);
    expect_event(&r, 0, 2000, 100, 0, VT_NORMAL);
    assert_int_equal(vtime_deadline(&r.time), 2600);
}

static void at_is(rt_t rt, at_t at)
{
    vtime_advance(&r.time, rt);
    assert_int_equal(vtime_peek(&r.time), at);
    assert_null(vtime_check(&r.time));
}

/* "gap=jump keeps the patent's literal equation: neither is an incident" (2.5). Lost at 101.5, back at 104.5:
 * with either rounded it would be 105 at 2004. */
static void p0110_a_loss_with_gap_jump_is_none(void **state)
{
    (void)state;
    start_at_three_halves(VT_GAP_JUMP);
    vtime_latch(&r.time, 2001);
    vtime_vcpu_stop(&r.time, 0);
    vtime_latch(&r.time, 2003);
    vtime_vcpu_run(&r.time, 0);
    at_is(2004, 106);
    run_to(&r, 2600);
    expect_event(&r, 1, 2600, 1000, 1, VT_CATCHUP);
}

/* "Losing the processor is an incident" otherwise: AT_L is the AT at that moment, rounded down. */
static void p0110_a_loss_with_gap_smooth_is_one(void **state)
{
    (void)state;
    start_at_three_halves(VT_GAP_SMOOTH);
    vtime_latch(&r.time, 2001);
    vtime_vcpu_stop(&r.time, 0);
    assert_int_equal(r.time.at_l, 101);
    vtime_latch(&r.time, 2003);
    vtime_vcpu_run(&r.time, 0);
    at_is(2003, 101);
    at_is(2004, 102);
    at_is(2005, 104); /* 101 + 2 * 3/2 */
}

/* "Another policy from now on; the next decision of figure 5C uses it": AT keeps to its line until then. */
static void another_policy_is_none(void **state)
{
    struct vtime_policy p = policy_of((struct vt_ratio){9, 1});

    (void)state;
    start_at_three_halves(VT_GAP_SMOOTH);
    at_is(2001, 101);
    vtime_set_policy(&r.time, &p);
    at_is(2002, 103);
    assert_int_equal(vtime_deadline(&r.time), 2600);
}

/* A TSC that has shown no more than the latest incident has shown nothing (2.10). */
static void what_was_known_is_none(void **state)
{
    (void)state;
    start_at_three_halves(VT_GAP_SMOOTH);
    vtime_advance(&r.time, 2001);
    vtime_shown(&r.time, 100);
    at_is(2002, 103);
}

/* What a TSC has shown ahead of AT is where AT goes on, for whoever asks for its line as well. */
static void the_line_begins_at_what_was_shown(void **state)
{
    struct vtime_policy p = policy_of((struct vt_ratio){2, 1});

    (void)state;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 1000);
    resume_at(&r, 0);
    run_to(&r, 100);
    assert_true(vtime_outlook(&r.time)->line.ratio != 0); /* slope one */
    vtime_shown(&r.time, 120);
    assert_int_equal(vtime_outlook(&r.time)->line.ratio, 0); /* 880 in 900 */
    assert_int_equal(vtime_now(&r.time), 120);
    at_is(550, 560);
}

/* A lag of one unit is a lag: 2.3's "whenever the head of the queue changes without one [event]; then ...
 * when the lag exceeds K1". At 5/4 the two units up to the event take 1.6, so the unit is not made good by
 * it. */
static void a_lag_of_one_unit_counts(void **state)
{
    struct vtime_policy p = policy_of((struct vt_ratio){5, 4});

    (void)state;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 50);
    resume_at(&r, 0);
    stop_at(&r, 48);
    resume_at(&r, 49);
    assert_int_equal(vtime_lag(&r.time), 1);
    assert_int_equal(vtime_mode(&r.time), VT_CATCHUP);
    run_to(&r, 51);
    expect_event(&r, 0, 51, 50, 0, VT_CATCHUP); /* 49 + 1.6 */
}

/* With no timer armed, too, and at the rate of the policy of now (2.4: AT_L + C * (RT_C - RT_L)). */
static void a_lag_of_one_unit_is_made_good(void **state)
{
    struct vtime_policy p = policy_of((struct vt_ratio){1, 1});

    (void)state;
    time_rig_init(&r, &p, 0);
    resume_at(&r, 0);
    stop_at(&r, 48);
    p.c = (struct vt_ratio){2, 1};
    vtime_set_policy(&r.time, &p);
    resume_at(&r, 49);
    assert_int_equal(vtime_lag(&r.time), 1);
    at_is(50, 50);
    assert_int_equal(vtime_lag(&r.time), 0);
}

/* A leap goes forward or not at all: what has been seen past the present is not taken back, and none of it
 * is leapt (2.7, 2.12). */
static void a_leap_takes_nothing_back(void **state)
{
    struct vtime_policy p = policy_of((struct vt_ratio){2, 1});

    (void)state;
    p.leap = 10;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 100);
    resume_at(&r, 0);
    stop_at(&r, 50);
    vtime_shown(&r.time, 130);
    resume_at(&r, 115);
    vtime_advance(&r.time, 115);
    expect_event(&r, 0, 115, 115, 0, VT_LEAP);
    assert_int_equal(vtime_peek(&r.time), 130);
    assert_int_equal(r.time.account.leapt, 0);
    assert_null(vtime_check(&r.time));
}

/* What a vCPU had the processor for without executing, is one if its gate is closed: the gate opens later. */
static void less_progress_is_one_if_a_gate_is_closed(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.progress = 50;
    p.round = 10000;
    time_rig_init(&r, &p, 0);
    r.timer[1].v.vcpu = 1;
    resume_at(&r, 0);
    vtime_vcpu_wake(&r.time, 1);
    vtime_vcpu_run(&r.time, 1);
    run_to(&r, 90);
    rt_t incident = r.time.rt_l;
    vtime_advance_without(&r.time, 1, 95);
    assert_int_equal(r.time.rt_l, incident);
    assert_int_equal(r.time.cpu[1].since, 5);
    every(&r, 1, 100, 30);
    run_to(&r, 120); /* its event at 100; the next, at 130, waits for M */
    assert_int_equal(vtime_outlook(&r.time)->deadline, 150);
    vtime_advance_without(&r.time, 1, 140);
    assert_int_equal(r.time.rt_l, 120); /* what has been told stays told */
    assert_int_equal(vtime_outlook(&r.time)->deadline, 170);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p0110_a_loss_with_gap_jump_is_none),
        cmocka_unit_test(p0110_a_loss_with_gap_smooth_is_one),
        cmocka_unit_test(another_policy_is_none),
        cmocka_unit_test(what_was_known_is_none),
        cmocka_unit_test(less_progress_is_one_if_a_gate_is_closed),
        cmocka_unit_test(the_line_begins_at_what_was_shown),
        cmocka_unit_test(a_lag_of_one_unit_counts),
        cmocka_unit_test(a_lag_of_one_unit_is_made_good),
        cmocka_unit_test(a_leap_takes_nothing_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
