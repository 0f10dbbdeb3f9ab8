/* The HPET in the long run and at its limits: exactness, lost processors, and what issue 4 calls bad input.
 */
#include "tests/unit/support/hpet_rig.h"
#include "timers/muldiv.h"

#define HZ    1000000000u
#define EDGE  (HPET_TN_ENABLE | ROUTE(20u))
#define LEVEL (HPET_TN_ENABLE | HPET_TN_LEVEL | ROUTE(20u))
#define RUN   1u
#define TURN  (UINT64_C(1) << 32)

static struct hpet_rig b;

static int setup(void **state)
{
    (void)state;
    hpet_rig_init(&b, HZ);
    return 0;
}

static struct vt_ticks ledger(unsigned int n)
{
    struct vt_ticks ticks;

    vtime_ticks(&b.rig.time, &b.h.timer[n].timer, &ticks);
    return ticks;
}

/* DESIGN.md 2.1: at frequencies that divide nothing, each event at its exact instant, rounded up; also where
 * the fraction of the period is too wide for the queue. */
static void exact_for_ever(void **state)
{
    static const uint64_t rates[] = {2394457123u, 9999999967u, 33333333u};
    static const uint64_t periods[] = {99999989u, UINT32_MAX};

    (void)state;
    for (unsigned int i = 0; i < 6; i++) {
        uint64_t hz = rates[i / 2], period = periods[i % 2];

        hpet_rig_init(&b, hz);
        hput(&b, H_TN_CONF(2), EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET | HPET_TN_32MODE);
        hput(&b, H_TN_CMP(2), period);
        hput(&b, H_CONF, RUN);
        for (uint64_t k = 1; k < 10000; k++) {
            at_t at = (at_t)(((vt_u128)period * k * hz + HPET_HZ - 1) / HPET_HZ);

            assert_int_equal(rig_next(&b.rig), at);
            rig_to(&b.rig, at);
            assert_int_equal(b.wire[20].raises, k);
            assert_in_range(hget(&b, H_COUNT) - period * k, 0, HPET_HZ / hz);
        }
    }
}

/* A day, and a century: the counter is the exact one. */
static void counter_exact_for_a_century(void **state)
{
    static const uint64_t rates[] = {1, 100000000, 1000000000, 2394457123u, 5000000000u};
    uint64_t seed = 5;

    (void)state;
    for (unsigned int i = 0; i < 5; i++) {
        uint64_t hz = rates[i], century = hz * 36525 * 86400;

        hpet_rig_init(&b, hz);
        hput(&b, H_CONF, RUN);
        for (unsigned int k = 0; k < 5000; k++) {
            at_t at = rig_random(&seed) % century;

            assert_true(hpet_count(&b.h, at) == (uint64_t)((vt_u128)at * HPET_HZ / hz));
        }
    }
}

/* The VM loses the processor for a while: 1 kHz ticks come faster for a time, none lost. */
static void no_tick_lost_while_descheduled(void **state)
{
    struct vt_ticks ticks;
    rt_t rt = 0;

    (void)state;
    hput(&b, H_TN_CONF(0), LEVEL | HPET_TN_PERIODIC | HPET_TN_VAL_SET);
    hput(&b, H_TN_CMP(0), HPET_HZ / 1000);
    hput(&b, H_CONF, RUN);
    for (unsigned int slice = 0; slice < 20; slice++) {
        rt_t end = rt + HZ / 10;

        vtime_vcpu_run(&b.rig.time, 0);
        for (; rt < end; rt += HZ / 10000) {
            vtime_advance(&b.rig.time, rt);
            if (b.wire[20].level)
                hpet_write(&b.h, H_STS, 4, 1);
        }
        vtime_latch(&b.rig.time, rt);
        vtime_vcpu_stop(&b.rig.time, 0);
        if (slice < 10)
            rt += HZ / 20;
        vtime_advance(&b.rig.time, rt);
    }
    assert_true(vtime_lag(&b.rig.time) < (int64_t)HZ / 1000);
    ticks = ledger(0);
    assert_true(ticks.due >= 2499);
    assert_int_equal(ticks.merged + ticks.dropped + ticks.cancelled, 0);
    assert_true(ticks.delivered + 1 >= ticks.due);
    assert_int_equal(b.wire[20].raises, ticks.delivered);
    assert_null(vtime_check(&b.rig.time));
}

