/* links: kernel/upkeep.c */
/* What a VM that sleeps may cost: no more than a quarter of the processor, and no delay for one that costs
 * less. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/upkeep.h"

#define CREDIT 250u /* 1 tick = 1 us */

/* A look of 10 us each millisecond is 1 %: never late. */
static void a_little_is_free(void **state)
{
    struct upkeep u = {0};

    (void)state;
    for (rt_t now = 1000; now < 1000000; now += 1000) {
        assert_int_equal(upkeep_next(&u, now - 10, now, CREDIT, 0), now);
    }
}

/* One burst is on credit, to the tick; the next waits until three quarters have gone to others. */
static void the_credit_is_a_burst(void **state)
{
    struct upkeep u = {0};

    (void)state;
    assert_int_equal(upkeep_next(&u, 1000 - CREDIT, 1000, CREDIT, 0), 1000);
    assert_int_equal(upkeep_next(&u, 999, 1000, CREDIT, 0), 1000 + UPKEEP_SHARE);
    assert_int_equal(upkeep_next(&u, 1000 + UPKEEP_SHARE, 1000 + UPKEEP_SHARE, CREDIT, 0),
                     1000 + UPKEEP_SHARE);
    assert_int_equal(upkeep_next(&u, 990 + UPKEEP_SHARE, 1000 + UPKEEP_SHARE, CREDIT, 0),
                     1000 + UPKEEP_SHARE * 11);
}

/* What is to be done later anyway stays where it is. */
static void later_is_later(void **state)
{
    struct upkeep u = {0};

    (void)state;
    assert_int_equal(upkeep_next(&u, 0, CREDIT + 10, CREDIT, 100000), 100000);
    assert_int_equal(upkeep_next(&u, CREDIT + 10, CREDIT + 10, CREDIT, 0), CREDIT + 10 + 10 * UPKEEP_SHARE);
}

/* One that always has more to do, and takes 9 us for each look. */
static void no_more_than_a_quarter(void **state)
{
    struct upkeep u = {0};
    uint64_t spent = 0;
    rt_t now = 0;

    (void)state;
    while (now < 1000000) {
        rt_t next = upkeep_next(&u, now, now + 9, CREDIT, 0);

        spent += 9;
        now = next;
    }
    assert_in_range(spent, 240000, 250000 + CREDIT + 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_little_is_free),
        cmocka_unit_test(the_credit_is_a_burst),
        cmocka_unit_test(later_is_later),
        cmocka_unit_test(no_more_than_a_quarter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
