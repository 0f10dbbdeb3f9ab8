/* The HPET's registers, comparators and interrupts by example; the section numbers in the names are those of
 * the IA-PC HPET Specification 1.0a. Also: test_hpet_model.c, test_hpet_limits.c,
 * test_platform_hpet.c. */
#include "tests/unit/support/hpet_rig.h"

#define HZ     1000000000u
#define EDGE   (HPET_TN_ENABLE | ROUTE(20u))
#define LEVEL  (HPET_TN_ENABLE | HPET_TN_LEVEL | ROUTE(20u))
#define RUN    1u
#define LEGACY 2u
#define TURN   (UINT64_C(1) << 32)

static struct hpet_rig b;

static int setup(void **state)
{
    (void)state;
    hpet_rig_init(&b, HZ);
    return 0;
}

static void s2_3_4_capabilities(void **state)
{
    (void)state;
    uint64_t id = hget(&b, H_ID);

    assert_int_equal(id >> 32, 10000000); /* femtoseconds: 100 MHz */
    assert_int_equal(id & 0xff, 1);       /* a revision, not 0 */
    assert_int_equal((id >> 8 & 31) + 1, 3);
    assert_true(id >> 13 & 1); /* 64 bits */
    assert_true(id >> 15 & 1); /* legacy replacement */
    hput(&b, H_ID, 0);
    assert_true(hget(&b, H_ID) == id);
    for (unsigned int n = 0; n < HPET_TIMERS; n++) {
        assert_int_equal(hget(&b, H_TN_CONF(n)) >> 32, 0x00ff0000);
        assert_int_equal(hget(&b, H_TN_CONF(n)) & UINT32_MAX, HPET_TN_PERIODIC_CAP | HPET_TN_SIZE_CAP);
        assert_true(hget(&b, H_TN_CMP(n)) == UINT64_MAX); /* 2.3.10 */
        assert_int_equal(hget(&b, H_TN_CMP(n) + 8), 0);   /* no FSB route */
    }
}

/* Reserved ones read 0; 2.3.2: accesses of 4 and 8 bytes. */
static void s2_3_3_registers(void **state)
{
    (void)state;
    static const unsigned int reserved[] = {0x008, 0x018, 0x028, 0x0e8, 0x0f8, 0x118, 0x160, 0x1f8, 0x3f8};

    for (unsigned int i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        hput(&b, reserved[i], UINT64_MAX);
        assert_int_equal(hget(&b, reserved[i]), 0);
    }
    hput32(&b, H_COUNT, 0x89abcdef);
    hput32(&b, H_COUNT + 4, 0x01234567);
    assert_true(hget(&b, H_COUNT) == 0x0123456789abcdef);
    assert_int_equal((uint32_t)hpet_read(&b.h, H_COUNT + 4, 4), 0x01234567);
    assert_int_equal((uint16_t)hpet_read(&b.h, H_COUNT + 2, 2), 0x89ab);
    assert_int_equal((uint8_t)hpet_read(&b.h, H_COUNT + 7, 1), 0x01);
    hpet_write(&b.h, H_COUNT, 2, 0); /* no such access: nothing */
    hpet_write(&b.h, H_COUNT, 1, 0);
    assert_true(hget(&b, H_COUNT) == 0x0123456789abcdef);
    hput(&b, H_CONF, UINT64_MAX); /* two bits are there */
    assert_int_equal(hget(&b, H_CONF), RUN | LEGACY);
    hput(&b, H_TN_CONF(2), UINT64_MAX);
    assert_int_equal(hget(&b, H_TN_CONF(2)) & UINT32_MAX, HPET_TN_PERIODIC_CAP | HPET_TN_SIZE_CAP |
                                                              HPET_TN_LEVEL | HPET_TN_ENABLE |
                                                              HPET_TN_PERIODIC | HPET_TN_32MODE);
}

/* Stopped it stands and is writable; running it counts 100 MHz of apparent time, and turns over at 64 bits.
 */
static void s2_3_7_main_counter(void **state)
{
    (void)state;
    hpet_to(&b, 1000);
    assert_int_equal(hget(&b, H_COUNT), 0);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 1500);
    assert_int_equal(hget(&b, H_COUNT), 500);
    hput(&b, H_CONF, 0);
    hpet_to(&b, 2500);
    assert_int_equal(hget(&b, H_COUNT), 500);
    hput(&b, H_COUNT, UINT64_MAX - 9);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 2509);
    assert_true(hget(&b, H_COUNT) == UINT64_MAX);
    hpet_to(&b, 2510);
    assert_int_equal(hget(&b, H_COUNT), 0);
    hput32(&b, H_COUNT + 4, 7); /* while it runs: taken, too */
    hpet_to(&b, 2520);
    assert_true(hget(&b, H_COUNT) == 7 * TURN + 10);
}

