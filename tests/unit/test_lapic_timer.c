/* The local APIC's timer: against a literal model that is ticked by the bus clock, and by example. */
#include <string.h>

#include "tests/unit/support/timer_rig.h"
#include "timers/lapic_timer.h"
#include "timers/muldiv.h"

#define TICK   3u /* AT in a bus tick */
#define BUS_HZ 100000000u

#define ONESHOT  LAPIC_TIMER_LVT_ONESHOT
#define PERIODIC LAPIC_TIMER_LVT_PERIODIC
#define DEADLINE LAPIC_TIMER_LVT_DEADLINE
#define MASKED   LAPIC_TIMER_LVT_MASKED

struct bench {
    struct rig rig;
    struct tsc tsc;
    struct lapic_timer timer;
    unsigned int fired;
    uint8_t vector;
    bool waiting;
    bool keep; /* the guest does not take it */
    at_t last;
};

static bool fire(void *ctx, uint8_t vector)
{
    struct bench *b = ctx;
    bool merged = b->waiting;

    b->fired++;
    b->vector = vector;
    b->last = vtime_now(&b->rig.time);
    b->waiting = b->keep;
    return !merged;
}

static bool waiting(void *ctx, uint8_t vector)
{
    struct bench *b = ctx;

    return b->waiting && vector == b->vector;
}

static const struct lapic_timer_ops ops = {.fire = fire, .waiting = waiting};

static void bench_init(struct bench *b, uint64_t hz, uint64_t bus_hz)
{
    memset(b, 0, sizeof(*b));
    rig_init(&b->rig, hz);
    tsc_init(&b->tsc, &b->rig.time);
    lapic_timer_init(&b->timer, &b->rig.time, bus_hz, &b->tsc, &ops, b, 0);
}

static void to_tick(struct bench *b, uint64_t tick)
{
    rig_to(&b->rig, tick * TICK);
}

/* The register's value for a divisor of 2^shift. */
static uint32_t divide_code(unsigned int shift)
{
    unsigned int code = (shift + 7) & 7;

    return (code & 4) << 1 | (code & 3);
}

/* ---- the literal model ---- */

struct model {
    uint32_t lvt, initial, count;
    unsigned int shift;
    uint32_t prescaler;
    unsigned int fired;
};

static void model_tick(struct model *m)
{
    if (m->count == 0 || ++m->prescaler != 1u << m->shift)
        return;
    m->prescaler = 0;
    if (--m->count != 0)
        return;
    if ((m->lvt & MASKED) == 0)
        m->fired++;
    if ((m->lvt & LAPIC_TIMER_LVT_MODE) == PERIODIC)
        m->count = m->initial;
}

static void random_action(struct bench *b, struct model *m, uint64_t *seed)
{
    static const uint32_t modes[] = {ONESHOT, PERIODIC, ONESHOT | MASKED, PERIODIC | MASKED};
    unsigned int shift = (unsigned int)rig_below(seed, 8);

    switch (rig_below(seed, 4)) {
    case 0:
        m->lvt = 0x30 | modes[rig_below(seed, 4)];
        lapic_timer_set_lvt(&b->timer, m->lvt);
        break;
    case 1:
        m->initial = m->count = (uint32_t)rig_below(seed, rig_below(seed, 3) == 0 ? 3 : 40);
        m->prescaler = 0;
        lapic_timer_set_initial(&b->timer, m->initial);
        break;
    case 2:
        if (shift != m->shift)
            m->prescaler = 0;
        m->shift = shift;
        lapic_timer_set_divide(&b->timer, divide_code(shift) | 0xFFFFFFF4u);
        break;
    default:
        assert_int_equal(lapic_timer_initial(&b->timer), m->initial);
        assert_int_equal(lapic_timer_divide(&b->timer), divide_code(m->shift));
        break;
    }
}

static void test_against_model(void **state)
{
    uint64_t seed = 99;

    (void)state;
    for (unsigned int round = 0; round < 40; round++) {
        struct bench b;
        struct model m = {.lvt = MASKED, .shift = 1};
        uint64_t rare = 2 + rig_below(&seed, 300);

        bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
        for (uint64_t tick = 1; tick < 8000; tick++) {
            to_tick(&b, tick);
            model_tick(&m);
            assert_int_equal(lapic_timer_current(&b.timer), m.count);
            assert_int_equal(b.fired, m.fired);
            if (rig_below(&seed, rare) != 0)
                continue;
            rig_to(&b.rig, tick * TICK + rig_below(&seed, TICK));
            random_action(&b, &m, &seed);
            assert_int_equal(lapic_timer_current(&b.timer), m.count);
            assert_int_equal(b.fired, m.fired);
        }
    }
}

