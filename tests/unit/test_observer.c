/* What a VM's time tells its observer besides its events (struct vtime_observer): DESIGN.md section 3
 * ("trace").
 */
#include <string.h>

#include "tests/unit/support/time_rig.h"

static struct time_rig rig;

/* The last call of each kind. */
static struct {
    unsigned int sets, accesses, leaps, moves, decisions;
    enum vt_mode mode;
    uint64_t rate; /* C, a whole one */
    rt_t rt_n;     /* RT_NEVER: no timer is armed */
    const struct vtimer *timer;
    bool armed, moving;
    rt_t rt;
    at_t at;
    uint64_t number; /* cancelled, or leapt */
} seen;

static void on_set(void *ctx, const struct vtimer *timer, rt_t rt, uint64_t cancelled)
{
    assert_ptr_equal(ctx, &rig);
    seen.sets++;
    seen.timer = timer;
    seen.armed = timer->armed;
    seen.at = timer->at;
    seen.rt = rt;
    seen.number = cancelled;
}

static void on_access(void *ctx, rt_t rt, at_t at)
{
    assert_ptr_equal(ctx, &rig);
    seen.accesses++;
    seen.rt = rt;
    seen.at = at;
}

static void on_leap(void *ctx, rt_t rt, at_t at, at_t leapt)
{
    assert_ptr_equal(ctx, &rig);
    seen.leaps++;
    seen.rt = rt;
    seen.at = at;
    seen.number = leapt;
}

static void on_move(void *ctx, rt_t rt, at_t at, bool moving)
{
    assert_ptr_equal(ctx, &rig);
    seen.moves++;
    seen.rt = rt;
    seen.at = at;
    seen.moving = moving;
}

static void on_decide(void *ctx, rt_t rt, enum vt_mode mode, struct vt_ratio c, const struct vt_moment *rt_n)
{
    assert_ptr_equal(ctx, &rig);
    seen.decisions++;
    seen.rt = rt;
    seen.mode = mode;
    seen.rate = c.num / c.den;
    seen.rt_n = rt_n != NULL ? vt_moment_ceil(rt_n) : RT_NEVER;
}

/* Figure 7's policy, a leap beyond 50, and AT running from RT 0. */
static void start(const struct vtime_observer *observer)
{
    struct vtime_policy policy = vtime_policy_figure7();

    policy.leap = 50;
    time_rig_init(&rig, &policy, 0);
    memset(&seen, 0, sizeof(seen));
    vtime_observe(&rig.time, observer, &rig);
    vtime_vcpu_run(&rig.time, 0);
}

static int set_up(void **state)
{
    static const struct vtime_observer observer = {
        .set = on_set, .access = on_access, .leap = on_leap, .move = on_move, .decide = on_decide};

    (void)state;
    start(&observer);
    return 0;
}

static void lose_and_resume(rt_t lost, rt_t back)
{
    vtime_advance(&rig.time, lost);
    vtime_vcpu_stop(&rig.time, 0);
    vtime_latch(&rig.time, back);
    vtime_vcpu_run(&rig.time, 0);
}

static void timers_are_numbered(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < RIG_TIMERS; i++)
        assert_int_equal(rig.timer[i].v.id, i);
}

static void sets_and_clears(void **state)
{
    (void)state;
    every(&rig, 1, 10, 20);
    assert_int_equal(seen.sets, 1);
    assert_ptr_equal(seen.timer, &rig.timer[1].v);
    assert_true(seen.armed && seen.at == 10 && seen.rt == 0 && seen.number == 0);
    lose_and_resume(5, 40);
    once(&rig, 1, 100); /* the events of 10 and 30 were pending */
    assert_int_equal(seen.sets, 2);
    assert_true(seen.armed && seen.at == 100 && seen.rt == 40 && seen.number == 2);
    vtime_clear(&rig.time, &rig.timer[1].v);
    assert_int_equal(seen.sets, 3);
    assert_true(!seen.armed && seen.number == 0);
    vtime_clear(&rig.time, &rig.timer[1].v);
    assert_int_equal(seen.sets, 3); /* it was not armed */
}

