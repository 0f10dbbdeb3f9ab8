/* The 8254's modes against a literal model: one counter, one clock at a time, straight from the data sheet.
 */
#include "tests/unit/support/timer_rig.h"
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

static void out(struct bench *b, uint16_t port, unsigned int value)
{
    pit_write(&b->pit, port, (uint8_t)value);
}

static unsigned int in(struct bench *b, uint16_t port)
{
    return pit_read(&b->pit, port);
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

/* ---- the literal model: one counter, one clock at a time, straight from the data sheet ---- */

struct model {
    unsigned int mode, access;
    bool bcd, gate;
    bool out;
    long cr, ce;
    bool running; /* loaded since the control word */
    bool load;    /* the next clock loads */
    bool half;    /* mode 0 between two bytes */
    bool expired; /* the count has come to its end (modes 0, 1, 4, 5), or to 1 (mode 2) */
    bool written, null_count;
    bool high; /* mode 3: half */
    bool odd;
    bool wait_msb;
    unsigned int lsb;
    unsigned int shown; /* while not running */
    unsigned int rises;
};

static unsigned int bcd16(long n)
{
    return (unsigned int)(n / 1000 % 10 << 12 | n / 100 % 10 << 8 | n / 10 % 10 << 4 | n % 10);
}

static unsigned int model_value(const struct model *m)
{
    long mod = m->bcd ? 10000 : 65536;

    if (!m->running)
        return m->shown;
    return m->bcd ? bcd16(m->ce % mod) : (unsigned int)(m->ce % mod);
}

static void model_out(struct model *m, bool level)
{
    if (level && !m->out)
        m->rises++;
    m->out = level;
}

static void model_load(struct model *m)
{
    long mod = m->bcd ? 10000 : 65536;

    m->null_count = false;
    m->ce = m->cr;
    if (m->mode == 3) {
        if (m->cr == 1)
            m->ce = mod + 1;
        m->odd = m->ce & 1;
        m->ce &= ~1L;
    }
}

static void decrement(struct model *m)
{
    m->ce = m->ce == 0 ? (m->bcd ? 9999 : 65535) : m->ce - 1;
}

static void pulse_3(struct model *m)
{
    if (m->ce != (m->odd && m->high ? 0 : 2)) {
        m->ce -= 2;
        return;
    }
    model_load(m);
    m->high = !m->high;
    model_out(m, m->high);
}

static void model_pulse(struct model *m)
{
    bool triggered = m->mode == 1 || m->mode == 5;

    if (m->load) {
        m->load = false;
        model_load(m);
        m->running = true;
        m->expired = false;
        m->high = true;
        if (m->mode != 0)
            model_out(m, m->mode != 1);
        return;
    }
    if (!m->running || m->half || (!triggered && !m->gate))
        return;
    if (m->mode == 3) {
        pulse_3(m);
        return;
    }
    if (m->mode == 2) {
        if (m->expired) {
            model_load(m);
            m->expired = false;
            model_out(m, true);
        } else {
            decrement(m);
            m->expired = m->ce == 1;
            model_out(m, !m->expired);
        }
        return;
    }
    decrement(m);
    if (m->mode >= 4)
        model_out(m, m->ce != 0 || m->expired);
    else if (m->ce == 0)
        model_out(m, true);
    m->expired |= m->ce == 0;
}

static void model_control(struct model *m, unsigned int value)
{
    unsigned int mode = value >> 1 & 7;

    m->shown = model_value(m);
    m->mode = mode > 5 ? mode & 3 : mode;
    m->access = value >> 4 & 3;
    m->bcd = value & 1;
    m->running = m->load = m->half = m->written = m->wait_msb = m->expired = false;
    m->null_count = true;
    model_out(m, m->mode != 0);
}

static void model_count(struct model *m, unsigned int raw)
{
    m->cr = m->bcd ? (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 + (raw & 15) : raw;
    if (raw == 0)
        m->cr = m->bcd ? 10000 : 65536;
    m->written = m->null_count = true;
    if (m->mode == 0 || m->mode == 4 || ((m->mode == 2 || m->mode == 3) && !m->running))
        m->load = true;
    if (m->mode == 0)
        model_out(m, false);
}

static void model_write(struct model *m, unsigned int value)
{
    if (m->access == 1) {
        model_count(m, value);
    } else if (m->access == 2) {
        model_count(m, value << 8);
    } else if (!m->wait_msb) {
        m->wait_msb = true;
        m->lsb = value;
        m->half = m->mode == 0;
        if (m->mode == 0)
            model_out(m, false);
    } else {
        m->wait_msb = m->half = false;
        model_count(m, value << 8 | m->lsb);
    }
}

static void model_gate(struct model *m, bool gate)
{
    bool rise = gate && !m->gate;

    m->gate = gate;
    if (rise && m->mode != 0 && m->mode != 4 && m->written)
        m->load = true;
    if (!gate && (m->mode == 2 || m->mode == 3))
        model_out(m, true);
}

/* ---- the fuzz ---- */

static unsigned int random_control(uint64_t *seed, unsigned int channel)
{
    unsigned int access = 1 + (unsigned int)rig_below(seed, 3);

    return channel << 6 | access << 4 | (unsigned int)rig_below(seed, 16);
}

/* Small counts, so that they end; valid decades. */
static unsigned int random_byte(uint64_t *seed, const struct model *m)
{
    unsigned int kind = (unsigned int)rig_below(seed, 8);

    if (m->access == 2 || m->wait_msb)
        return kind < 7 ? 0 : (unsigned int)rig_below(seed, 2);
    return kind == 0 ? 0 : (unsigned int)rig_below(seed, 10) | (unsigned int)(kind > 5) << 4;
}

static void random_action(struct bench *b, struct model *m, uint64_t *seed)
{
    unsigned int which = rig_below(seed, 2) != 0 ? 2 : 0;
    unsigned int value;

    switch (rig_below(seed, 8)) {
    case 0:
        value = random_control(seed, which);
        out(b, 0x43, value);
        model_control(&m[which], value);
        break;
    case 1:
    case 2:
    case 3:
    case 4:
        value = random_byte(seed, &m[which]);
        out(b, (uint16_t)(0x40 + which), value);
        model_write(&m[which], value);
        break;
    case 5:
    case 6:
        value = (unsigned int)rig_below(seed, 4);
        out(b, 0x61, value);
        model_gate(&m[2], value & 1);
        break;
    default:
        value = status(b, which);
        assert_int_equal(value >> 7, m[which].out);
        assert_int_equal(value >> 6 & 1, m[which].null_count);
        break;
    }
}

static void compare(struct bench *b, const struct model *m, uint64_t tick)
{
    for (unsigned int i = 0; i < 3; i += 2) {
        if (count_of(b, i) != model_value(&m[i]) || out_of(b, i) != m[i].out)
            fail_msg("channel %u mode %u tick %lu: count %x, not %x; OUT %d, not %d", i, m[i].mode,
                     (unsigned long)tick, count_of(b, i), model_value(&m[i]), out_of(b, i), m[i].out);
    }
    assert_int_equal(in(b, 0x61) >> 5 & 1, m[2].out);
    assert_int_equal(b->rig.raises, m[0].rises);
}

static void model_start(struct bench *b, struct model *m)
{
    for (unsigned int i = 0; i < 3; i += 2) {
        m[i] = (struct model){.gate = i == 0, .out = true};
        out(b, 0x43, i << 6 | 0x30);
        m[i].shown = count_of(b, i);
        model_control(&m[i], 0x30);
        m[i].rises = 0;
    }
    b->rig.raises = 0;
}

static void test_modes_against_model(void **state)
{
    uint64_t seed = 88172645463325252u;

    (void)state;
    for (unsigned int round = 0; round < 60; round++) {
        struct bench b;
        struct model m[3];
        uint64_t rare = 2 + rig_below(&seed, 60);

        bench_init(&b, EXACT_HZ);
        to_tick(&b, 5);
        model_start(&b, m);
        for (uint64_t tick = 6; tick < 6000; tick++) {
            to_tick(&b, tick);
            model_pulse(&m[0]);
            model_pulse(&m[2]);
            compare(&b, m, tick);
            if (rig_below(&seed, rare) != 0)
                continue;
            rig_to(&b.rig, tick * TICK + rig_below(&seed, TICK));
            for (uint64_t n = 1 + rig_below(&seed, 3); n != 0; n--) {
                random_action(&b, m, &seed);
                compare(&b, m, tick);
            }
        }
    }
}

/* Whole turns of the counter, in both codes. */
static void test_wrap_against_model(void **state)
{
    static const unsigned int counts[] = {0, 1, 2, 0x0009, 0x9999};

    (void)state;
    for (unsigned int k = 0; k < 5 * 12; k++) {
        struct bench b;
        struct model m[3];
        unsigned int control = 0x30 | k % 12, count = counts[k / 12];

        bench_init(&b, EXACT_HZ);
        to_tick(&b, 1);
        model_start(&b, m);
        out(&b, 0x43, control);
        model_control(&m[0], control);
        for (unsigned int i = 0; i < 2; i++) {
            out(&b, 0x40, count >> 8 * i & 0xFF);
            model_write(&m[0], count >> 8 * i & 0xFF);
        }
        for (uint64_t tick = 2; tick < 140000; tick++) {
            model_pulse(&m[0]);
            if (tick % 61 == 0 || m[0].ce < 4 || m[0].ce > (m[0].bcd ? 9995 : 65531)) {
                to_tick(&b, tick);
                assert_int_equal(count_of(&b, 0), model_value(&m[0]));
                assert_int_equal(out_of(&b, 0), m[0].out);
                assert_int_equal(b.rig.raises, m[0].rises);
            }
        }
    }
}

/* ---- everything within bounds ---- */

static void begin(struct bench *b, struct model *m, unsigned int channel, unsigned int mode,
                  unsigned int count)
{
    unsigned int control = channel << 6 | 0x30 | mode; /* of the low four bits the lowest is BCD */

    bench_init(b, EXACT_HZ);
    to_tick(b, 1);
    model_start(b, m);
    out(b, 0x61, 1);
    model_gate(&m[2], true);
    out(b, 0x43, control);
    model_control(&m[channel], control);
    for (unsigned int i = 0; i < 2; i++) {
        out(b, (uint16_t)(0x40 + channel), count >> 8 * i & 0xFF);
        model_write(&m[channel], count >> 8 * i & 0xFF);
    }
}

static void one_tick(struct bench *b, struct model *m, uint64_t tick)
{
    to_tick(b, tick);
    model_pulse(&m[0]);
    model_pulse(&m[2]);
    compare(b, m, tick);
}

/* Every mode, code and count up to 8, with GATE low from every tick to every later one. */
static void test_every_gate_against_model(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < 12 * 8; k++) {
        unsigned int count = k / 12 + 1, ticks = 2 * count + 5;

        for (uint64_t falls = 2; falls < ticks; falls++) {
            for (uint64_t rises = falls + 1; rises <= ticks; rises++) {
                struct bench b;
                struct model m[3];

                begin(&b, m, 2, k % 12, count);
                for (uint64_t tick = 2; tick < 2 * ticks; tick++) {
                    one_tick(&b, m, tick);
                    if (tick == falls || tick == rises) {
                        out(&b, 0x61, tick == rises);
                        model_gate(&m[2], tick == rises);
                        compare(&b, m, tick);
                    }
                }
            }
        }
    }
}

/* Every mode, code and pair of counts up to 7, the second written at every tick and half of it one later. */
static void test_every_second_count_against_model(void **state)
{
    (void)state;
    for (unsigned int k = 0; k < 12 * 7 * 7; k++) {
        unsigned int count = k / 12 % 7 + 1, second = k / 84 + 1, ticks = 2 * count + 5;

        for (uint64_t at = 2; at < ticks; at++) {
            struct bench b;
            struct model m[3];

            begin(&b, m, 0, k % 12, count);
            for (uint64_t tick = 2; tick < 3 * ticks; tick++) {
                one_tick(&b, m, tick);
                if (tick == at || tick == at + 1) {
                    out(&b, 0x40, tick == at ? second : 0);
                    model_write(&m[0], tick == at ? second : 0);
                    compare(&b, m, tick);
                }
            }
        }
    }
}

/* What the proof of the counting element stands on (docs/proof.md): the register of counts after any write.
 */
static void test_every_count_register(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ);
    for (unsigned int bcd = 0; bcd < 2; bcd++) {
        for (unsigned int raw = 0; raw < 65536; raw++) {
            unsigned int n =
                bcd == 0 ? raw
                         : (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 + (raw & 15);

            out(&b, 0x43, 0xB4 | bcd);
            out(&b, 0x42, raw & 0xFF);
            out(&b, 0x42, raw >> 8);
            assert_int_equal(b.pit.channel[2].cr, n != 0 ? n : bcd != 0 ? 10000 : 65536);
            assert_in_range(b.pit.channel[2].cr, 1, 65536);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_modes_against_model),
        cmocka_unit_test(test_wrap_against_model),
        cmocka_unit_test(test_every_gate_against_model),
        cmocka_unit_test(test_every_second_count_against_model),
        cmocka_unit_test(test_every_count_register),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
