/* What the patent says beyond its main embodiment, and what a VM's settings choose: one test for each
 * paragraph, named after it. The main embodiment's own numbers are in tests/golden/ and test_queue.c. */
#include "tests/unit/support/time_rig.h"

#include "timers/monitor.h"

static struct time_rig r;

static void start(const struct vtime_policy *p)
{
    time_rig_init(&r, p, 0);
}

/* Runs [0, 48), loses the processor, and has it back at 113: figures 3B and 7. */
static void lose_48_to_113(void)
{
    resume_at(&r, 0);
    stop_at(&r, 48);
    resume_at(&r, 113);
    run_to(&r, 113);
}

/* ---- [0061]-[0066]: time=naive ---- */

static void p0065_without_coordination(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    uint64_t offset;

    (void)state;
    p.naive = true;
    start(&p);
    every(&r, 0, 8, 32);
    every(&r, 1, 8, 48);
    once(&r, 2, 62);
    lose_48_to_113();
    assert_int_equal(vtime_peek(&r.time), 113); /* its clocks ran on, ... */
    assert_int_equal(vtime_lag(&r.time), 0);
    run_to(&r, 177);
    expect_event(&r, 3, 113, 72, 0, VT_NORMAL);
    expect_event(&r, 4, 113, 56, 1,
                 VT_NORMAL); /* ... and "the timer event 364B no longer occurs before 362C" */
    expect_event(&r, 5, 113, 62, 2, VT_NORMAL);
    expect_event(&r, 6, 115, 104, 0, VT_NORMAL); /* "is now 2 units of time, instead of 32" */
    expect_event(&r, 7, 115, 104, 1, VT_NORMAL);
    expect_event(&r, 8, 136, 136, 0, VT_NORMAL);
    expect_event(&r, 9, 152, 152, 1, VT_NORMAL);
    expect_event(&r, 10, 168, 168, 0, VT_NORMAL);
    assert_int_equal(r.events, 11);
    assert_true(vtime_line(&r.time, &offset));
    assert_int_equal(offset, 0);
}

static void p0065_naive_accounts_balance_through_a_pause(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    uint64_t offset;

    (void)state;
    p.naive = true;
    start(&p);
    every(&r, 0, 10, 10);
    resume_at(&r, 0);
    run_to(&r, 25);
    vtime_pause(&r.time);
    vtime_latch(&r.time, 125);
    vtime_unpause(&r.time);
    assert_int_equal(vtime_deadline(&r.time), 130);
    assert_true(vtime_line(&r.time, &offset));
    assert_int_equal(offset, (uint64_t)-100);
    run_to(&r, 131);
    assert_int_equal(vtime_now(&r.time), 31);
    expect_event(&r, 2, 130, 30, 0, VT_NORMAL);
    vtime_clear(&r.time, &r.timer[0].v);
    assert_int_equal(vtime_deadline(&r.time), RT_NEVER);
    every(&r, 0, 20, 10); /* for the past: at once, and no pending event comes before it */
    assert_int_equal(vtime_deadline(&r.time), 131);
    run_to(&r, 150);
    expect_event(&r, 3, 131, 31, 0, VT_NORMAL);
    expect_event(&r, 4, 141, 41, 0, VT_NORMAL);
}

/* A busy timer's backlog is delivered in turns, and its deadline is in the past meanwhile. */
/* A tick whose moment is just that at which the one before it comes was pending, too; and one call delivers
 * what is due of all timers. */
static void p0065_pending_to_the_unit(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.naive = true;
    start(&p);
    every(&r, 0, 72, 32);
    once(&r, 1, 73);
    resume_at(&r, 0);
    stop_at(&r, 48);
    resume_at(&r, 104);
    vtime_advance(&r.time, 105);
    assert_int_equal(r.events, 2);
    expect_event(&r, 0, 104, 72, 0, VT_NORMAL);
    expect_event(&r, 1, 104, 73, 1, VT_NORMAL);
    run_to(&r, 110);
    expect_event(&r, 2, 106, 104, 0, VT_NORMAL);
}