/* ---- by example ---- */

static void test_one_shot(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
    assert_int_equal(lapic_timer_current(&b.timer), 0);
    lapic_timer_set_lvt(&b.timer, 0xEF | ONESHOT);
    to_tick(&b, 10);
    lapic_timer_set_initial(&b.timer, 100); /* divided by 2 after reset */
    assert_int_equal(lapic_timer_current(&b.timer), 100);
    assert_int_equal(rig_next(&b.rig), 210 * TICK);
    to_tick(&b, 209);
    assert_int_equal(lapic_timer_current(&b.timer), 1);
    assert_int_equal(b.fired, 0);
    to_tick(&b, 210);
    assert_int_equal(b.fired, 1);
    assert_int_equal(b.vector, 0xEF);
    assert_int_equal(lapic_timer_current(&b.timer), 0);
    assert_int_equal(lapic_timer_initial(&b.timer), 100);
    assert_true(rig_idle(&b.rig));
    lapic_timer_set_initial(&b.timer, 50);
    lapic_timer_set_initial(&b.timer, 0); /* stops it */
    assert_true(rig_idle(&b.rig));
    assert_int_equal(lapic_timer_current(&b.timer), 0);
}

/* As kvm-unit-tests' apic.c asks for it. */
static void test_mode_changes_go_on(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
    lapic_timer_set_lvt(&b.timer, 0x40 | ONESHOT);
    lapic_timer_set_divide(&b.timer, 0xB); /* by 1 */
    lapic_timer_set_initial(&b.timer, 1000);
    to_tick(&b, 700);
    lapic_timer_set_lvt(&b.timer, 0x40 | PERIODIC);
    assert_int_equal(lapic_timer_current(&b.timer), 300);
    to_tick(&b, 1000);
    assert_int_equal(b.fired, 1);
    assert_int_equal(lapic_timer_current(&b.timer), 1000);
    to_tick(&b, 2600);
    assert_int_equal(b.fired, 2);
    lapic_timer_set_lvt(&b.timer, 0x40 | ONESHOT);
    assert_int_equal(lapic_timer_current(&b.timer), 400);
    to_tick(&b, 9000);
    assert_int_equal(b.fired, 3);
    lapic_timer_set_lvt(&b.timer, 0x40 | PERIODIC);
    assert_int_equal(lapic_timer_current(&b.timer), 0);
    assert_true(rig_idle(&b.rig));
}

static void test_masked_counts_on(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
    lapic_timer_set_lvt(&b.timer, 0x40 | PERIODIC | MASKED);
    lapic_timer_set_divide(&b.timer, 0xB);
    lapic_timer_set_initial(&b.timer, 1000);
    assert_true(rig_idle(&b.rig));
    to_tick(&b, 2500);
    assert_int_equal(lapic_timer_current(&b.timer), 500);
    lapic_timer_set_lvt(&b.timer, 0x40 | PERIODIC);
    assert_int_equal(b.fired, 0);
    to_tick(&b, 3000);
    assert_int_equal(b.fired, 1);
    b.keep = true;
    to_tick(&b, 4000);
    assert_true(b.timer.timer.ops->outstanding(&b.timer));
    lapic_timer_set_lvt(&b.timer, 0x40 | PERIODIC | MASKED);
    assert_false(b.timer.timer.ops->outstanding(&b.timer));
    lapic_timer_reset(&b.timer);
    assert_int_equal(lapic_timer_current(&b.timer), 0);
    assert_int_equal(lapic_timer_divide(&b.timer), 0);
}

