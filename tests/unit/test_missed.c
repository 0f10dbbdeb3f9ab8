/* "dropping any backlog" ([0112]), by choice and for one timer: missed=compress|skip|collapse. */
#include "tests/unit/support/time_rig.h"

static struct time_rig r;

static void start(const struct vtime_policy *p)
{
    time_rig_init(&r, p, 0);
}

/* Lost from 48 to 113. AT keeps to its line whatever is dropped. */
static void missed(enum vt_missed how, uint64_t delivered, uint64_t dropped)
{
    struct vtime_policy p = vtime_policy_figure7();
    struct vt_ticks k;

    start(&p);
    every(&r, 0, 8, 8);
    r.timer[0].v.missed = how;
    every(&r, 1, 10, 10);
    resume_at(&r, 0);
    stop_at(&r, 48);
    resume_at(&r, 113);
    run_to(&r, 400);
    vtime_ticks(&r.time, &r.timer[0].v, &k);
    assert_int_equal(k.due, 50);
    assert_int_equal(k.delivered, delivered);
    assert_int_equal(k.dropped, dropped);
    vtime_ticks(&r.time, &r.timer[1].v, &k);
    assert_int_equal(k.delivered, 40); /* the other timer loses nothing */
    assert_int_equal(vtime_lag(&r.time), 0);
}

static void p0112_missed_compress(void **state)
{
    (void)state;
    missed(VT_COMPRESS, 50, 0);
}

/* At 113 the tick for 48 is delivered, for all up to 112. AT is at 120 at 149: that one is for all up to 144.
 * AT is at 152 at 165: for 160 as well. 168 comes at 173, less than a period late. */
static void p0112_missed_collapse(void **state)
{
    (void)state;
    missed(VT_COLLAPSE, 38, 12);
    expect_event(&r, 9, 113, 48, 0, VT_NORMAL);
    assert_int_equal(r.event[9].dropped, 8);
}

static enum vt_outcome count_event(void *self, at_t at)
{
    (void)at;
    ++*(unsigned int *)self;
    return VT_DELIVERED;
}

static void p0112_missed_skip(void **state)
{
    static const struct vtimer_ops ops = {.event = count_event};
    struct vtime_policy p = vtime_policy_figure7();
    struct vt_schedule s = {.first = 8, .period_num = 8, .period_den = 1};
    struct vtime t;
    struct vtimer timer;
    struct vt_ticks k;
    unsigned int events = 0;

    (void)state;
    p.missed = VT_SKIP;
    p.leap = 500;
    vtime_init(&t, &p, 1, 0);
    vtime_attach(&t, &timer, "rtc-periodic", &ops, &events, 0);
    vtime_set(&t, &timer, &s);
    vtime_vcpu_run(&t, 0);
    vtime_advance(&t, 47);
    assert_int_equal(events, 5);
    vtime_latch(&t, 48);
    vtime_vcpu_stop(&t, 0);
    vtime_latch(&t, 54); /* not a whole period late: nothing is missed */
    vtime_vcpu_run(&t, 0);
    vtime_advance(&t, 54);
    assert_int_equal(events, 6);
    vtime_advance(&t, 71);
    assert_int_equal(events, 8);
    vtime_latch(&t, 72);
    vtime_vcpu_stop(&t, 0);
    vtime_latch(&t, 113);
    vtime_vcpu_run(&t, 0);
    vtime_advance(&t, 113);
    assert_int_equal(events, 8); /* 72 to 112 are dropped, */
    vtime_ticks(&t, &timer, &k);
    assert_int_equal(k.dropped, 6);
    assert_int_equal(k.pending, 0);
    assert_int_equal(vtime_peek(&t), 72);      /* AT is on its line, not at the present, */
    assert_int_equal(vtime_deadline(&t), 120); /* which takes it there by the next event */
    vtime_advance(&t, 120);
    assert_int_equal(events, 9);
    vtime_advance(&t, 145);
    assert_int_equal(events, 12);
    assert_null(vtime_check(&t));
    vtime_latch(&t, 146);
    vtime_vcpu_stop(&t, 0);
    vtime_latch(&t, 1000);
    vtime_vcpu_run(&t, 0);
    vtime_advance(&t, 1000); /* "every timer with events at or before it delivers one" in a leap */
    assert_int_equal(events, 13);
    assert_null(vtime_check(&t));
}

static void p0112_missed_by_name(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();

    (void)state;
    start(&p);
    r.timer[0].v.name = "rtc-periodic";
    r.timer[1].v.name = "rtc";
    r.timer[2].v.name = "rtcx";
    r.timer[3].v.name = "rt";
    assert_true(vtime_missed(&r.time, "rtc", VT_SKIP));
    assert_int_equal(r.timer[0].v.missed, VT_SKIP);
    assert_int_equal(r.timer[1].v.missed, VT_SKIP);
    assert_int_equal(r.timer[2].v.missed, VT_COMPRESS);
    assert_int_equal(r.timer[3].v.missed, VT_COMPRESS);
    assert_false(vtime_missed(&r.time, "pit", VT_SKIP));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p0112_missed_compress),
        cmocka_unit_test(p0112_missed_collapse),
        cmocka_unit_test(p0112_missed_skip),
        cmocka_unit_test(p0112_missed_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