/* What was programmed anew is not what was pending: due at once, in the very unit of the last event. */
static void p0065_programmed_anew(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.naive = true;
    start(&p);
    once(&r, 0, 10);
    resume_at(&r, 0);
    run_to(&r, 10);
    once(&r, 0, 10);
    assert_int_equal(vtime_deadline(&r.time), 10);
}

static void p0065_many_pending_events(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.naive = true;
    start(&p);
    every(&r, 0, 1, 1);
    resume_at(&r, 0);
    stop_at(&r, 1);
    vtime_latch(&r.time, 1000);
    vtime_vcpu_run(&r.time, 0);
    assert_int_equal(vtime_deadline(&r.time), 1000);
    vtime_latch(&r.time, 2000);
    vtime_advance(&r.time, 2000);
    assert_int_equal(r.events, VT_MAX_INSTANTS);
    assert_int_equal(vtime_deadline(&r.time), 1000 + 2 * VT_MAX_INSTANTS);
}

/* ---- [0083], [0084]: how an event's moment is noticed ---- */

static rt_t armed;

static void on_arm(void *ctx, rt_t deadline)
{
    (void)ctx;
    armed = deadline;
}

static const struct coordinator_alarm_ops alarm_ops = {.arm = on_arm};

static void p0083_polling(void **state)
{
    struct coordinator c;
    struct deadline a;
    struct deadline b;

    (void)state;
    coordinator_init(&c, &alarm_ops, NULL);
    coordinator_poll(&c, 100);
    deadline_init(&a, &a);
    deadline_init(&b, &b);
    coordinator_set(&c, &a, 205);
    coordinator_arm(&c, RT_NEVER);
    assert_int_equal(armed, 300);                    /* "notices that the real time ... has arrived" */
    assert_int_equal(coordinator_arm(&c, 101), 200); /* the running VM's own, too */
    coordinator_set(&c, &b, 200);
    assert_int_equal(coordinator_next(&c, RT_NEVER), 200);
    assert_int_equal(armed, 200);
    assert_true(coordinator_check(&c));
    assert_ptr_equal(coordinator_due(&c, 200), &b);
    assert_null(coordinator_due(&c, 204));
    assert_ptr_equal(coordinator_due(&c, 205), &a); /* whoever looks between two polls is not sent away */
    assert_int_equal(coordinator_next(&c, RT_NEVER), RT_NEVER);
    coordinator_set(&c, &a, RT_NEVER - 1);
    assert_true(coordinator_next(&c, RT_NEVER) == RT_NEVER);
    coordinator_set(&c, &a, 301);
    coordinator_poll(&c, 0);
    coordinator_arm(&c, RT_NEVER);
    assert_int_equal(armed, 301);
}

/* Polled, an event comes late to the guest; that is latency and not lag, and AT's line does not bend. */
static void p0083_polling_is_latency(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    struct vt_ledger l;

    (void)state;
    start(&p);
    every(&r, 0, 8, 32);
    resume_at(&r, 0);
    for (rt_t rt = 0; rt <= 1000; rt += 10) {
        vtime_advance(&r.time, rt);
        assert_int_equal(vtime_now(&r.time), rt);
        assert_null(vtime_check(&r.time));
    }
    assert_int_equal(r.events, 32);
    expect_event(&r, 31, 1000, 1000, 0, VT_NORMAL);
    vtime_ledger(&r.time, &l);
    assert_int_equal(l.max_latency, 8);
    vtime_shown(&r.time, 1040); /* an exit-free TSC: 8 past the event for 1032 */
    vtime_ledger(&r.time, &l);
    assert_int_equal(l.max_overshoot, 8);
}

