/* The 8254: every mode against a literal model that is ticked clock by clock, and the registers by example.
 */
#include "tests/unit/support/timer_rig.h"
#include "timers/muldiv.h"
#include "timers/pit.h"

#define TICK     12u /* AT in a clock when AT runs at 14318180 Hz */
#define EXACT_HZ PIT_HZ_NUM

struct bench {
    struct rig rig;
    struct pit pit;
};

static void bench_init(struct bench *b, uint64_t hz)
{
    rig_init(&b->rig, hz);
    pit_init(&b->pit, &b->rig.time, rig_line(&b->rig));
}

static void to_tick(struct bench *b, uint64_t tick)
{
    rig_to(&b->rig, tick * TICK);
}

static uint64_t tick_now(struct bench *b)
{
    return vtime_peek(&b->rig.time) / TICK;
}

static void out(struct bench *b, uint16_t port, unsigned int value)
{
    pit_write(&b->pit, port, (uint8_t)value);
}

static unsigned int in(struct bench *b, uint16_t port)
{
    return pit_read(&b->pit, port);
}

static void program(struct bench *b, unsigned int channel, unsigned int mode, unsigned int count)
{
    out(b, 0x43, channel << 6 | 0x30 | mode << 1);
    out(b, (uint16_t)(0x40 + channel), count & 0xFF);
    out(b, (uint16_t)(0x40 + channel), count >> 8);
}

static unsigned int read16(struct bench *b, uint16_t port)
{
    unsigned int low = in(b, port);

    return low | in(b, port) << 8;
}

static unsigned int latched(struct bench *b, unsigned int channel)
{
    out(b, 0x43, channel << 6);
    return read16(b, (uint16_t)(0x40 + channel));
}

static unsigned int status(struct bench *b, unsigned int channel)
{
    out(b, 0x43, 0xE0 | 2u << channel);
    return in(b, (uint16_t)(0x40 + channel));
}

static bool out_of(struct bench *b, unsigned int channel)
{
    return pit_get_out(&b->pit, channel, vtime_peek(&b->rig.time));
}

static unsigned int count_of(struct bench *b, unsigned int channel)
{
    return pit_get_count(&b->pit, channel, vtime_peek(&b->rig.time));
}

/* ---- by example ---- */

static void test_firmware_state(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    to_tick(&b, 65536);
    assert_int_equal(b.rig.raises, 0);
    to_tick(&b, 65537); /* loaded by the first clock */
    assert_int_equal(b.rig.raises, 1);
    assert_int_equal(status(&b, 0), 0x80 | 0x36);
    assert_int_equal(status(&b, 2) & 0x3F, 0x36);
    assert_int_equal(in(&b, 0x43), 0xFF);
    assert_int_equal(in(&b, 0x44), 0xFF);
    program(&b, 0, 2, 100);
    pit_reset(&b.pit);
    assert_int_equal(status(&b, 0) & 0x3F, 0x36);
    assert_int_equal(rig_next(&b.rig) / TICK, tick_now(&b) + 65537);
}

static void test_mode0_one_shot(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    to_tick(&b, 100);
    program(&b, 0, 0, 4);
    assert_false(out_of(&b, 0));
    to_tick(&b, 104);
    assert_false(out_of(&b, 0));
    to_tick(&b, 105); /* N + 1 clocks after the write */
    assert_true(out_of(&b, 0));
    assert_int_equal(b.rig.raises, 1);
    assert_true(b.rig.level);
    assert_true(rig_idle(&b.rig));
    to_tick(&b, 200); /* it wraps and goes on */
    assert_int_equal(latched(&b, 0), 65536 - 95);
    out(&b, 0x40, 9); /* half a count: stops, OUT low */
    assert_false(out_of(&b, 0));
    assert_false(b.rig.level);
    to_tick(&b, 300);
    assert_int_equal(count_of(&b, 0), 65536 - 95);
    out(&b, 0x40, 0);
    to_tick(&b, 310);
    assert_int_equal(b.rig.raises, 2);
}

static void test_mode2_reload_at_end_of_period(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    program(&b, 0, 2, 10); /* loaded at 1, reloads at 11, 21 ... */
    to_tick(&b, 13);
    assert_int_equal(b.rig.raises, 1);
    assert_int_equal(status(&b, 0) & 0x40, 0);
    out(&b, 0x40, 7);
    out(&b, 0x40, 0);
    assert_int_equal(status(&b, 0) & 0x40, 0x40); /* NULL COUNT until the load */
    to_tick(&b, 20);
    assert_false(out_of(&b, 0));
    assert_int_equal(count_of(&b, 0), 1);
    to_tick(&b, 21);
    assert_int_equal(b.rig.raises, 2);
    assert_int_equal(count_of(&b, 0), 7);
    assert_int_equal(status(&b, 0) & 0x40, 0);
    to_tick(&b, 27);
    assert_int_equal(b.rig.raises, 2);
    to_tick(&b, 28);
    assert_int_equal(b.rig.raises, 3);
}

