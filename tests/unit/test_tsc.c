/* The TSC and IA32_TSC_ADJUST. */
#include "tests/unit/support/timer_rig.h"
#include "timers/tsc.h"

static void test_runs_with_apparent_time(void **state)
{
    struct rig rig;
    struct tsc tsc;

    (void)state;
    rig_init(&rig, 1000000000);
    tsc_init(&tsc, &rig.time);
    assert_int_equal(tsc_read(&tsc), 0);
    rig_to(&rig, 12345);
    assert_int_equal(tsc_read(&tsc), 12345);
    assert_int_equal(tsc_at(&tsc, 7), 7);
}

static void test_writes_move_adjust(void **state)
{
    struct rig rig;
    struct tsc tsc;

    (void)state;
    rig_init(&rig, 1000000000);
    tsc_init(&tsc, &rig.time);
    rig_to(&rig, 1000);
    tsc_write(&tsc, 5000);
    assert_int_equal(tsc_adjust(&tsc), 4000);
    rig_to(&rig, 1100);
    assert_int_equal(tsc_read(&tsc), 5100);
    tsc_write(&tsc, 0); /* backwards, modulo 2^64 */
    assert_true(tsc_adjust(&tsc) == (uint64_t)-1100);
    assert_int_equal(tsc_read(&tsc), 0);
    tsc_set_adjust(&tsc, 0); /* undoes both */
    assert_int_equal(tsc_read(&tsc), 1100);
    tsc_set_adjust(&tsc, (uint64_t)-100);
    assert_int_equal(tsc_read(&tsc), 1000);
    assert_true(tsc_adjust(&tsc) == (uint64_t)-100);
}

static void test_wraps(void **state)
{
    struct rig rig;
    struct tsc tsc;

    (void)state;
    rig_init(&rig, 1000000000);
    tsc_init(&tsc, &rig.time);
    tsc_write(&tsc, UINT64_MAX - 9);
    rig_to(&rig, 10);
    assert_int_equal(tsc_read(&tsc), 0);
    tsc_reset(&tsc, 10);
    rig_to(&rig, 15);
    assert_int_equal(tsc_read(&tsc), 5);
    assert_int_equal(tsc_adjust(&tsc), 0);
}

/* Any sequence of writes: TSC - ADJUST is what it would be without them. */
static void test_difference_is_invariant(void **state)
{
    uint64_t seed = 23;
    struct rig rig;
    struct tsc tsc;
    at_t at = 0;

    (void)state;
    rig_init(&rig, 1000000000);
    tsc_init(&tsc, &rig.time);
    for (unsigned int i = 0; i < 10000; i++) {
        rig_to(&rig, at += rig_below(&seed, 1000));
        uint64_t value = rig_random(&seed) << rig_below(&seed, 12);

        if (rig_below(&seed, 2) != 0) {
            tsc_write(&tsc, value);
            assert_true(tsc_read(&tsc) == value);
        } else {
            tsc_set_adjust(&tsc, value);
            assert_true(tsc_adjust(&tsc) == value);
        }
        assert_true(tsc_read(&tsc) - tsc_adjust(&tsc) == at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs_with_apparent_time),
        cmocka_unit_test(test_writes_move_adjust),
        cmocka_unit_test(test_wraps),
        cmocka_unit_test(test_difference_is_invariant),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