static void test_divide_change_goes_on(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
    lapic_timer_set_lvt(&b.timer, 0x40 | PERIODIC);
    lapic_timer_set_divide(&b.timer, 0xB);
    lapic_timer_set_initial(&b.timer, 1000);
    to_tick(&b, 400);
    lapic_timer_set_divide(&b.timer, 0x2); /* by 8 */
    assert_int_equal(lapic_timer_current(&b.timer), 600);
    to_tick(&b, 400 + 600 * 8 - 1);
    assert_int_equal(b.fired, 0);
    to_tick(&b, 400 + 600 * 8);
    assert_int_equal(b.fired, 1);
    to_tick(&b, 400 + 1600 * 8);
    assert_int_equal(b.fired, 2);
    for (unsigned int shift = 0; shift < 8; shift++) {
        lapic_timer_set_divide(&b.timer, divide_code(shift));
        lapic_timer_set_initial(&b.timer, 10);
        assert_int_equal(rig_next(&b.rig) - vtime_peek(&b.rig.time), (10u << shift) * TICK);
    }
}

static void test_tsc_deadline(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
    lapic_timer_set_deadline(&b.timer, 500); /* not in this mode: ignored */
    assert_int_equal(lapic_timer_deadline(&b.timer), 0);
    rig_to(&b.rig, 100);
    tsc_write(&b.tsc, 1000000);
    lapic_timer_set_lvt(&b.timer, 0x50 | DEADLINE);
    lapic_timer_set_deadline(&b.timer, 1000500);
    lapic_timer_set_initial(&b.timer, 5); /* ignored */
    assert_int_equal(lapic_timer_current(&b.timer), 0);
    assert_int_equal(rig_next(&b.rig), 600);
    assert_int_equal(lapic_timer_deadline(&b.timer), 1000500);
    rig_to(&b.rig, 600);
    assert_int_equal(b.fired, 1);
    assert_int_equal(lapic_timer_deadline(&b.timer), 0);

    lapic_timer_set_deadline(&b.timer, 1); /* long past: at once */
    rig_to(&b.rig, 600);
    assert_int_equal(b.fired, 2);

    lapic_timer_set_deadline(&b.timer, 1001000);
    tsc_set_adjust(&b.tsc, tsc_adjust(&b.tsc) + 300); /* the TSC moves, the deadline is nearer */
    lapic_timer_tsc_moved(&b.timer);
    assert_int_equal(rig_next(&b.rig), 800);
    lapic_timer_set_deadline(&b.timer, 0); /* disarms */
    assert_true(rig_idle(&b.rig));

    lapic_timer_set_deadline(&b.timer, 1002000);
    lapic_timer_set_lvt(&b.timer, 0x50 | DEADLINE | MASKED);
    assert_true(rig_idle(&b.rig));
    assert_int_equal(lapic_timer_deadline(&b.timer), 1002000);
    rig_to(&b.rig, 5000); /* it passes, masked */
    lapic_timer_set_lvt(&b.timer, 0x50 | DEADLINE);
    assert_int_equal(lapic_timer_deadline(&b.timer), 0);
    assert_int_equal(b.fired, 2);

    lapic_timer_set_deadline(&b.timer, UINT64_MAX);
    lapic_timer_set_lvt(&b.timer, 0x50 | ONESHOT); /* a change of mode disarms */
    assert_int_equal(lapic_timer_deadline(&b.timer), 0);
    assert_true(rig_idle(&b.rig));
    lapic_timer_set_initial(&b.timer, 77);
    lapic_timer_set_lvt(&b.timer, 0x50 | DEADLINE);
    assert_true(rig_idle(&b.rig));
    lapic_timer_set_lvt(&b.timer, 0x50 | ONESHOT);
    assert_int_equal(lapic_timer_current(&b.timer), 0);
    lapic_timer_set_initial(&b.timer, 77);
    lapic_timer_set_lvt(&b.timer, 0x50 | PERIODIC | DEADLINE); /* reserved: stopped */
    assert_true(rig_idle(&b.rig));
}

/* 10.5.4.1: a write to the TSC or to IA32_TSC_ADJUST re-maps an armed deadline, in both directions; what
 * passed while the timer was masked is over, wherever the TSC goes afterwards. */
