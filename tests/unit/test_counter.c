/* A device's input clock against apparent time (DESIGN.md 2.1): exact both ways, and at the ends of 64 bits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/counter.h"

__extension__ typedef unsigned __int128 wide;

static uint64_t x = 3;

static uint64_t next(void)
{
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static void test_lowest_terms(void **state)
{
    struct counter c;

    (void)state;
    counter_init(&c, 1000000000, 14318180, 12); /* the PIT */
    assert_int_equal(c.num, 715909);
    assert_int_equal(c.den, 600000000);
    counter_init(&c, 100, 100, 1);
    assert_true(c.num == 1 && c.den == 1);
    counter_init(&c, 7, 100, 1);
    assert_true(c.num == 100 && c.den == 7);
    counter_init(&c, 0, 0, 0); /* "zeros are taken as ones" */
    assert_true(c.num == 1 && c.den == 1);
    counter_init(&c, 6, 0, 3);
    assert_true(c.num == 1 && c.den == 18);
}

static void test_both_ways(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 20000; i++) {
        struct counter c;
        uint64_t tick = next() >> (next() % 60 + 3);
        uint64_t at;

        counter_init(&c, 1 + next() % 10000000000u, 1 + next() % 100000000, 1 + next() % 12);
        at = counter_at(&c, tick);
        if (at == AT_NEVER) {
            assert_true(((wide)tick * c.den + c.num - 1) / c.num >= AT_NEVER);
            continue;
        }
        assert_true((wide)at * c.num >= (wide)tick * c.den);
        assert_true(at == 0 || (wide)(at - 1) * c.num < (wide)tick * c.den);
        assert_true(counter_ticks(&c, at) >= tick);
        assert_true(counter_ticks(&c, at) == (uint64_t)((wide)at * c.num / c.den));
    }
}

static void test_what_does_not_fit(void **state)
{
    struct counter slow = {.num = 1, .den = 4};
    struct counter fast = {.num = 4, .den = 1};

    (void)state;
    assert_true(counter_at(&slow, UINT64_MAX / 4 + 1) == AT_NEVER);
    assert_true(counter_at(&slow, UINT64_MAX / 4) == UINT64_MAX - 3);
    assert_true(counter_ticks(&fast, UINT64_MAX / 4 + 1) == UINT64_MAX);
    assert_true(counter_ticks(&fast, UINT64_MAX / 4) == UINT64_MAX - 3);
}

/* timers/counter.h: ticks under an eighth of the minimum progress come in groups that last 32 times as long;
 * others come one by one. */
static void test_groups(void **state)
{
    struct counter c;

    (void)state;
    counter_init(&c, 1000, 1000, 1); /* a tick of the counter is one of AT */
    assert_int_equal(counter_group(&c, 1, 800), 800 * 32);
    assert_int_equal(counter_group(&c, 99, 800), 8 * 32);
    assert_int_equal(counter_group(&c, 100, 800), 1);
    assert_int_equal(counter_group(&c, 5000, 800), 1);
    assert_int_equal(counter_group(&c, 1, 0), 1);
}

static void test_schedules(void **state)
{
    struct counter c = {.num = 3, .den = 10}; /* three ticks in ten units */
    struct vt_schedule s = counter_once(&c, 2);

    (void)state;
    assert_true(s.first == 7 && s.period_num == 0 && s.period_den == 1 && s.phase == 0);
    assert_true(counter_every(&c, 2, 4, &s));
    assert_true(s.first == 7 && s.period_num == 40 && s.period_den == 3);
    assert_int_equal(s.phase, 1); /* 20/3 is 7 less 1/3: the next is at 20 = floor(7 + (1 + 40)/3) */
    s.phase = 99;
    c.den = UINT64_C(1) << 60;
    assert_true(counter_every(&c, UINT64_MAX, 1, &s)); /* the first event never comes */
    assert_true(s.first == AT_NEVER && s.phase == 0);
    c.den = UINT64_C(1) << 62;
    assert_false(counter_every(&c, 0, 4, &s));
    assert_true(s.first == 0 && s.phase == 0 && s.period_den == 1);
    assert_true(s.period_num == (uint64_t)(((wide)4 << 62) / 3));
    assert_true(counter_every(&c, 0, 3, &s));
    assert_true(s.period_num == UINT64_C(3) << 62 && s.period_den == 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lowest_terms),      cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_what_does_not_fit), cmocka_unit_test(test_groups),
        cmocka_unit_test(test_schedules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