static void accesses(void **state)
{
    (void)state;
    once(&rig, 0, 1000);
    vtime_advance(&rig.time, 7);
    (void)vtime_peek(&rig.time);
    assert_int_equal(seen.accesses, 0);
    assert_int_equal(vtime_now(&rig.time), 7);
    assert_int_equal(seen.accesses, 1);
    assert_true(seen.rt == 7 && seen.at == 7);
}

static void moves(void **state)
{
    (void)state;
    assert_int_equal(seen.moves, 1);
    assert_true(seen.moving && seen.rt == 0 && seen.at == 0);
    vtime_advance(&rig.time, 5);
    vtime_vcpu_stop(&rig.time, 0);
    assert_int_equal(seen.moves, 2);
    assert_true(!seen.moving && seen.rt == 5 && seen.at == 5);
    vtime_latch(&rig.time, 25);
    vtime_vcpu_run(&rig.time, 0);
    assert_int_equal(seen.moves, 3);
    assert_true(seen.moving && seen.rt == 25 && seen.at == 5);
}

/* With gap=jump AT is at the present at once. */
static void moves_in_a_jump(void **state)
{
    (void)state;
    rig.time.policy.gap = VT_GAP_JUMP;
    lose_and_resume(5, 25);
    assert_int_equal(seen.moves, 3);
    assert_true(seen.moving && seen.rt == 25 && seen.at == 25);
}

static void leaps(void **state)
{
    (void)state;
    every(&rig, 0, 10, 20);
    lose_and_resume(5, 100);
    vtime_advance(&rig.time, 100);
    assert_int_equal(seen.leaps, 1);
    assert_true(seen.rt == 100 && seen.at == 100 && seen.number == 95);
}

/* Figure 5C is asked when the head changes, at each event, and at a resumption. */
static void decisions(void **state)
{
    unsigned int before = seen.decisions;

    (void)state;
    every(&rig, 0, 10, 10);
    assert_int_equal(seen.decisions, before + 1);
    assert_true(seen.rt == 0 && seen.mode == VT_NORMAL && seen.rate == 2 && seen.rt_n == 10);
    vtime_advance(&rig.time, 10);
    assert_int_equal(seen.decisions, before + 2);
    assert_true(seen.rt == 10 && seen.rt_n == 20);
    lose_and_resume(15, 35); /* the tick of 20 comes at 35, and that of 30 by FAST = 35 + 10 / 2 */
    vtime_advance(&rig.time, 35);
    assert_int_equal(seen.decisions, before + 3);
    assert_true(seen.rt == 35 && seen.mode == VT_CATCHUP && seen.rt_n == 40);
    vtime_clear(&rig.time, &rig.timer[0].v);
    assert_int_equal(seen.decisions, before + 4);
    assert_true(seen.mode == VT_CATCHUP && seen.rt_n == RT_NEVER);
}

/* Nobody there, or somebody who wants nothing of it. */
static void nobody_needs_to_look(void **state)
{
    static const struct vtime_observer none;
    const struct vtime_observer *observers[] = {NULL, &none};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        start(observers[i]);
        every(&rig, 0, 10, 20);
        (void)vtime_now(&rig.time);
        lose_and_resume(5, 100);
        vtime_advance(&rig.time, 100);
        vtime_clear(&rig.time, &rig.timer[0].v);
        assert_int_equal(vtime_now(&rig.time), 100);
    }
    assert_int_equal(seen.sets + seen.accesses + seen.leaps + seen.moves + seen.decisions, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(timers_are_numbered, set_up),
        cmocka_unit_test_setup(sets_and_clears, set_up),
        cmocka_unit_test_setup(accesses, set_up),
        cmocka_unit_test_setup(moves, set_up),
        cmocka_unit_test_setup(moves_in_a_jump, set_up),
        cmocka_unit_test_setup(leaps, set_up),
        cmocka_unit_test_setup(decisions, set_up),
        cmocka_unit_test(nobody_needs_to_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