static void s10_5_4_1_tsc_writes(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
    lapic_timer_set_lvt(&b.timer, 0x50 | DEADLINE);
    lapic_timer_set_deadline(&b.timer, 1000);
    rig_to(&b.rig, 400);
    tsc_write(&b.tsc, 0); /* back: farther away */
    lapic_timer_tsc_moved(&b.timer);
    assert_int_equal(rig_next(&b.rig), 1400);
    tsc_write(&b.tsc, 5000); /* past it: at once */
    lapic_timer_tsc_moved(&b.timer);
    rig_to(&b.rig, 400);
    assert_int_equal(b.fired, 1);
    assert_int_equal(lapic_timer_deadline(&b.timer), 0);
    tsc_write(&b.tsc, 0); /* it has fired: it does not come again */
    lapic_timer_tsc_moved(&b.timer);
    assert_true(rig_idle(&b.rig));

    lapic_timer_set_lvt(&b.timer, 0x50 | DEADLINE | MASKED);
    lapic_timer_set_deadline(&b.timer, 100);
    rig_to(&b.rig, 600); /* passes, masked */
    tsc_write(&b.tsc, 0);
    lapic_timer_tsc_moved(&b.timer);
    lapic_timer_set_lvt(&b.timer, 0x50 | DEADLINE);
    assert_int_equal(lapic_timer_deadline(&b.timer), 0);
    assert_true(rig_idle(&b.rig));
    assert_int_equal(b.fired, 1);
}

/* Issue 4, bad input: the end of 64 bits is never reached; a 0 after it disarms; a million deadlines. */
static void s10_5_4_1_extremes(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
    lapic_timer_set_lvt(&b.timer, 0x50 | DEADLINE);
    lapic_timer_set_deadline(&b.timer, UINT64_MAX);
    assert_true(lapic_timer_deadline(&b.timer) == UINT64_MAX);
    assert_true(rig_idle(&b.rig));
    lapic_timer_set_deadline(&b.timer, 0);
    assert_int_equal(lapic_timer_deadline(&b.timer), 0);
    tsc_write(&b.tsc, UINT64_MAX - 10); /* and back through 0 */
    lapic_timer_set_deadline(&b.timer, UINT64_MAX);
    assert_int_equal(rig_next(&b.rig), 10);
    for (uint64_t i = 1; i <= 1000000; i++)
        lapic_timer_set_deadline(&b.timer, i * 7);
    rig_to(&b.rig, 0);
    assert_int_equal(b.fired, 1);
    assert_null(vtime_check(&b.rig.time));
}

/* 10.4.7.1: after RESET and INIT the timer is masked, stopped, one-shot, divided by 2, without a deadline. */
static void s10_4_7_1_reset(void **state)
{
    static const uint32_t modes[] = {ONESHOT, PERIODIC, DEADLINE};

    (void)state;
    for (unsigned int i = 0; i < 3; i++) {
        struct bench b;

        bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
        lapic_timer_set_divide(&b.timer, 0xB);
        lapic_timer_set_lvt(&b.timer, 0x50 | modes[i]);
        lapic_timer_set_initial(&b.timer, 100);
        lapic_timer_set_deadline(&b.timer, 100);
        assert_false(rig_idle(&b.rig));
        lapic_timer_reset(&b.timer);
        assert_true(rig_idle(&b.rig));
        assert_int_equal(lapic_timer_initial(&b.timer) | lapic_timer_current(&b.timer), 0);
        assert_int_equal(lapic_timer_deadline(&b.timer), 0);
        lapic_timer_set_lvt(&b.timer, 0x50 | ONESHOT); /* nothing is left to fire */
        assert_true(rig_idle(&b.rig));
        lapic_timer_set_initial(&b.timer, 100);
        assert_int_equal(rig_next(&b.rig), 200 * TICK);
    }
}

/* A period far below the minimum progress: AT goes on, and the count that is read is the exact one
 * (counter_group()). */
static void period_of_one_tick(void **state)
{
    struct vtime_policy policy = vtime_policy_defaults((uint64_t)BUS_HZ * TICK);
    struct bench b;
    rt_t rt = 0;

    (void)state;
    bench_init(&b, (uint64_t)BUS_HZ * TICK, BUS_HZ);
    vtime_init(&b.rig.time, &policy, (uint64_t)BUS_HZ * TICK, 0);
    vtime_vcpu_run(&b.rig.time, 0);
    lapic_timer_init(&b.timer, &b.rig.time, BUS_HZ, &b.tsc, &ops, &b, 0);
    lapic_timer_set_divide(&b.timer, 0xB);
    lapic_timer_set_lvt(&b.timer, 0x50 | PERIODIC);
    lapic_timer_set_initial(&b.timer, 1);
    for (unsigned int i = 0; i < 1000; i++) {
        rt_t next = vtime_deadline(&b.rig.time);

        rt = next > rt ? next : rt + 100;
        vtime_advance(&b.rig.time, rt);
        assert_int_equal(lapic_timer_current(&b.timer), 1);
    }
    assert_in_range(b.fired, 900, 1000);
    assert_int_equal(vtime_peek(&b.rig.time), rt);
    assert_true(rt >= (uint64_t)BUS_HZ * TICK / 10); /* 100 us and more for each */
}