static void test_latch_and_read_back(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    program(&b, 0, 2, 0x1234);
    program(&b, 1, 2, 0x2000);
    program(&b, 2, 2, 0x3000);
    to_tick(&b, 1 + 0x100);
    out(&b, 0x43, 0x00);
    to_tick(&b, 1 + 0x200);
    out(&b, 0x43, 0x00); /* ignored: one is latched */
    assert_int_equal(in(&b, 0x40), 0x34);
    assert_int_equal(in(&b, 0x40), 0x11);
    assert_int_equal(read16(&b, 0x40), 0x1034);
    out(&b, 0x43, 0xC0 | 2 << 0 | 2 << 1); /* status and count of 0 and 1 */
    to_tick(&b, 1 + 0x300);
    assert_int_equal(in(&b, 0x41), 0x80 | 0x34);
    assert_int_equal(in(&b, 0x40), 0x80 | 0x34);
    assert_int_equal(read16(&b, 0x40), 0x1034);
    assert_int_equal(read16(&b, 0x41), 0x1E00);
    assert_int_equal(read16(&b, 0x40), 0x0F34); /* live again */
    out(&b, 0x43, 0x00);
    program(&b, 0, 2, 0x55); /* a control word drops what is latched */
    to_tick(&b, 1 + 0x301);
    assert_int_equal(read16(&b, 0x40), 0x55);
}

static void test_access_modes(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    out(&b, 0x43, 0x14); /* LSB only */
    out(&b, 0x40, 0x80);
    to_tick(&b, 2);
    assert_int_equal(in(&b, 0x40), 0x7F);
    assert_int_equal(in(&b, 0x40), 0x7F);
    out(&b, 0x43, 0x24); /* MSB only */
    out(&b, 0x40, 0x80);
    to_tick(&b, 4);
    assert_int_equal(in(&b, 0x40), 0x7F);
    out(&b, 0x43, 0x35); /* BCD, mode 2 */
    out(&b, 0x40, 0x00);
    out(&b, 0x40, 0x00);
    to_tick(&b, 5);
    assert_int_equal(count_of(&b, 0), 0);
    to_tick(&b, 6);
    assert_int_equal(latched(&b, 0), 0x9999);
}

static void test_port_61h(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    for (uint64_t tick = 0; tick < 100; tick++) {
        to_tick(&b, tick);
        assert_int_equal(in(&b, 0x61) >> 4 & 1, tick / 18 % 2);
    }
    out(&b, 0x61, 0xFE);
    assert_int_equal(in(&b, 0x61) & 0xCF, 0x0E);
    program(&b, 2, 0, 50); /* what Linux calibrates with; the gate is low */
    to_tick(&b, 200);
    assert_int_equal(count_of(&b, 2), 50);
    assert_int_equal(in(&b, 0x61) & 0x20, 0);
    out(&b, 0x61, 1);
    to_tick(&b, 249);
    assert_int_equal(in(&b, 0x61) & 0x20, 0);
    to_tick(&b, 250);
    assert_int_equal(in(&b, 0x61) & 0x20, 0x20);
}

/* ICH9, NMI_SC: bit 1 lets OUT2 through to the speaker and is no more than kept; bit 5 shows OUT2 before
 * that. Bit 0 is GATE2: low it stops a tone with OUT high, its rising edge starts the tone anew (8254, "Mode
 * 3"). */
static void port_61h_speaker_and_gate(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    out(&b, 0x61, 3);
    program(&b, 2, 3, 100);
    to_tick(&b, 1000);
    for (uint64_t tick = 1000; tick < 1200; tick++) {
        to_tick(&b, tick);
        unsigned int expected = (tick - 1) % 100 < 50 ? 0x20 : 0;

        assert_int_equal(in(&b, 0x61) & 0x23, expected | 3);
        out(&b, 0x61, 1); /* the speaker off and on: the tone goes on */
        assert_int_equal(in(&b, 0x61) & 0x23, expected | 1);
        out(&b, 0x61, 3);
    }
    to_tick(&b, 1270);
    assert_int_equal(in(&b, 0x61) & 0x20, 0);
    out(&b, 0x61, 2);
    assert_int_equal(in(&b, 0x61) & 0x23, 0x22);
    to_tick(&b, 5000);
    assert_int_equal(in(&b, 0x61) & 0x23, 0x22);
    out(&b, 0x61, 3);
    to_tick(&b, 5001 + 49);
    assert_int_equal(in(&b, 0x61) & 0x20, 0x20);
    to_tick(&b, 5001 + 50);
    assert_int_equal(in(&b, 0x61) & 0x20, 0);
}