static void p0084_several_events(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    struct coordinator c;
    struct deadline own;

    (void)state;
    start(&p);
    coordinator_init(&c, &alarm_ops, NULL);
    deadline_init(&own, &r);
    every(&r, 0, 8, 32);
    every(&r, 1, 8, 48);
    once(&r, 2, 62);
    assert_int_equal(vtime_deadline_of(&r.time, &r.timer[0].v), RT_NEVER);
    resume_at(&r, 0);
    run_to(&r, 41);
    monitor_each(&c, &own, &r.time, vtime_deadline(&r.time));
    assert_int_equal(r.timer[0].v.watch.at, 72);
    assert_int_equal(r.timer[1].v.watch.at, 56);
    assert_int_equal(r.timer[2].v.watch.at, 62);
    assert_false(deadline_waits(&r.timer[3].v.watch));
    assert_false(deadline_waits(&own));
    assert_ptr_equal(r.timer[2].v.watch.owner, &r);
    assert_int_equal(coordinator_arm(&c, RT_NEVER), 56);
    assert_int_equal(armed, 56);
    stop_at(&r, 48);
    monitor_each(&c, &own, &r.time, vtime_deadline(&r.time));
    coordinator_arm(&c, RT_NEVER);
    assert_int_equal(armed, RT_NEVER);
    resume_at(&r, 113);
    run_to(&r, 121);
    monitor_each(&c, &own, &r.time, vtime_deadline(&r.time));
    assert_int_equal(r.timer[0].v.watch.at, 137); /* both are at 104 */
    assert_int_equal(r.timer[1].v.watch.at, 137);
    assert_int_equal(coordinator_arm(&c, RT_NEVER), 137);
    assert_int_equal(armed, 137);
    once(&r, 3, 120);
    assert_int_equal(vtime_deadline_of(&r.time, &r.timer[3].v), 145); /* 121 + 48/2 */
    vtime_clear(&r.time, &r.timer[3].v);
    run_to(&r, 170); /* level again: AT 172 would be 171 at the fast rate, and comes at 172 */
    every(&r, 3, 300, 100);
    assert_int_equal(vtime_deadline_of(&r.time, &r.timer[3].v), 300);
}

/* With naive timers each has a moment of its own anyway. */
static void p0084_several_events_of_naive_timers(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.naive = true;
    start(&p);
    every(&r, 0, 8, 32);
    every(&r, 1, 8, 48);
    lose_48_to_113();
    assert_int_equal(vtime_deadline_of(&r.time, &r.timer[0].v), 115);
    assert_int_equal(vtime_deadline_of(&r.time, &r.timer[1].v), 115);
    assert_int_equal(vtime_deadline_of(&r.time, &r.timer[2].v), RT_NEVER);
}

/* ---- [0094]: the rate ---- */

static void p0094_fixed_rate(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    struct vt_ledger l;

    (void)state;
    p.c = (struct vt_ratio){3, 1}; /* "the constant C has been selected to be 3" */
    start(&p);
    every(&r, 0, 10, 10);
    lose_48_to_113();                               /* AT 50 at once */
    assert_int_equal(vtime_deadline(&r.time), 117); /* 113 + 10/3 */
    run_to(&r, 300);
    assert_int_equal(vtime_lag(&r.time), 0);
    vtime_ledger(&r.time, &l);
    assert_int_equal(l.catchups, 1);
}

static void p0094_decelerates(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    rt_t last = 0;
    rt_t shortest = 0;

    (void)state;
    p.rate = VT_RATE_ADAPTIVE;
    p.tau = 100;
    p.maxrate = (struct vt_ratio){8, 1};
    start(&p);
    every(&r, 0, 1000, 1000);
    resume_at(&r, 0);
    stop_at(&r, 1500);
    resume_at(&r, 2300); /* 800 behind */
    run_to(&r, 20000);
    for (size_t i = 1; i < r.events; i++) {
        rt_t interval = r.event[i].rt - last;

        if (i > 1) {
            assert_true(interval >= shortest); /* "the apparent time could decelerate" */
        }
        shortest = i > 1 ? interval : 0;
        last = r.event[i].rt;
    }
    assert_int_equal(vtime_lag(&r.time), 0);
    expect_event(&r, r.events - 1, 20000, 20000, 0, VT_NORMAL);
}

/* "faster the further behind ... up to maxrate" (2.8): no interval is shorter than a period at that rate, and
 * those of a large lag are just that. */