/* "An interrupt will be generated when the main counter matches"; once in a turn of 64 bits. */
static void s2_3_9_2_1_one_shot(void **state)
{
    (void)state;
    hput(&b, H_TN_CONF(0), EDGE);
    hput(&b, H_TN_CMP(0), 0x123);
    hput(&b, H_CONF, RUN);
    assert_int_equal(rig_next(&b.rig), 0x123 * H_TICK);
    hpet_to(&b, 0x122);
    assert_int_equal(b.wire[20].raises, 0);
    hpet_to(&b, 0x123);
    assert_int_equal(b.wire[20].raises, 1);
    assert_false(b.wire[20].level); /* an edge */
    assert_int_equal(hget(&b, H_TN_CMP(0)), 0x123);
    assert_true(rig_idle(&b.rig)); /* the next is 5849 years off */
    assert_int_equal(hget(&b, H_STS), 0);
}

/* A comparator behind the counter is met when the counter has turned over: after 42.9 s with 32 bits. */
static void s2_3_9_2_1_the_past_comes_again(void **state)
{
    (void)state;
    hput(&b, H_COUNT, 5 * TURN + 1000);
    hput(&b, H_TN_CONF(1), EDGE | HPET_TN_32MODE);
    hput(&b, H_TN_CMP(1), 999);
    hput(&b, H_CONF, RUN);
    assert_int_equal(rig_next(&b.rig), (TURN - 1) * H_TICK);
    for (uint64_t k = 1; k <= 3; k++) { /* and each turn */
        assert_int_equal(rig_next(&b.rig), (k * TURN - 1) * H_TICK);
        rig_to(&b.rig, (k * TURN - 1) * H_TICK);
    }
    assert_int_equal(b.wire[20].raises, 3);
    assert_int_equal(hget(&b, H_TN_CMP(1)), 999);
    hput(&b, H_TN_CMP(1), 999); /* equality is a match */
    assert_int_equal(b.wire[20].raises, 4);
    hput(&b, H_TN_CONF(2), EDGE);
    hput(&b, H_TN_CMP(2), 5 * TURN);
    hput(&b, H_TN_CONF(1), 0);
    assert_true(rig_idle(&b.rig)); /* with 64 bits it does not come again */
}

/* The software's five steps: one write with VAL_SET is both the first match and the period. */
static void s2_3_9_2_2_periodic(void **state)
{
    (void)state;
    hput(&b, H_COUNT, 0);
    hput(&b, H_TN_CONF(0), EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET);
    hput(&b, H_TN_CMP(0), 0x123);
    hput(&b, H_CONF, RUN);
    for (unsigned int k = 1; k < 100; k++) {
        assert_int_equal(rig_next(&b.rig), 0x123 * k * H_TICK);
        assert_int_equal(hget(&b, H_TN_CMP(0)), 0x123 * k);
        hpet_to(&b, 0x123 * k);
        assert_int_equal(b.wire[20].raises, k);
    }
    /* Without VAL_SET: the new period is added from the next match on. */
    hput(&b, H_TN_CMP(0), 1000);
    assert_int_equal(hget(&b, H_TN_CMP(0)), 0x123 * 100);
    hpet_to(&b, 0x123 * 100);
    assert_int_equal(hget(&b, H_TN_CMP(0)), 0x123 * 100 + 1000);
    assert_int_equal(rig_next(&b.rig), (0x123 * 100 + 1000) * H_TICK);
}

/* Linux writes twice: the accumulator with VAL_SET, then the period (AMD-8111 data sheet). */
static void s2_3_9_2_2_two_writes(void **state)
{
    (void)state;
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 5000);
    hput(&b, H_CONF, 0);
    hput32(&b, H_TN_CONF(0), EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET | HPET_TN_32MODE);
    assert_int_equal(hget(&b, H_TN_CONF(0)) & HPET_TN_VAL_SET, 0); /* reads 0 */
    hput32(&b, H_TN_CMP(0), 5000 + 400);
    hput32(&b, H_TN_CMP(0), 400);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 5000 + 4000);
    assert_int_equal(b.wire[20].raises, 10);
    assert_int_equal(hget(&b, H_TN_CMP(0)), 5000 + 4400);
}

