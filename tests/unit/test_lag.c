/* A VM's lag over its life, for stats=lag (timers/lag.h). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/lag.h"

static struct lag_series s;

static void the_largest_of_each_interval(void **state)
{
    (void)state;
    lag_start(&s, 10);
    lag_note(&s, 0, 5);
    lag_note(&s, 9, 3);
    lag_note(&s, 10, -2); /* K2 > 0 puts AT ahead */
    lag_note(&s, 19, -7);
    lag_note(&s, 35, 1);
    assert_int_equal(s.used, 4);
    assert_int_equal(s.most[0], 5);
    assert_int_equal(s.most[1], -2);
    assert_int_equal(s.most[2], -2); /* nothing was noted in it */
    assert_int_equal(s.most[3], 1);
}

static void full_intervals_become_half_as_many(void **state)
{
    (void)state;
    lag_start(&s, 10);
    for (rt_t rt = 0; rt < 10 * LAG_INTERVALS; rt += 10) {
        lag_note(&s, rt, (int64_t)rt);
    }
    assert_int_equal(s.used, LAG_INTERVALS);
    assert_int_equal(s.step, 10);
    lag_note(&s, 10 * LAG_INTERVALS, 1);
    assert_int_equal(s.step, 20);
    assert_int_equal(s.used, LAG_INTERVALS / 2 + 1);
    assert_int_equal(s.most[0], 10);
    assert_int_equal(s.most[LAG_INTERVALS / 2 - 1], 10 * (LAG_INTERVALS - 1));
    assert_int_equal(s.most[LAG_INTERVALS / 2], 1);
}

/* A VM that is not noted for an age: any number of doublings, and no loop over the age. */
static void a_long_silence(void **state)
{
    (void)state;
    lag_start(&s, 1);
    lag_note(&s, 0, 9);
    lag_note(&s, UINT64_C(1) << 62, 4);
    assert_int_equal(s.most[0], 9);
    assert_int_equal(s.most[s.used - 1], 4);
    assert_true((UINT64_C(1) << 62) / s.step == s.used - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_largest_of_each_interval),
        cmocka_unit_test(full_intervals_become_half_as_many),
        cmocka_unit_test(a_long_silence),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