static void p0094_maxrate(void **state)
{
    static const unsigned int rates[] = {2, 5, 8};

    (void)state;
    for (size_t k = 0; k < sizeof(rates) / sizeof(rates[0]); k++) {
        struct vtime_policy p = vtime_policy_figure7();

        p.rate = VT_RATE_ADAPTIVE;
        p.maxrate = (struct vt_ratio){rates[k], 1};
        start(&p);
        every(&r, 0, 1000, 1000);
        resume_at(&r, 0);
        stop_at(&r, 1500);
        resume_at(&r, 9500); /* 8000 behind, 125 times tau */
        run_to(&r, 40000);
        assert_int_equal(r.event[3].rt - r.event[2].rt, 1000 / rates[k]);
        for (size_t i = 3; i < r.events; i++) {
            assert_true(r.event[i].rt - r.event[i - 1].rt >= 1000 / rates[k]);
        }
        assert_int_equal(vtime_lag(&r.time), 0);
    }
}

/* ---- [0110]: what a read sees; gap= ---- */

/* Figure 7: "AT_L = 72, RT_C = 130, RT_N = 137, RT_L = 121, and AT_N = 104 ... to be 90". */
static void p0110_a_read(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    start(&p);
    every(&r, 0, 8, 32);
    every(&r, 1, 8, 48);
    once(&r, 2, 62);
    lose_48_to_113();
    run_to(&r, 130);
    assert_int_equal(vtime_now(&r.time), 90);
}

/* Between two events with the processor lost from 48 to 60: the equation as it stands has AT run on, ... */
static void p0110_gap_jump(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.gap = VT_GAP_JUMP;
    start(&p);
    every(&r, 0, 100, 100);
    resume_at(&r, 0);
    stop_at(&r, 48);
    assert_int_equal(vtime_peek(&r.time), 48);
    resume_at(&r, 60);
    assert_int_equal(vtime_now(&r.time), 60);
    assert_int_equal(vtime_lag(&r.time), 0);
}

/* ... and by default a guest sees no hole: AT goes on from where it stood, and closes the gap at the rate. */
static void p0110_gap_smooth(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    start(&p);
    every(&r, 0, 60, 60);
    resume_at(&r, 0);
    stop_at(&r, 48);
    resume_at(&r, 59);
    assert_int_equal(vtime_now(&r.time), 48);
    assert_int_equal(vtime_lag(&r.time), 11);
    run_to(&r, 62);
    assert_int_equal(vtime_now(&r.time), 54);
    run_to(&r, 65);
    expect_event(&r, 0, 65, 60, 0, VT_CATCHUP);
    run_to(&r, 120);
    assert_int_equal(vtime_lag(&r.time), 0);
}

/* The same where an event's moment has passed that no processor would hear of: it is not delivered at once
 * (which AT would jump for), nor lost. */
static void p0110_gap_with_a_masked_event(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    start(&p);
    every(&r, 0, 60, 60);
    r.timer[0].masked = true;
    resume_at(&r, 0);
    stop_at(&r, 48);
    resume_at(&r, 113);
    vtime_advance(&r.time, 113);
    assert_int_equal(vtime_now(&r.time), 48);
    assert_int_equal(vtime_lag(&r.time), 65);
    run_to(&r, 119);
    expect_event(&r, 0, 119, 60, 0, VT_CATCHUP);
    r.timer[0].masked = false;
    stop_at(&r, 140);
    resume_at(&r, 200);
    vtime_advance(&r.time, 200);
    expect_event(&r, 1, 200, 120, 0, VT_CATCHUP);
}

/* ---- [0111]-[0112]: progress= and leap= ---- */

