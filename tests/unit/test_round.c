/* links: kernel/round.c */
/* Frequencies out of a measurement with its uncertainty: DESIGN.md section 2, "Real time" (measured, frozen).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "kernel/round.h"

static void takes_the_roundest(void **state)
{
    (void)state;
    assert_int_equal(round_within(99996132, 100003871), 100000000);
    assert_int_equal(round_within(2499899000, 2500101000), 2500000000u);
    assert_int_equal(round_within(2903812345, 2903912345), 2903900000u);
    assert_int_equal(round_within(2399000000u, 2550000000u), 2500000000u);
    assert_int_equal(round_within(101, 109), 105);
    assert_int_equal(round_within(109, 131), 120); /* of 110, 120, 130 the middle one */
    assert_int_equal(round_within(95, 205), 100);
}

static void holds_at_the_edges(void **state)
{
    (void)state;
    assert_int_equal(round_within(100, 199), 100);
    assert_int_equal(round_within(101, 200), 200);
    assert_int_equal(round_within(7, 7), 7);
    assert_int_equal(round_within(0, 9), 0);
    assert_true(round_within(UINT64_MAX - 4, UINT64_MAX) == UINT64_MAX - 2);
    assert_true(round_within(1, UINT64_MAX) == 10000000000000000000ull);
    assert_true(round_within(10000000000000000001ull, UINT64_MAX) == 14000000000000000000ull);
}

static unsigned int zeros(uint64_t v)
{
    unsigned int n = 0;

    for (; v && v % 10 == 0; v /= 10)
        n++;
    return n;
}

static uint64_t away(uint64_t v, uint64_t middle)
{
    return v > middle ? v - middle : middle - v;
}

/* Against the definition, over all small intervals. */
static void is_what_it_says(void **state)
{
    (void)state;
    for (uint64_t lo = 1; lo < 1200; lo += 7) {
        for (uint64_t hi = lo; hi < 1300; hi += 3) {
            uint64_t middle = lo + (hi - lo) / 2;
            uint64_t best = middle;

            for (uint64_t v = lo; v <= hi; v++) {
                if (zeros(v) > zeros(best) ||
                    (zeros(v) == zeros(best) && away(v, middle) < away(best, middle)))
                    best = v;
            }
            assert_int_equal(round_within(lo, hi), best);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_the_roundest),
        cmocka_unit_test(holds_at_the_edges),
        cmocka_unit_test(is_what_it_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