/* "If the current value in a 32-bit timer is FFFF0000h and the last value written is 20000h, then after the
 * next interrupt the value will change to 00010000h." */
static void s2_3_9_2_2_accumulator_wraps(void **state)
{
    (void)state;
    hput(&b, H_COUNT, 0xfffe0000);
    hput(&b, H_TN_CONF(0), EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET | HPET_TN_32MODE);
    hput(&b, H_TN_CMP(0), 0xffff0000);
    hput(&b, H_TN_CMP(0), 0x20000);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 0x10000);
    assert_int_equal(b.wire[20].raises, 1);
    assert_int_equal(hget(&b, H_TN_CMP(0)), 0x10000);
    hpet_to(&b, 0x30000);
    assert_int_equal(b.wire[20].raises, 2);
    assert_int_equal(hget(&b, H_TN_CMP(0)), 0x30000);
    assert_true(hget(&b, H_COUNT) == TURN + 0x10000);
}

/* VAL_SET clears itself at each write, so each half of a 64-bit accumulator asks for its own. */
static void s2_3_8_val_set_by_halves(void **state)
{
    (void)state;
    uint32_t set = EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET;

    hput32(&b, H_TN_CONF(0), set);
    hput32(&b, H_TN_CMP(0), 500);
    assert_true(hget(&b, H_TN_CMP(0)) == (UINT32_MAX * TURN | 500));
    hput32(&b, H_TN_CMP(0) + 4, 3); /* the period's half only */
    assert_true(hget(&b, H_TN_CMP(0)) == (UINT32_MAX * TURN | 500));
    hput32(&b, H_TN_CONF(0), set);
    hput32(&b, H_TN_CMP(0) + 4, 0);
    assert_int_equal(hget(&b, H_TN_CMP(0)), 500);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 5000);
    assert_int_equal(b.wire[20].raises, 10);
    /* In one-shot mode the bit does nothing. */
    hput32(&b, H_TN_CONF(1), HPET_TN_VAL_SET);
    hput32(&b, H_TN_CONF(1), HPET_TN_PERIODIC);
    hput(&b, H_TN_CMP(1), 77);
    assert_true(hget(&b, H_TN_CMP(1)) == UINT64_MAX);
}

static void s2_3_8_32_bit_mode(void **state)
{
    (void)state;
    hput(&b, H_TN_CMP(0), 0x1234567800000064);
    hput(&b, H_TN_CONF(0), EDGE | HPET_TN_32MODE);
    assert_int_equal(hget(&b, H_TN_CMP(0)), 100);
    hput32(&b, H_TN_CMP(0) + 4, 5); /* no such bits */
    assert_int_equal(hget(&b, H_TN_CMP(0)), 100);
    hput(&b, H_COUNT, 9 * TURN);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 100);
    assert_int_equal(b.wire[20].raises, 1);
}

/* "The value read back will not match": a route that the timer does not have is not taken. */
static void s2_3_8_routes(void **state)
{
    (void)state;
    for (unsigned int gsi = 0; gsi < 32; gsi++) {
        unsigned int expected = gsi >= 16 && gsi <= 23 ? gsi : 16;

        hput(&b, H_TN_CONF(1), ROUTE(16u));
        hput(&b, H_TN_CONF(1), ROUTE(gsi));
        assert_int_equal((hget(&b, H_TN_CONF(1)) & HPET_TN_ROUTE) >> HPET_TN_ROUTE_SHIFT, expected);
    }
    hput(&b, H_TN_CONF(0), HPET_TN_ENABLE); /* none chosen: goes nowhere */
    hput(&b, H_TN_CMP(0), 10);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 20);
    for (unsigned int i = 0; i < HPET_RIG_WIRES; i++)
        assert_int_equal(b.wire[i].raises, 0);
}

static void s2_3_6_level(void **state)
{
    (void)state;
    hput(&b, H_TN_CONF(1), LEVEL | HPET_TN_PERIODIC | HPET_TN_VAL_SET);
    hput(&b, H_TN_CMP(1), 100);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 250);
    assert_int_equal(hget(&b, H_STS), 2);
    assert_true(b.wire[20].level);
    assert_int_equal(b.wire[20].raises, 1); /* the second match merged */
    hput(&b, H_STS, 0xfd);
    assert_true(b.wire[20].level);
    hput(&b, H_STS, 2);
    assert_int_equal(hget(&b, H_STS), 0);
    assert_false(b.wire[20].level);
    hpet_to(&b, 300);
    assert_true(b.wire[20].level);
    hput(&b, H_TN_CONF(1), (LEVEL & ~HPET_TN_ROUTE) | ROUTE(17u)); /* the wire follows the route */
    assert_false(b.wire[20].level);
    assert_true(b.wire[17].level);
    hput(&b, H_TN_CONF(1), HPET_TN_ENABLE | ROUTE(17u)); /* edge: the status bit reads 0 (ICH9 20.1.4) */
    assert_false(b.wire[17].level);
    assert_int_equal(hget(&b, H_STS), 0);
}

