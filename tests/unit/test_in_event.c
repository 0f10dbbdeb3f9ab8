/* What a timer's own event may do with the clock (DESIGN.md 2.3, 2.4), and the clock without timers or
 * coordinator (2.10, [0061]). */
#include "tests/unit/support/time_rig.h"

static struct time_rig r;

static struct vtime_policy policy(void)
{
    return vtime_policy_figure7();
}

static struct {
    at_t at, peeked;
    bool line;
    unsigned int came;
} in_event;

/* Looks at the clock by all ways, and arms another timer, which is not of this instant. */
static enum vt_outcome nosy_event(void *self, at_t at)
{
    struct time_rig *rig = self;
    uint64_t offset;

    in_event.came++;
    in_event.at = at;
    in_event.peeked = vtime_peek(&rig->time);
    in_event.line = vtime_line(&rig->time, &offset);
    once(rig, 1, at + 30);
    return VT_DELIVERED;
}

static void attach_nosy(struct vtimer *timer, bool naive)
{
    static const struct vtimer_ops nosy = {.event = nosy_event};
    struct vtime_policy p = policy();
    struct vt_schedule s = {.first = 100, .period_den = 1};

    p.naive = naive;
    time_rig_init(&r, &p, 0);
    vtime_attach(&r.time, timer, "nosy", &nosy, &r, 0);
    resume_at(&r, 0);
    vtime_set(&r.time, timer, &s);
    in_event.came = 0;
}

/* AT stands at the event until its callback has returned, whenever that is; the other timer comes in its
 * place. */
static void test_the_clock_in_an_event(void **state)
{
    struct vtimer timer;

    (void)state;
    for (unsigned int naive = 0; naive < 2; naive++) {
        attach_nosy(&timer, naive != 0);
        once(&r, 1, 500);
        once(&r, 2, 120);
        vtime_advance(&r.time, 104);
        assert_int_equal(in_event.came, 1);
        assert_int_equal(in_event.at, 100);
        assert_int_equal(in_event.peeked, 100);
        assert_false(in_event.line);
        vtime_advance(&r.time, 120);
        vtime_advance(&r.time, 130);
        assert_int_equal(r.events, 3);
        expect_event(&r, 1, 120, 120, 2, VT_NORMAL);
        expect_event(&r, 2, 130, 130, 1, VT_NORMAL);
        vtime_advance(&r.time, 600); /* nothing is armed any more */
        assert_int_equal(r.events, 3);
        assert_int_equal(vtime_deadline(&r.time), RT_NEVER);
    }
}

/* Without a coordinator the TSC is real time, and nobody has to be taken out for it. */
static void test_the_outlook_without_a_coordinator(void **state)
{
    struct vtime_policy p = policy();
    const struct vt_outlook *o;

    (void)state;
    p.naive = true;
    time_rig_init(&r, &p, 70);
    resume_at(&r, 70);
    once(&r, 0, 100);
    vtime_advance(&r.time, 80);
    o = vtime_outlook(&r.time);
    assert_int_equal(o->deadline, 170);
    assert_int_equal(o->until, 170);
    assert_true(o->line.ratio == 1 && o->line.offset + 80 == 10);
}

/* What a TSC has shown is AT, but an overshoot only past an event that is still to come. */
static void test_shown_before_any_event(void **state)
{
    struct vtime_policy p = policy();

    (void)state;
    time_rig_init(&r, &p, 0);
    resume_at(&r, 0);
    vtime_advance(&r.time, 50);
    vtime_shown(&r.time, 60); /* no timer is armed */
    assert_int_equal(vtime_peek(&r.time), 60);
    assert_int_equal(r.time.account.max_overshoot, 0);
    once(&r, 0, 100);
    vtime_shown(&r.time, 90); /* before its event */
    assert_int_equal(vtime_peek(&r.time), 90);
    assert_int_equal(r.time.account.max_overshoot, 0);
    vtime_shown(&r.time, 103);
    assert_int_equal(r.time.account.max_overshoot, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_clock_in_an_event),
        cmocka_unit_test(test_the_outlook_without_a_coordinator),
        cmocka_unit_test(test_shown_before_any_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