static void test_one_shot_retriggers_at_gate(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    program(&b, 2, 1, 5);
    assert_true(out_of(&b, 2));
    to_tick(&b, 10);
    out(&b, 0x61, 1);
    to_tick(&b, 13); /* low from 11 */
    assert_false(out_of(&b, 2));
    out(&b, 0x61, 0); /* no level */
    out(&b, 0x61, 1); /* again: low until 14 + 5 */
    to_tick(&b, 18);
    assert_false(out_of(&b, 2));
    to_tick(&b, 19);
    assert_true(out_of(&b, 2));
}

/* A masked or untaken interrupt merges; the ledger hears of it. */
static void test_outcomes(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    program(&b, 0, 2, 100);
    b.rig.auto_take = false;
    to_tick(&b, 101);
    assert_true(b.pit.timer.ops->outstanding(b.pit.timer.self));
    assert_int_equal(b.rig.merges, 0);
    to_tick(&b, 201);
    assert_int_equal(b.rig.merges, 1);
    b.rig.latched = false;
    assert_false(b.pit.timer.ops->outstanding(b.pit.timer.self));
}

/* ---- exactness ---- */

static at_t exact(uint64_t hz, uint64_t tick)
{
    vt_u128 n = (vt_u128)tick * 12 * hz;

    return (at_t)((n + PIT_HZ_NUM - 1) / PIT_HZ_NUM);
}

static void test_day_of_ticks(void **state)
{
    const uint64_t hz = 2394457123u;
    struct bench b;

    (void)state;
    bench_init(&b, hz);
    rig_to(&b.rig, 12345);
    uint64_t tick = 12345u * (uint64_t)PIT_HZ_NUM / (12 * hz) + 1;

    program(&b, 0, 2, 0); /* 18.2 Hz */
    for (unsigned int k = 1; k <= 1573040; k++) {
        at_t at = exact(hz, tick + (uint64_t)k * 65536);

        if (k < 1000 || k % 1009 == 0)
            assert_int_equal(rig_next(&b.rig), at);
        rig_to(&b.rig, at);
        assert_int_equal(b.rig.raises, k);
        if (k % 1009 == 0) { /* the counter has just wrapped, and had not before */
            assert_int_equal(count_of(&b, 0), 0);
            assert_int_equal(pit_get_count(&b.pit, 0, at - 1), 1);
            assert_int_equal(pit_next_edge(&b.pit, at - 1), at);
        }
    }
}

static void test_counter_exact_for_a_century(void **state)
{
    static const uint64_t rates[] = {1, 999983, 14318180, 1000000000, 2394457123u, 5000000000u};
    uint64_t seed = 1;

    (void)state;
    for (unsigned int i = 0; i < 6; i++) {
        struct counter c;
        uint64_t century = rates[i] * 36525 * 86400;

        counter_init(&c, rates[i], PIT_HZ_NUM, PIT_HZ_DEN);
        for (unsigned int k = 0; k < 20000; k++) {
            at_t at = rig_random(&seed) % century;
            uint64_t tick = counter_ticks(&c, at);

            assert_true(tick == (uint64_t)((vt_u128)at * PIT_HZ_NUM / ((vt_u128)12 * rates[i])));
            assert_true(counter_at(&c, tick) == exact(rates[i], tick));
            assert_true(counter_ticks(&c, counter_at(&c, tick)) >= tick);
            assert_true(counter_at(&c, tick) <= at && counter_at(&c, tick + 1) > at);
        }
    }
}

static void test_counter_limits(void **state)
{
    struct counter c;
    struct vt_schedule s;

    (void)state;
    counter_init(&c, 0, 0, 0);
    assert_int_equal(counter_ticks(&c, 5), 5);
    counter_init(&c, 1, 1000, 1);
    assert_true(counter_ticks(&c, UINT64_MAX) == UINT64_MAX);
    counter_init(&c, 1000, 1, 1);
    assert_true(counter_at(&c, UINT64_MAX) == AT_NEVER);
    counter_init(&c, 3000000019u, 999999937u, 1);
    assert_true(counter_every(&c, 5, 1000000000u, &s));
    assert_false(counter_every(&c, 5, UINT64_C(1) << 39, &s));
    assert_true(s.first == counter_at(&c, 5));
    assert_true(s.period_num == (uint64_t)((vt_u128)(UINT64_C(1) << 39) * 3000000019u / 999999937u));
    assert_int_equal(s.period_den, 1);
}