/* "If this bit is 0, the timer will still operate and generate appropriate status bits." */
static void s2_3_8_disabled_timer_sets_status(void **state)
{
    (void)state;
    hput(&b, H_TN_CONF(0), HPET_TN_LEVEL | HPET_TN_PERIODIC | HPET_TN_VAL_SET | ROUTE(20u));
    hput(&b, H_TN_CMP(0), 100);
    hput(&b, H_CONF, RUN);
    assert_true(rig_idle(&b.rig));
    hpet_to(&b, 99);
    assert_int_equal(hget(&b, H_STS), 0);
    hpet_to(&b, 1234);
    assert_int_equal(hget(&b, H_TN_CMP(0)), 1300);
    assert_int_equal(hget(&b, H_STS), 1);
    assert_int_equal(b.wire[20].raises, 0);
    hput(&b, H_TN_CONF(0), LEVEL | HPET_TN_PERIODIC); /* enabled with the bit set: there it is */
    assert_true(b.wire[20].level);
}

/* "The interrupt status indications will not be cleared"; no interrupt while the counter stands. */
static void s2_3_5_overall_enable(void **state)
{
    (void)state;
    hput(&b, H_TN_CONF(0), LEVEL);
    hput(&b, H_TN_CMP(0), 100);
    hput(&b, H_TN_CONF(1), EDGE);
    hput(&b, H_TN_CMP(1), 200);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 150);
    hput(&b, H_CONF, 0);
    assert_int_equal(hget(&b, H_STS), 1);
    assert_false(b.wire[20].level);
    assert_true(rig_idle(&b.rig));
    hpet_to(&b, 1000);
    hput(&b, H_CONF, RUN);
    assert_true(b.wire[20].level);
    hput(&b, H_STS, 1);
    assert_int_equal(rig_next(&b.rig), 1050 * H_TICK);
}

/* Timers 0 and 1 go to IRQ 0 and IRQ 8 whatever their routes say, timer 2 does not. */
static void s2_3_5_legacy_replacement(void **state)
{
    (void)state;
    for (unsigned int n = 0; n < 3; n++) {
        hput(&b, H_TN_CONF(n), EDGE);
        hput(&b, H_TN_CMP(n), 100 * (n + 1));
    }
    hput(&b, H_CONF, LEGACY);
    assert_false(hpet_legacy(&b.h)); /* both bits */
    hput(&b, H_CONF, LEGACY | RUN);
    assert_true(hpet_legacy(&b.h));
    hpet_to(&b, 1000);
    assert_int_equal(b.wire[HPET_WIRE_ISA + 0].raises, 1);
    assert_int_equal(b.wire[HPET_WIRE_ISA + 8].raises, 1);
    assert_int_equal(b.wire[20].raises, 1);
    hput(&b, H_TN_CONF(0), LEVEL);
    hput(&b, H_TN_CMP(0), 1000);
    assert_true(b.wire[HPET_WIRE_ISA].level);
    assert_true(hpet_drives(&b.h, HPET_WIRE_ISA));
    hput(&b, H_CONF, RUN); /* a level moves to its own route */
    assert_false(b.wire[HPET_WIRE_ISA].level);
    assert_true(b.wire[20].level);
    hpet_reset(&b.h);
    assert_false(b.wire[20].level);
    assert_int_equal(hget(&b, H_CONF) | hget(&b, H_STS) | hget(&b, H_COUNT), 0);
    assert_true(rig_idle(&b.rig));
}

/* Level-triggered timers on one wire are ored. */
static void shared_wire(void **state)
{
    (void)state;
    hput(&b, H_TN_CONF(0), LEVEL);
    hput(&b, H_TN_CMP(0), 100);
    hput(&b, H_TN_CONF(1), LEVEL);
    hput(&b, H_TN_CMP(1), 100);
    hput(&b, H_TN_CONF(2), EDGE);
    hput(&b, H_TN_CMP(2), 200);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 200);
    assert_int_equal(hget(&b, H_STS), 3);
    assert_true(b.wire[20].level);
    hput(&b, H_STS, 1);
    assert_true(b.wire[20].level);
    hput(&b, H_STS, 2);
    assert_false(b.wire[20].level);
}