static void p0111_minimum_progress(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.progress = 7;
    start(&p);
    every(&r, 0, 8, 8);
    r.timer[1].v.progress = 20; /* "may vary between the multiple virtual timers" */
    once(&r, 1, 16);
    resume_at(&r, 0);
    run_to(&r, 100);
    expect_event(&r, 0, 8, 8, 0, VT_NORMAL);
    expect_event(&r, 1, 16, 16, 0, VT_NORMAL);
    expect_event(&r, 2, 16, 16, 1, VT_NORMAL);
    expect_event(&r, 3, 36, 24, 0, VT_NORMAL);
    expect_event(&r, 4, 43, 32, 0, VT_CATCHUP);
}

/* A gate at the whole part of FAST does not cut the fraction off: 116 is before 116 1/3. */
static void p0111_a_gate_just_before_the_event(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.c = (struct vt_ratio){3, 1};
    p.progress = 3;
    start(&p);
    every(&r, 0, 10, 10);
    lose_48_to_113();
    run_to(&r, 116);
    assert_int_equal(vtime_now(&r.time), 59);
}

static void p0112_leap(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    p.leap = 50;
    start(&p);
    every(&r, 0, 8, 8);
    once(&r, 1, 60);
    lose_48_to_113(); /* the event for 48 is 65 late */
    expect_event(&r, 5, 113, 113, 0, VT_LEAP);
    assert_int_equal(r.event[5].dropped, 8); /* 48, 56 ... 112, but for one */
    expect_event(&r, 6, 113, 113, 1, VT_LEAP);
    assert_int_equal(vtime_lag(&r.time), 0);
    run_to(&r, 120);
    expect_event(&r, 7, 120, 120, 0, VT_NORMAL); /* on its old grid */
}

/* ---- [0115]: hyst=, k1=, k2= ---- */

static void hysteresis(enum vt_hyst hyst, rt_t lost_until, enum vt_mode after, rt_t level_at)
{
    struct vtime_policy p = vtime_policy_figure7();
    size_t i = 0;

    p.k1 = 20;
    p.k2 = 6;
    p.hyst = hyst;
    start(&p);
    every(&r, 0, 10, 10);
    resume_at(&r, 0);
    stop_at(&r, 48);
    resume_at(&r, lost_until);
    run_to(&r, 400);
    while (i < r.events && r.event[i].at != 60) {
        i++;
    }
    assert_int_equal(r.event[i].mode, after); /* of the second event after the loss */
    if (after == VT_NORMAL) {
        return;
    }
    while (i < r.events && r.event[i].mode == VT_CATCHUP) {
        i++;
    }
    assert_int_equal(r.event[i].rt, level_at);
}

/* NRT of the event for 50 is 50, and of the next 60. */
static void p0115_k1_and_k2(void **state)
{
    (void)state;
    hysteresis(VT_HYST_5C, 80, VT_NORMAL, 0);
    hysteresis(VT_HYST_5C, 81, VT_CATCHUP, 130);
}

static void p0115_rtc(void **state)
{
    (void)state;
    hysteresis(VT_HYST_RTC, 80, VT_NORMAL, 0);
    hysteresis(VT_HYST_RTC, 81, VT_CATCHUP, 120);
}

static void p0115_artp(void **state)
{
    (void)state;
    hysteresis(VT_HYST_ARTP, 70, VT_NORMAL, 0);
    hysteresis(VT_HYST_ARTP, 71, VT_CATCHUP, 120);
}

#define T(f) cmocka_unit_test(f)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(p0065_without_coordination),
        T(p0065_naive_accounts_balance_through_a_pause),
        T(p0065_pending_to_the_unit),
        T(p0065_programmed_anew),
        T(p0065_many_pending_events),
        T(p0083_polling),
        T(p0083_polling_is_latency),
        T(p0084_several_events),
        T(p0084_several_events_of_naive_timers),
        T(p0094_fixed_rate),
        T(p0094_decelerates),
        T(p0094_maxrate),
        T(p0110_a_read),
        T(p0110_gap_jump),
        T(p0110_gap_smooth),
        T(p0110_gap_with_a_masked_event),
        T(p0111_minimum_progress),
        T(p0111_a_gate_just_before_the_event),
        T(p0112_leap),
        T(p0115_k1_and_k2),
        T(p0115_rtc),
        T(p0115_artp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