/* Any bytes at any ports: nothing breaks (the sanitizers watch). */
static void test_garbage(void **state)
{
    static const uint16_t ports[] = {0x40, 0x41, 0x42, 0x43, 0x61};
    uint64_t seed = 7;
    struct bench b;
    at_t at = 0;

    (void)state;
    bench_init(&b, 1000000000);
    for (unsigned int i = 0; i < 200000; i++) {
        at += rig_below(&seed, 40000);
        rig_to(&b.rig, at);
        uint16_t port = ports[rig_below(&seed, 5)];

        if (rig_below(&seed, 3) != 0)
            out(&b, port, (unsigned int)rig_below(&seed, 256));
        else
            (void)in(&b, port);
        at_t next = pit_next_edge(&b.pit, at);

        assert_true(next > at);
        assert_true(next == AT_NEVER ? rig_idle(&b.rig) : next == rig_next(&b.rig));
    }
}

/* DESIGN.md 2.6: a timer whose interrupt is masked holds nothing up; it is not an incident for ever either.
 * When the line opens, its edges are where they would have been. */
static void test_masked_line_parks(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    program(&b, 0, 2, 1000);
    uint64_t first = b.pit.timer.at / TICK;

    b.rig.masked = true;
    to_tick(&b, first + 1);
    assert_int_equal(vtime_deadline(&b.rig.time), RT_NEVER);
    pit_listen(&b.pit); /* still masked */
    assert_int_equal(vtime_deadline(&b.rig.time), RT_NEVER);
    to_tick(&b, first + 5500);
    b.rig.masked = false;
    pit_listen(&b.pit);
    assert_int_equal(b.pit.timer.at, (first + 6000) * TICK);
    unsigned int raises = b.rig.raises;

    to_tick(&b, first + 8500);
    assert_int_equal(b.rig.raises, raises + 3);
}

/* DESIGN.md 2.5, 2.6: nobody waits for the tick of a masked line, so a guest that polls the count sees no
 * hole behind a lost processor (a whole turn would go unseen); one that listens gets its tick at once. */
static void a_poll_sees_no_hole(void **state)
{
    for (int masked = 0; masked < 2; masked++) {
        struct bench b;

        (void)state;
        bench_init(&b, EXACT_HZ);
        b.rig.masked = masked;
        program(&b, 0, 2, 0); /* 65536 */
        to_tick(&b, 1000);
        uint64_t due = b.pit.timer.at / TICK;
        unsigned int raises = b.rig.raises;
        unsigned int count = count_of(&b, 0);

        vtime_vcpu_stop(&b.rig.time, 0);
        vtime_advance(&b.rig.time, 200000 * TICK);
        vtime_vcpu_run(&b.rig.time, 0);
        vtime_advance(&b.rig.time, 200000 * TICK);
        assert_int_equal(tick_now(&b), masked ? 1000 : due);
        assert_int_equal(count_of(&b, 0), masked ? count : 0);
        assert_int_equal(b.rig.raises - raises, masked ? 0 : 1);
    }
}

/* pit.h: ports that are not the PIT's read as all ones and drop writes. */
static void other_ports(void **state)
{
    static const uint16_t ports[] = {0x3F, 0x44, 0x60, 0x62, 0xFFFF};
    struct bench b;

    (void)state;
    bench_init(&b, 1000000000);
    struct pit before = b.pit;

    for (unsigned int i = 0; i < sizeof ports / sizeof ports[0]; i++) {
        assert_int_equal(in(&b, ports[i]), 0xFF);
        out(&b, ports[i], 0x34);
        assert_memory_equal(before.channel, b.pit.channel, sizeof before.channel);
        assert_int_equal(before.nmi_sc, b.pit.nmi_sc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masked_line_parks),
        cmocka_unit_test(a_poll_sees_no_hole),
        cmocka_unit_test(test_firmware_state),
        cmocka_unit_test(test_mode0_one_shot),
        cmocka_unit_test(test_mode2_reload_at_end_of_period),
        cmocka_unit_test(test_latch_and_read_back),
        cmocka_unit_test(test_access_modes),
        cmocka_unit_test(test_port_61h),
        cmocka_unit_test(port_61h_speaker_and_gate),
        cmocka_unit_test(test_one_shot_retriggers_at_gate),
        cmocka_unit_test(test_outcomes),
        cmocka_unit_test(test_day_of_ticks),
        cmocka_unit_test(test_counter_exact_for_a_century),
        cmocka_unit_test(test_counter_limits),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(other_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