/* DESIGN.md 2.2: what is due at once comes at the present AT; the matches after it are on the counter's grid
 * all the same. */
static void late_first_match_keeps_the_grid(void **state)
{
    (void)state;
    hput(&b, H_CONF, RUN);
    hput(&b, H_TN_CONF(0), EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET);
    rig_to(&b.rig, 100 * H_TICK + 5); /* half a count later than the match */
    hput(&b, H_TN_CMP(0), 100);
    assert_int_equal(b.wire[20].raises, 1);
    for (unsigned int k = 2; k < 10; k++) {
        assert_int_equal(rig_next(&b.rig), 100 * k * H_TICK);
        hpet_to(&b, 100 * k);
    }
}

/* A match counts when its event is delivered, not when somebody looks: as long as AT stands at it. */
static void a_match_waits_for_its_event(void **state)
{
    (void)state;
    hput(&b, H_TN_CONF(0), LEVEL);
    hput(&b, H_TN_CMP(0), 100);
    hput(&b, H_CONF, RUN);
    vtime_latch(&b.rig.time, 5000);
    assert_int_equal(hget(&b, H_COUNT), 100);
    assert_int_equal(hget(&b, H_STS), 0);
    assert_false(b.wire[20].level);
    vtime_advance(&b.rig.time, 5000);
    assert_int_equal(hget(&b, H_STS), 1);
    assert_true(b.wire[20].level);
}

static struct vt_ticks ledger(unsigned int n)
{
    struct vt_ticks ticks;

    vtime_ticks(&b.rig.time, &b.h.timer[n].timer, &ticks);
    return ticks;
}

/* DESIGN.md 2.6: what the guest has not taken is outstanding; a masked wire holds nothing up, and nobody
 * waits for what it brings. */
static void outcomes(void **state)
{
    (void)state;
    const struct hpet_timer *t = &b.h.timer[0];

    b.keeps = true;
    hput(&b, H_TN_CONF(0), EDGE | HPET_TN_PERIODIC | HPET_TN_VAL_SET);
    hput(&b, H_TN_CMP(0), 100);
    hput(&b, H_CONF, RUN);
    hpet_to(&b, 100);
    assert_true(t->timer.ops->outstanding(t->timer.self));
    assert_false(t->timer.ops->unheard(t->timer.self));
    b.wire[20].masked = true;
    assert_false(t->timer.ops->outstanding(t->timer.self));
    assert_true(t->timer.ops->unheard(t->timer.self));
    hpet_to(&b, 200);
    assert_int_equal(ledger(0).delivered, 1);
    assert_int_equal(ledger(0).merged, 1);
    b.wire[20].masked = false;
    b.keeps = false;
    hput(&b, H_TN_CONF(0), LEVEL | HPET_TN_PERIODIC);
    b.wire[20].waiting = false;
    hpet_to(&b, 300);
    assert_true(t->timer.ops->outstanding(t->timer.self)); /* until the status bit is cleared */
    b.wire[20].masked = true;
    assert_false(t->timer.ops->outstanding(t->timer.self));
    b.wire[20].masked = false;
    hput(&b, H_STS, 1);
    assert_false(t->timer.ops->outstanding(t->timer.self));
    assert_int_equal(ledger(0).delivered, 2);
    t = &b.h.timer[1]; /* routed nowhere yet */
    assert_false(t->timer.ops->outstanding(t->timer.self));
    assert_true(t->timer.ops->unheard(t->timer.self));
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(s2_3_4_capabilities),
        TEST(s2_3_3_registers),
        TEST(s2_3_7_main_counter),
        TEST(s2_3_9_2_1_one_shot),
        TEST(s2_3_9_2_1_the_past_comes_again),
        TEST(s2_3_9_2_2_periodic),
        TEST(s2_3_9_2_2_two_writes),
        TEST(s2_3_9_2_2_accumulator_wraps),
        TEST(s2_3_8_val_set_by_halves),
        TEST(s2_3_8_32_bit_mode),
        TEST(s2_3_8_routes),
        TEST(s2_3_6_level),
        TEST(s2_3_8_disabled_timer_sets_status),
        TEST(s2_3_5_overall_enable),
        TEST(s2_3_5_legacy_replacement),
        TEST(shared_wire),
        TEST(late_first_match_keeps_the_grid),
        TEST(a_match_waits_for_its_event),
        TEST(outcomes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
