/* The ledger of DESIGN.md 2.12: each of its figures in a life short enough to be worked out by hand, and what
 * is no balance. */
#include "tests/unit/support/time_rig.h"

static struct time_rig r;

static void start(rt_t leap, rt_t progress)
{
    struct vtime_policy p = vtime_policy_figure7();

    p.leap = leap;
    p.progress = progress;
    time_rig_init(&r, &p, 1000);
    resume_at(&r, 1000);
}

static struct vt_ledger ledger(void)
{
    struct vt_ledger l;

    vtime_ledger(&r.time, &l);
    return l;
}

/* Runs [1000, 1100), loses [1100, 1160), is paused [1200, 1230) on its way back: 60 behind, 40 units of RT of
 * catch-up mode at C = 2 are 40 of lag. */
static void every_figure(void **state)
{
    struct vt_ledger l;

    (void)state;
    start(VT_NO_LEAP, 0);
    every(&r, 0, 500, 500);
    stop_at(&r, 1100);
    resume_at(&r, 1160);
    assert_int_equal(ledger().lag, 60);
    assert_int_equal(ledger().at, 100);
    run_to(&r, 1200);
    vtime_pause(&r.time);
    vtime_latch(&r.time, 1220);
    assert_int_equal(ledger().paused, 20);
    vtime_latch(&r.time, 1230);
    vtime_unpause(&r.time);
    run_to(&r, 1300);
    l = ledger();
    assert_int_equal(l.elapsed, 300);
    assert_int_equal(l.paused, 30);
    assert_int_equal(l.at, l.run);
    assert_int_equal(l.leapt, 0);
    assert_int_equal((int64_t)l.elapsed - (int64_t)l.paused - (int64_t)l.at, l.lag);
    assert_int_equal(l.max_lag, 60);
    assert_int_equal(l.leaps, 0);
    /* The next tick, at AT 500, is reached in time without hurry (figure 5C), so this was no catch-up mode.
     */
    assert_int_equal(l.catchups, 0);
    assert_true(vtime_balances(&r.time));
}

static void catchups_leaps_latency_overshoot(void **state)
{
    (void)state;
    start(200, 0);
    every(&r, 0, 100, 100);
    stop_at(&r, 1150);
    /* The tick of 200 is 120 late, that of 300 will be: catch-up mode. */
    resume_at(&r, 1320);
    run_to(&r, 1320);
    assert_int_equal(ledger().catchups, 1);
    run_to(&r, 1600);
    assert_int_equal(ledger().lag, 0);
    stop_at(&r, 1650);
    resume_at(&r, 2000);
    run_to(&r, 2000);
    assert_int_equal(ledger().leaps, 1);
    assert_int_equal(ledger().leapt, 350);
    assert_int_equal(ledger().max_lag, 350);
    vtime_advance(&r.time, 2113); /* RT_N was 2100 */
    assert_int_equal(ledger().max_latency, 13);
    vtime_shown(&r.time, 1207); /* a TSC that ran free; the next tick is at 1200 */
    assert_int_equal(ledger().max_overshoot, 7);
    assert_int_equal(ledger().at, 1207);
    assert_true(vtime_balances(&r.time));
}

/* [0112], DESIGN.md 2.7: an event that a gate holds back past the threshold leaps as a late one does, and
 * that lag is the largest; after it the mode is normal, also where K2 would keep catch-up mode. */
static void leap_behind_a_gate(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.leap = 100;
    p.progress = 1000;
    p.k2 = 100000;
    time_rig_init(&r, &p, 0);
    once(&r, 0, 100);
    once(&r, 1, 110);
    once(&r, 2, 3000);
    resume_at(&r, 0);
    run_to(&r, 1200);
    expect_event(&r, 0, 100, 100, 0, VT_NORMAL);
    expect_event(&r, 1, 1100, 1100, 1, VT_LEAP);
    assert_int_equal(ledger().leaps, 1);
    assert_int_equal(ledger().leapt, 990);
    assert_int_equal(ledger().max_lag, 990);
    assert_int_equal(vtime_mode(&r.time), VT_NORMAL);
    assert_int_equal(vtime_peek(&r.time), 1200);
}

/* Either identity alone is no balance. */
static void what_is_no_balance(void **state)
{
    (void)state;
    start(VT_NO_LEAP, 0);
    every(&r, 0, 500, 500);
    run_to(&r, 1700);
    assert_true(vtime_balances(&r.time));
    r.time.account.paused++; /* RT = run + leapt + lag + paused */
    assert_false(vtime_balances(&r.time));
    r.time.account.paused--;
    r.time.account.run++; /* AT = run + leapt, the other sum holding */
    r.time.account.start--;
    assert_false(vtime_balances(&r.time));
    r.time.account.run--;
    r.time.account.start++;
    r.timer[0].v.ticks.delivered++; /* due = delivered + merged + dropped + cancelled + pending */
    assert_false(vtime_balances(&r.time));
    r.timer[0].v.ticks.delivered--;
    assert_true(vtime_balances(&r.time));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_figure),
        cmocka_unit_test(catchups_leaps_latency_overshoot),
        cmocka_unit_test(leap_behind_a_gate),
        cmocka_unit_test(what_is_no_balance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
