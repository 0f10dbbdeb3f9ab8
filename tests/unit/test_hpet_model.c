/* The HPET against a literal model that is ticked by its input clock: each match is an equality that the
 * model looks for at each count (IA-PC HPET Specification 1.0a, 2.3.9). */
#include "tests/unit/support/hpet_rig.h"

#define HZ 1000000000u

struct model_timer {
    uint32_t config;
    bool set_value;
    uint64_t value, written;
    int driven;
};

struct model {
    uint32_t config, status;
    uint64_t count;
    struct model_timer t[HPET_TIMERS];
    unsigned int raises[HPET_RIG_WIRES];
};

static struct hpet_rig b;
static struct model m;

static uint64_t width(const struct model_timer *t)
{
    return (t->config & HPET_TN_32MODE) != 0 ? UINT32_MAX : UINT64_MAX;
}

static int wire(unsigned int n)
{
    unsigned int route = m.t[n].config >> HPET_TN_ROUTE_SHIFT & 31;

    if ((m.config & 3) == 3 && n < 2)
        return n == 0 ? 32 : 40;
    return route >= 16 && route <= 23 ? (int)route : -1;
}

/* The levels that the status bits make. */
static void drive(void)
{
    for (unsigned int n = 0; n < HPET_TIMERS; n++) {
        struct model_timer *t = &m.t[n];
        bool high = (m.config & 1) != 0 && (t->config & HPET_TN_ENABLE) != 0 &&
                    (t->config & HPET_TN_LEVEL) != 0 && (m.status >> n & 1) != 0;
        int now = high ? wire(n) : -1;

        if (now != t->driven && now >= 0)
            m.raises[now]++;
        t->driven = now;
    }
}

static void match(unsigned int n)
{
    struct model_timer *t = &m.t[n];

    if ((m.config & 1) == 0 || ((m.count ^ t->value) & width(t)) != 0)
        return;
    if ((t->config & HPET_TN_PERIODIC) != 0)
        t->value = (t->value + t->written) & width(t);
    if ((t->config & HPET_TN_LEVEL) != 0)
        m.status |= 1u << n;
    else if ((t->config & HPET_TN_ENABLE) != 0 && wire(n) >= 0)
        m.raises[wire(n)]++;
    drive();
}

static void match_all(void)
{
    for (unsigned int n = 0; n < HPET_TIMERS; n++)
        match(n);
}

static void model_tick(void)
{
    if ((m.config & 1) == 0)
        return;
    m.count++;
    match_all();
}

/* ---- the guest ---- */

static void write_config(uint64_t *seed)
{
    uint32_t value = (uint32_t)rig_below(seed, 8) == 0 ? 0 : 1 | (uint32_t)rig_below(seed, 2) << 1;
    bool starts = (m.config & 1) == 0 && (value & 1) != 0;

    hput32(&b, H_CONF, value);
    m.config = value;
    drive();
    if (starts)
        match_all();
}

static void write_counter(uint64_t *seed)
{
    uint64_t value = (rig_below(seed, 3) << 32) - rig_below(seed, 300);

    hput(&b, H_COUNT, value);
    m.count = value;
    match_all();
}

static void write_timer_config(unsigned int n, uint64_t *seed)
{
    static const uint32_t bits[] = {HPET_TN_LEVEL,    HPET_TN_ENABLE,  HPET_TN_ENABLE,
                                    HPET_TN_PERIODIC, HPET_TN_VAL_SET, HPET_TN_32MODE};
    uint32_t value = ROUTE((uint32_t)(14 + rig_below(seed, 6)));
    struct model_timer *t = &m.t[n];
    uint32_t route = value & HPET_TN_ROUTE, old = t->config;

    for (unsigned int i = 0; i < sizeof(bits) / sizeof(bits[0]); i++)
        value |= rig_below(seed, 2) != 0 ? bits[i] : 0;
    hput32(&b, H_TN_CONF(n), value);
    if (route < ROUTE(16u))
        route = old & HPET_TN_ROUTE;
    t->config = (value & ~(HPET_TN_ROUTE | HPET_TN_VAL_SET)) | route;
    t->set_value = (value & HPET_TN_VAL_SET) != 0 && (value & HPET_TN_PERIODIC) != 0;
    t->value &= width(t);
    t->written &= width(t);
    if ((t->config & HPET_TN_LEVEL) == 0)
        m.status &= ~(1u << n);
    drive();
    if (((old ^ t->config) & HPET_TN_32MODE) != 0)
        match(n);
}

static void write_comparator(unsigned int n, uint64_t *seed)
{
    struct model_timer *t = &m.t[n];
    bool direct = (t->config & HPET_TN_PERIODIC) == 0 || t->set_value;
    bool whole = rig_below(seed, 2) != 0;
    uint64_t value = rig_below(seed, 2) != 0 ? m.count - 30 + rig_below(seed, 200) : rig_below(seed, 60);
    uint64_t mask = whole ? UINT64_MAX : UINT32_MAX;

    if (whole)
        hput(&b, H_TN_CMP(n), value);
    else
        hput32(&b, H_TN_CMP(n), (uint32_t)value);
    t->written = ((t->written & ~mask) | (value & mask)) & width(t);
    if (direct)
        t->value = ((t->value & ~mask) | (value & mask)) & width(t);
    t->set_value = false;
    if (direct)
        match(n);
}

static void random_action(uint64_t *seed)
{
    unsigned int n = (unsigned int)rig_below(seed, HPET_TIMERS);
    uint32_t bits = (uint32_t)rig_below(seed, 8);

    switch (rig_below(seed, 10)) {
    case 0:
        write_config(seed);
        break;
    case 1:
        write_counter(seed);
        break;
    case 2:
    case 3:
        hput32(&b, H_STS, bits);
        m.status &= ~bits;
        drive();
        break;
    case 4:
    case 5:
    case 6:
        write_timer_config(n, seed);
        break;
    default:
        write_comparator(n, seed);
    }
}

static void compare(void)
{
    assert_true(hpet_count(&b.h, vtime_peek(&b.rig.time)) == m.count);
    for (unsigned int i = 0; i < HPET_RIG_WIRES; i++) {
        bool high = false;

        for (unsigned int n = 0; n < HPET_TIMERS; n++)
            high |= m.t[n].driven == (int)i;
        assert_int_equal(b.wire[i].level, high);
        assert_int_equal(b.wire[i].raises, m.raises[i]);
    }
}

static void compare_registers(void)
{
    assert_int_equal(hget(&b, H_STS), m.status);
    for (unsigned int n = 0; n < HPET_TIMERS; n++)
        assert_true(hget(&b, H_TN_CMP(n)) == m.t[n].value);
}

static void chip_against_model(void **state)
{
    uint64_t seed = 2718;

    (void)state;
    for (unsigned int round = 0; round < 60; round++) {
        uint64_t rare = 2 + rig_below(&seed, 60);

        hpet_rig_init(&b, HZ);
        memset(&m, 0, sizeof(m));
        for (unsigned int n = 0; n < HPET_TIMERS; n++)
            m.t[n] = (struct model_timer){.value = UINT64_MAX, .written = UINT64_MAX, .driven = -1};
        for (uint64_t tick = 1; tick < 6000; tick++) {
            hpet_to(&b, tick);
            model_tick();
            compare();
            if (rig_below(&seed, 4) == 0)
                compare_registers();
            if (rig_below(&seed, rare) != 0)
                continue;
            rig_to(&b.rig, tick * H_TICK + rig_below(&seed, H_TICK));
            random_action(&seed);
            compare();
            compare_registers();
        }
        assert_null(vtime_check(&b.rig.time));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chip_against_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