/* Issue 4, bad input: 0, the past, the end of 64 bits. */
static void programmed_to_nonsense(void **state)
{
    static const uint64_t values[] = {0, 1, UINT32_MAX, TURN, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX};

    (void)state;
    for (unsigned int i = 0; i < 7 * 7 * 4; i++) {
        uint32_t mode = EDGE | (i % 2 != 0 ? HPET_TN_PERIODIC | HPET_TN_VAL_SET : 0) |
                        (i / 2 % 2 != 0 ? HPET_TN_32MODE : 0);
        uint64_t value = values[i / 4 % 7];

        hput(&b, H_CONF, 0);
        hput(&b, H_COUNT, values[i / 28]);
        hput(&b, H_TN_CONF(0), mode);
        hput(&b, H_TN_CMP(0), value);
        hput(&b, H_CONF, RUN);
        rig_to(&b.rig, vtime_peek(&b.rig.time) + 1000);
        assert_null(vtime_check(&b.rig.time));
    }
    /* A period of 0 adds nothing: one match in a turn. */
    hpet_rig_init(&b, HZ);
    hput(&b, H_TN_CONF(0), EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET | HPET_TN_32MODE);
    hput(&b, H_TN_CMP(0), 500);
    hput(&b, H_TN_CMP(0), 0);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, TURN);
    assert_int_equal(b.wire[20].raises, 1);
    hpet_to(&b, TURN + 500);
    assert_int_equal(b.wire[20].raises, 2);
}

/* Issue 4, bad input: reprogrammed 10 million times. */
static void reprogrammed_for_ever(void **state)
{
    (void)state;
    hput(&b, H_TN_CONF(0), EDGE);
    hput(&b, H_CONF, RUN);
    for (uint64_t i = 0; i < 10000000; i++)
        hpet_write(&b.h, H_TN_CMP(0), 8, i * i);
    hpet_to(&b, 10);
    assert_null(vtime_check(&b.rig.time));
    assert_int_equal(b.wire[20].raises, 0);
    assert_int_equal(ledger(0).due, ledger(0).cancelled);
}

/* Issue 4, bad input: a period of one tick. Far below the minimum progress the ticks come in groups, so that
 * AT goes on; the accumulator is the exact one all the same (counter_group()). */
static void period_of_one_tick(void **state)
{
    struct vtime_policy policy = vtime_policy_defaults(HZ);
    rt_t rt = 0;

    (void)state;
    vtime_init(&b.rig.time, &policy, HZ, 0);
    vtime_vcpu_run(&b.rig.time, 0);
    hpet_init(&b.h, &b.rig.time, b.h.wires, &b);
    hpet_write(&b.h, H_TN_CONF(0), 4, EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET);
    hpet_write(&b.h, H_TN_CMP(0), 8, 1);
    hpet_write(&b.h, H_CONF, 4, RUN);
    for (unsigned int i = 0; i < 10000; i++) {
        rt_t next = vtime_deadline(&b.rig.time);

        rt = next > rt ? next : rt + 100;
        vtime_advance(&b.rig.time, rt);
        uint64_t count = hget(&b, H_COUNT);
        assert_int_equal(hget(&b, H_TN_CMP(0)), count + 1);
    }
    assert_int_equal(vtime_lag(&b.rig.time), 0);
    assert_int_equal(vtime_peek(&b.rig.time), rt);
    assert_true(rt >= HZ); /* 10,000 events took their time: each has room for its handler */
    assert_null(vtime_check(&b.rig.time));
}

static void garbage(void **state)
{
    uint64_t seed = 11;
    at_t at = 0;

    (void)state;
    for (unsigned int i = 0; i < 200000; i++) {
        unsigned int size = 1u << rig_below(&seed, 4);
        uint64_t offset = rig_below(&seed, 0x180) & ~(uint64_t)(size - 1);
        uint64_t value = rig_random(&seed) >> rig_below(&seed, 64);

        at += rig_below(&seed, 50) != 0 ? rig_below(&seed, 100) : rig_below(&seed, 100000);
        while (vtime_deadline(&b.rig.time) <= at && rig_below(&seed, 1000) != 0)
            vtime_advance(&b.rig.time, vtime_deadline(&b.rig.time));
        vtime_advance(&b.rig.time, at);
        if (rig_below(&seed, 2) != 0)
            hpet_write(&b.h, offset, size, value);
        else
            (void)hpet_read(&b.h, offset, size);
        if (rig_below(&seed, 8) == 0)
            hpet_write(&b.h, H_CONF, 4, 1 | value);
        if (i % 64 == 0)
            assert_null(vtime_check(&b.rig.time));
    }
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(exact_for_ever),
        TEST(counter_exact_for_a_century),
        TEST(no_tick_lost_while_descheduled),
        TEST(programmed_to_nonsense),
        TEST(reprogrammed_for_ever),
        TEST(period_of_one_tick),
        TEST(garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