/* Clocks without a common factor: events on the exact grid, also where the fraction of the period is too wide
 * for the queue. */
static void periodic_exact(uint64_t hz, uint64_t bus, uint32_t initial, unsigned int shift,
                           unsigned int events)
{
    struct bench b;
    struct vt_ticks ticks;
    at_t start = 1234567;

    bench_init(&b, hz, bus);
    rig_to(&b.rig, start);
    lapic_timer_set_lvt(&b.timer, 0x40 | PERIODIC);
    lapic_timer_set_divide(&b.timer, divide_code(shift));
    lapic_timer_set_initial(&b.timer, initial);
    uint64_t tick = (uint64_t)((vt_u128)start * bus / hz);

    for (uint64_t k = 1; k <= events; k++) {
        vt_u128 n = ((vt_u128)tick + k * ((vt_u128)initial << shift)) * hz;
        at_t at = (at_t)((n + bus - 1) / bus);

        assert_int_equal(rig_next(&b.rig), at);
        rig_to(&b.rig, at);
        assert_int_equal(b.fired, k);
        assert_int_equal(b.last, at);
        assert_int_equal(lapic_timer_current(&b.timer), initial);
        assert_int_equal(lapic_timer_count(&b.timer, at - 1), 1);
    }
    vtime_ticks(&b.rig.time, &b.timer.timer, &ticks);
    assert_int_equal(ticks.due, events);
    assert_int_equal(ticks.delivered, events);
    assert_int_equal(ticks.cancelled, 0);
}

static void test_exact(void **state)
{
    (void)state;
    periodic_exact(2394457123u, 999999937u, 624999, 4, 100000);
    periodic_exact(2394457123u, 999999937u, UINT32_MAX, 7, 5000); /* a month of 550 s periods */
    periodic_exact(10000000019u, 199999991u, UINT32_MAX, 7, 5000);
    periodic_exact(1000000000u, 1000000000u, 1000000, 0, 1000);
}

static void test_garbage(void **state)
{
    uint64_t seed = 17;
    struct bench b;
    at_t at = 0;

    (void)state;
    bench_init(&b, 1000000007, 250000001);
    for (unsigned int i = 0; i < 200000; i++) {
        at += rig_below(&seed, 500);
        rig_to(&b.rig, at);
        switch (rig_below(&seed, 7)) {
        case 0:
            lapic_timer_set_lvt(&b.timer, (uint32_t)rig_random(&seed));
            break;
        case 1:
            lapic_timer_set_initial(&b.timer, (uint32_t)(rig_random(&seed) >> rig_below(&seed, 40)));
            break;
        case 2:
            lapic_timer_set_divide(&b.timer, (uint32_t)rig_random(&seed));
            break;
        case 3:
            lapic_timer_set_deadline(&b.timer, tsc_read(&b.tsc) + rig_below(&seed, 2000) - 500);
            break;
        case 4:
            lapic_timer_set_deadline(&b.timer, rig_random(&seed) << rig_below(&seed, 12));
            break;
        case 5:
            tsc_write(&b.tsc, rig_random(&seed) << rig_below(&seed, 12));
            lapic_timer_tsc_moved(&b.timer);
            break;
        default:
            (void)lapic_timer_current(&b.timer);
            (void)lapic_timer_deadline(&b.timer);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_model),
        cmocka_unit_test(test_one_shot),
        cmocka_unit_test(test_mode_changes_go_on),
        cmocka_unit_test(test_masked_counts_on),
        cmocka_unit_test(test_divide_change_goes_on),
        cmocka_unit_test(test_tsc_deadline),
        cmocka_unit_test(s10_5_4_1_tsc_writes),
        cmocka_unit_test(s10_5_4_1_extremes),
        cmocka_unit_test(s10_4_7_1_reset),
        cmocka_unit_test(period_of_one_tick),
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_garbage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
