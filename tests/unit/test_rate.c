/* Figure 5C with the patent's own numbers, [0115]'s other forms, and the adaptive rate. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/muldiv.h"
#include "timers/rate.h"

#define BIG (UINT64_C(1) << 62)

static struct vt_question just_after_event(rt_t rt_c, rt_t nrt_p, at_t at_p, at_t at_n)
{
    return (struct vt_question){
        .rt_c = rt_c,
        .at_l = at_p,
        .rt_l = rt_c,
        .at_n = at_n,
        .nrt_n = nrt_p + (at_n - at_p),
        .nrt_p = nrt_p,
        .art_p = rt_c,
        .lag = (int64_t)(rt_c - nrt_p),
    };
}

static enum vt_mode decide(const struct vtime_policy *p, const struct vt_question *q, enum vt_mode mode,
                           rt_t *fast)
{
    struct vt_moment moment = vt_fast(q, p->c);
    enum vt_mode answer = vt_decide_mode(p, q, mode, &moment);

    *fast = vt_moment_ceil(&moment);
    return answer;
}

static void test_the_patents_numbers(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    struct vt_question q;
    rt_t fast;

    (void)state;
    q = just_after_event(40, 40, 40, 56); /* [0099] */
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_NORMAL);
    q = just_after_event(113, 56, 56, 62); /* [0101] */
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_CATCHUP);
    assert_int_equal(fast, 116);
    q = just_after_event(121, 72, 72, 104); /* [0103] */
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_CATCHUP);
    assert_int_equal(fast, 137);
    q = just_after_event(169, 168, 168, 172); /* [0108] */
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_NORMAL);
    assert_int_equal(fast, 171);
}

static void test_fast_is_exact(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    struct vt_question q = just_after_event(100, 0, 0, 10);
    struct vt_moment fast;

    (void)state;
    p.c = (struct vt_ratio){3, 1};
    fast = vt_fast(&q, p.c);
    assert_true(fast.whole == 103 && fast.num == 1 && fast.den == 3);
    p.c = (struct vt_ratio){BIG, BIG - 1};
    q.at_n = BIG;
    q.nrt_n = BIG;
    fast = vt_fast(&q, p.c);
    assert_true(fast.whole == 100 + BIG - 1 && fast.num == 0);
}

static void test_k1_and_k2(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    struct vt_question q = just_after_event(113, 56, 56, 62);
    rt_t fast;

    (void)state;
    p.k1 = 51; /* RT_C = NRT_N + 51 */
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_NORMAL);
    p.k1 = 50;
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_CATCHUP);
    q = just_after_event(169, 168, 168, 180); /* NRT_N 180, FAST 175 */
    p.k2 = 5;
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_NORMAL);
    p.k2 = 6;
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_CATCHUP);
    p.k1 = p.k2 = BIG; /* no sum wraps */
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_NORMAL);
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_CATCHUP);
}

/* [0115] */
static void test_the_other_hystereses(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    struct vt_question q = just_after_event(113, 56, 56, 200); /* NRT_N 200 */
    rt_t fast;

    (void)state;
    p.hyst = VT_HYST_RTC;
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_NORMAL);
    p.k2 = 87;
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_NORMAL);
    p.k2 = 88;
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_CATCHUP);
    p.hyst = VT_HYST_ARTP; /* ART_P 113, NRT_P 56 */
    p.k2 = 0;
    p.k1 = 57;
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_NORMAL);
    p.k1 = 56;
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_CATCHUP);
    q.art_p = 56;
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_NORMAL);
    p.k2 = 1;
    assert_int_equal(decide(&p, &q, VT_CATCHUP, &fast), VT_CATCHUP);
}

static void test_the_lag_counts_where_no_event_came_before(void **state)
{
    struct vtime_policy p = vtime_policy_figure7();
    struct vt_question q = just_after_event(100, 50, 50, 120); /* 50 behind; NRT_N 120, FAST 135 */
    rt_t fast;

    (void)state;
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_NORMAL);
    q.without_event = true;
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_CATCHUP);
    p.k1 = 50;
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_NORMAL);
    p.k1 = 0;
    q.at_n = 170; /* NRT_N 170, FAST 160: the next event in normal mode closes the gap */
    q.nrt_n = 170;
    assert_int_equal(decide(&p, &q, VT_NORMAL, &fast), VT_NORMAL);
}

static int compare(struct vt_ratio a, struct vt_ratio b)
{
    vt_u128 x = vt_mul(a.num, b.den);
    vt_u128 y = vt_mul(b.num, a.den);

    return x < y ? -1 : x > y;
}

/* [0094]: faster the further behind, decelerating as it closes; DESIGN.md 2.8: up to maxrate. */
static void test_adaptive_rate(void **state)
{
    static const struct vt_ratio caps[] = {{4, 1}, {3, 2}, {1, 1}, {BIG, BIG - 7}, {BIG, 1}, {16, 16}};

    (void)state;
    for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++) {
        struct vtime_policy p = vtime_policy_defaults(3000000000u);
        struct vt_ratio before = {1, 1};

        p.maxrate = caps[i];
        assert_true(vtime_policy_valid(&p));
        for (int64_t lag = -5; lag >= -5 && lag < INT64_MAX / 3; lag = lag * 3 / 2 + 7) {
            struct vt_ratio rate = vt_rate_for(&p, lag);

            assert_true(compare(rate, before) >= 0);
            assert_true(compare(rate, caps[i]) <= 0);
            /* always some headway, so that the gap closes in finite time */
            assert_true(lag <= 0 || rate.num > rate.den || caps[i].num == caps[i].den);
            before = rate;
        }
        assert_true(caps[i].num / caps[i].den == BIG || compare(vt_rate_for(&p, INT64_MAX), caps[i]) == 0);
    }
}

