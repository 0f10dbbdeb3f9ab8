/* The ACPI power management timer: count, TMR_STS and TMR_EN. */
#include "tests/unit/support/timer_rig.h"
#include "timers/muldiv.h"
#include "timers/pmtimer.h"

#define PM_HZ   3579545u
#define TICK    4u /* AT in a tick when AT runs at 14318180 Hz */
#define HALF_24 (UINT64_C(1) << 23)
#define HALF_32 (UINT64_C(1) << 31)

struct bench {
    struct rig rig;
    struct pmtimer pm;
};

static void bench_init(struct bench *b, uint64_t hz, bool wide)
{
    rig_init(&b->rig, hz);
    pmtimer_init(&b->pm, &b->rig.time, rig_line(&b->rig), wide);
}

static void to_tick(struct bench *b, uint64_t tick)
{
    rig_to(&b->rig, tick * TICK);
}

static void test_count(void **state)
{
    static const uint64_t rates[] = {1, 14318180, 1000000000, 2394457123u, 5000000000u};
    uint64_t seed = 31;

    (void)state;
    for (unsigned int i = 0; i < 10; i++) {
        struct bench b;
        uint64_t hz = rates[i / 2], century = hz * 36525 * 86400;
        uint32_t mask = i % 2 != 0 ? UINT32_MAX : 0xFFFFFF;

        bench_init(&b, hz, i % 2 != 0);
        for (unsigned int k = 0; k < 5000; k++) {
            at_t at = rig_random(&seed) % century;

            assert_int_equal(pmtimer_count(&b.pm, at), (uint64_t)((vt_u128)at * PM_HZ / hz) & mask);
        }
    }
}

static void test_wraps_at_24_bits(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 4 * PM_HZ, false);
    to_tick(&b, 2 * HALF_24 - 1);
    assert_int_equal(pmtimer_read(&b.pm), 0xFFFFFF);
    to_tick(&b, 2 * HALF_24);
    assert_int_equal(pmtimer_read(&b.pm), 0);
    assert_true(rig_idle(&b.rig)); /* not enabled: not queued */
}

static void test_status_without_interrupt(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 4 * PM_HZ, false);
    to_tick(&b, HALF_24 - 1);
    assert_false(pmtimer_status(&b.pm));
    to_tick(&b, HALF_24);
    assert_true(pmtimer_status(&b.pm));
    pmtimer_clear_status(&b.pm);
    assert_false(pmtimer_status(&b.pm));
    to_tick(&b, 5 * HALF_24);
    assert_true(pmtimer_status(&b.pm));
    assert_int_equal(b.rig.raises, 0);
    pmtimer_reset(&b.pm);
    assert_false(pmtimer_status(&b.pm));
}

static void test_interrupt(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 4 * PM_HZ, true);
    to_tick(&b, 77);
    pmtimer_set_enabled(&b.pm, true);
    assert_int_equal(rig_next(&b.rig), HALF_32 * TICK);
    to_tick(&b, HALF_32);
    assert_true(b.rig.level);
    assert_true(pmtimer_status(&b.pm));
    assert_true(b.pm.timer.ops->outstanding(&b.pm));
    b.rig.masked = true;
    assert_false(b.pm.timer.ops->outstanding(&b.pm));
    b.rig.masked = false;
    pmtimer_clear_status(&b.pm);
    assert_false(b.rig.level);
    to_tick(&b, 2 * HALF_32);
    assert_int_equal(b.rig.raises, 2);
    pmtimer_set_enabled(&b.pm, false);
    assert_false(b.rig.level);
    assert_true(rig_idle(&b.rig));
    assert_true(pmtimer_status(&b.pm));
    pmtimer_set_enabled(&b.pm, true); /* the status is there already */
    assert_int_equal(b.rig.raises, 3);
    to_tick(&b, 3 * HALF_32);
    assert_int_equal(b.rig.raises, 3);
    pmtimer_reset(&b.pm);
    assert_false(b.rig.level);
    assert_true(rig_idle(&b.rig));
}

/* Also where half a turn needs more than 64 bits as a fraction. */
static void test_toggles_exact(void **state)
{
    static const uint64_t rates[] = {2394457123u, 9999999967u, 14318180};

    (void)state;
    for (unsigned int i = 0; i < 6; i++) {
        struct bench b;
        uint64_t hz = rates[i / 2], half = i % 2 != 0 ? HALF_32 : HALF_24;

        bench_init(&b, hz, i % 2 != 0);
        pmtimer_set_enabled(&b.pm, true);
        for (uint64_t k = 1; k < 20000; k++) {
            at_t at = (at_t)(((vt_u128)half * k * hz + PM_HZ - 1) / PM_HZ);

            assert_int_equal(rig_next(&b.rig), at);
            rig_to(&b.rig, at);
            assert_int_equal(b.rig.raises, k);
            assert_int_equal(pmtimer_read(&b.pm) & (half - 1), 0);
            pmtimer_clear_status(&b.pm);
        }
    }
}

/* DESIGN.md 2.6: only what is set, asked for and not masked is waited for; a toggle behind a mask is the
 * guest's own merge. */
static void test_what_is_outstanding(void **state)
{
    struct vt_ticks ticks;
    struct bench b;

    (void)state;
    bench_init(&b, 4 * PM_HZ, false);
    pmtimer_set_enabled(&b.pm, false); /* as it is: nothing is armed */
    assert_true(rig_idle(&b.rig));
    pmtimer_set_enabled(&b.pm, true);
    assert_false(b.pm.timer.ops->outstanding(&b.pm)); /* no status yet */
    assert_false(b.pm.timer.ops->unheard(&b.pm));
    b.rig.masked = true;
    assert_true(b.pm.timer.ops->unheard(&b.pm));
    to_tick(&b, HALF_24);
    vtime_ticks(&b.rig.time, &b.pm.timer, &ticks);
    assert_int_equal(ticks.merged, 1);
    b.rig.masked = false;
    assert_true(b.pm.timer.ops->outstanding(&b.pm));
    pmtimer_set_enabled(&b.pm, false);
    assert_true(pmtimer_status(&b.pm));
    assert_false(b.pm.timer.ops->outstanding(&b.pm)); /* nobody is told of it */
    assert_true(b.pm.timer.ops->unheard(&b.pm));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_wraps_at_24_bits),
        cmocka_unit_test(test_status_without_interrupt),
        cmocka_unit_test(test_interrupt),
        cmocka_unit_test(test_toggles_exact),
        cmocka_unit_test(test_what_is_outstanding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
