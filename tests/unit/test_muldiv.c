/* The exact wide arithmetic under the equations of time. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "timers/muldiv.h"

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state >> (*state % 64);
}

static void test_division_is_the_machines(void **state)
{
    uint64_t seed = 88172645463325252u;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t d = next_random(&seed) | 1;
        vt_u128 n = (vt_u128)(next_random(&seed) % d) << 64 | next_random(&seed);
        uint64_t rem;
        uint64_t quotient = vt_div(n, d, &rem);
        uint64_t portable_rem;

        assert_true(vt_mul(quotient, d) + rem == n);
        assert_true(rem < d);
        assert_true(vt_div_portable(n, d, &portable_rem) == quotient);
        assert_true(portable_rem == rem);
    }
}

static void test_division_at_the_edges(void **state)
{
    static const uint64_t edges[] = {1, 2, 3, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX};

    (void)state;
    for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++) {
        uint64_t d = edges[i];
        vt_u128 most = ((vt_u128)(d - 1) << 64) | UINT64_MAX;
        uint64_t rem;
        uint64_t portable_rem;

        assert_true(vt_div(most, d, &rem) == UINT64_MAX);
        assert_true(vt_div_portable(most, d, &portable_rem) == UINT64_MAX);
        assert_true(rem == d - 1 && portable_rem == d - 1);
        assert_true(vt_div(0, d, &rem) == 0 && rem == 0);
    }
}

static void test_mul_div_saturates(void **state)
{
    (void)state;
    assert_true(vt_mul_div(UINT64_MAX, UINT64_MAX, UINT64_MAX) == UINT64_MAX);
    assert_true(vt_mul_div(UINT64_MAX, 2, 1) == UINT64_MAX);
    assert_true(vt_mul_div(UINT64_MAX, 3, 4) == UINT64_MAX / 4 * 3 + 2);
    assert_true(vt_mul_div(7, 3, 2) == 10);
    assert_true(vt_add(UINT64_MAX, 1) == UINT64_MAX);
    assert_true(vt_add(UINT64_MAX - 1, 1) == UINT64_MAX);
    assert_true(vt_add(1, 2) == 3);
}

/* result * d <= a * b * c < (result + 1) * d, by long multiplication in 32-bit digits. */
static void digits_product(const uint64_t *factors, size_t count, uint32_t digits[10])
{
    for (int i = 0; i < 10; i++) {
        digits[i] = i == 0;
    }
    for (size_t f = 0; f < 2 * count; f++) {
        uint32_t half[10] = {0};
        uint64_t low = factors[f / 2] & 0xffffffff;
        uint64_t high = factors[f / 2] >> 32;
        uint64_t carry = 0;

        if (f % 2 != 0) {
            continue;
        }
        for (int i = 0; i < 10; i++) {
            vt_u128 sum = vt_mul(digits[i], low) + carry + (i > 0 ? vt_mul(digits[i - 1], high) : 0);

            half[i] = (uint32_t)sum;
            carry = (uint64_t)(sum >> 32);
        }
        for (int i = 0; i < 10; i++) {
            digits[i] = half[i];
        }
    }
}

static int compare_digits(const uint32_t a[10], const uint32_t b[10])
{
    for (int i = 9; i >= 0; i--) {
        if (a[i] != b[i]) {
            return a[i] < b[i] ? -1 : 1;
        }
    }
    return 0;
}

static void test_192_by_128(void **state)
{
    uint64_t seed = 1234567;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        uint64_t most = next_random(&seed);
        uint64_t c = next_random(&seed) | 1;
        uint64_t whole = next_random(&seed) | 1;
        uint64_t passed = next_random(&seed) % whole;
        uint32_t n[10];
        uint32_t below[10];
        uint32_t above[10];
        /* as apparent.c asks: passed < whole, so the result is at most `most`; d = whole * c */
        uint64_t result = vt_mul3_div(passed, most, c, vt_mul(whole, c));

        digits_product((const uint64_t[]){passed, most, c}, 3, n);
        digits_product((const uint64_t[]){result, whole, c}, 3, below);
        digits_product((const uint64_t[]){result + 1, whole, c}, 3, above);
        assert_true(compare_digits(below, n) <= 0);
        assert_true(compare_digits(n, above) < 0);
    }
}

/* The short way and the long one meet: products just below and above 128 bits, divisors just below and
 * above 64. */
static void test_192_by_128_at_the_edges(void **state)
{
    const uint64_t most = UINT64_MAX;

    (void)state;
    assert_int_equal(vt_mul3_div(most, most, 1, vt_join(0, most)), most);
    assert_int_equal(vt_mul3_div(most, most, 2, vt_plus(vt_mul(most, 2), 0)), most);
    assert_int_equal(vt_mul3_div(most, 1ull << 32, 1ull << 32, vt_join(1, 0)), most);
    assert_int_equal(vt_mul3_div(most, 1ull << 32, (1ull << 32) - 1, vt_join(1, 0)), most - (1ull << 32));
    assert_int_equal(vt_mul3_div(0, most, most, vt_join(0, 1)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_division_is_the_machines), cmocka_unit_test(test_division_at_the_edges),
        cmocka_unit_test(test_mul_div_saturates),        cmocka_unit_test(test_192_by_128),
        cmocka_unit_test(test_192_by_128_at_the_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