static void test_defaults_and_validity(void **state)
{
    struct vtime_policy p = vtime_policy_defaults(2000000000);

    (void)state;
    assert_true(p.rate == VT_RATE_ADAPTIVE && p.gap == VT_GAP_SMOOTH && p.hyst == VT_HYST_5C);
    assert_true(p.k1 == 0 && p.k2 == 0);
    assert_true(p.leap == 120000000000u);
    assert_int_equal(p.progress, 100000);
    p.maxrate = (struct vt_ratio){1, 2};
    assert_false(vtime_policy_valid(&p));
    p.maxrate = (struct vt_ratio){1, 0};
    assert_false(vtime_policy_valid(&p));
    p = vtime_policy_defaults(1);
    assert_true(vtime_policy_valid(&p));
    p.tau = 0;
    assert_false(vtime_policy_valid(&p));
    p = vtime_policy_figure7();
    assert_true(vtime_policy_valid(&p));
    p.leap = RT_NEVER - 1;
    assert_false(vtime_policy_valid(&p));
}

/* Every field: DESIGN.md 2.8's words, and the formula's time constant of 10 ms. */
static void test_each_default(void **state)
{
    struct vtime_policy p = vtime_policy_defaults(1000000000);

    (void)state;
    assert_true(p.rate == VT_RATE_ADAPTIVE && p.gap == VT_GAP_SMOOTH && p.hyst == VT_HYST_5C);
    assert_true(p.c.num == 2 && p.c.den == 1 && p.maxrate.num == 4 && p.maxrate.den == 1);
    assert_true(p.tau == 10000000 && p.k1 == 0 && p.k2 == 0 && p.leap == 60000000000);
    assert_true(p.progress == 50000 && p.round == 100000000);
    assert_true(p.missed == VT_COMPRESS && !p.naive && p.spacing == 839);
    assert_int_equal(vtime_policy_defaults(100).tau, 1);
    assert_int_equal(vtime_policy_defaults(99).tau, 1); /* never 0 */
    p = vtime_policy_figure7();
    assert_true(p.rate == VT_RATE_FIXED && p.c.num == 2 && p.c.den == 1);
    assert_true(p.maxrate.num == 2 && p.maxrate.den == 1 && p.tau == 64 && p.spacing == 2);
    assert_true(p.leap == VT_NO_LEAP && p.round == RT_NEVER && p.progress == 0);
}

/* Level or ahead, the adaptive rate is its least; and an event that AT has passed is no distance away. */
static void test_nothing_to_catch_up(void **state)
{
    struct vtime_policy p = vtime_policy_defaults(1);
    struct vt_question q = {.at_l = 10, .rt_l = 50, .at_n = 9};
    struct vt_moment fast = vt_fast(&q, p.c);

    (void)state;
    assert_true(vt_rate_for(&p, 0).num == 17 && vt_rate_for(&p, 0).den == 16);
    assert_true(vt_rate_for(&p, -5).num == 17);
    assert_true(vt_rate_for(&p, 1).num == 33);
    assert_true(fast.whole == 50 && fast.num == 0);
}

/* Each setting at the first value that is too much, and a lag whose steps no rate could count. */
static void test_the_edges_of_validity(void **state)
{
    const struct vtime_policy valid = vtime_policy_figure7();
    const uint64_t most = AT_LIMIT - 1;
    struct vtime_policy p = valid;

    (void)state;
    p.c = (struct vt_ratio){most, 1};
    p.k1 = p.k2 = p.progress = p.leap = most;
    assert_true(vtime_policy_valid(&p));
    p.c.num = AT_LIMIT;
    assert_false(vtime_policy_valid(&p));
    p = valid;
    p.k1 = AT_LIMIT;
    assert_false(vtime_policy_valid(&p));
    p = valid;
    p.k2 = AT_LIMIT;
    assert_false(vtime_policy_valid(&p));
    p = valid;
    p.progress = AT_LIMIT;
    assert_false(vtime_policy_valid(&p));
    p = valid;
    p.rate = VT_RATE_ADAPTIVE;
    p.tau = 1;
    p.maxrate = (struct vt_ratio){7, 3};
    assert_true(vt_rate_for(&p, INT64_MAX).num == 7 && vt_rate_for(&p, INT64_MAX).den == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_default),
        cmocka_unit_test(test_nothing_to_catch_up),
        cmocka_unit_test(test_the_patents_numbers),
        cmocka_unit_test(test_fast_is_exact),
        cmocka_unit_test(test_k1_and_k2),
        cmocka_unit_test(test_the_other_hystereses),
        cmocka_unit_test(test_the_lag_counts_where_no_event_came_before),
        cmocka_unit_test(test_adaptive_rate),
        cmocka_unit_test(test_defaults_and_validity),
        cmocka_unit_test(test_the_edges_of_validity),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
