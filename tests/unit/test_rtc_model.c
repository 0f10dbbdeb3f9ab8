/* The MC146818 against a literal model that is ticked at 32768 Hz. */
#include <string.h>

#include "tests/unit/support/timer_rig.h"
#include "timers/rtc.h"
#include "timers/rtc_calendar.h"

#define TICK     7u /* AT in a tick of 32768 Hz */
#define EXACT_HZ (RTC_HZ * TICK)

struct bench {
    struct rig rig;
    struct rtc rtc;
};

static void bench_init(struct bench *b, uint64_t hz, uint64_t start)
{
    rig_init(&b->rig, hz);
    rtc_init(&b->rtc, &b->rig.time, rig_line(&b->rig), start);
}

static uint8_t get(struct bench *b, unsigned int reg)
{
    rtc_write(&b->rtc, 0x70, (uint8_t)reg);
    return rtc_read(&b->rtc, 0x71);
}

static void put(struct bench *b, unsigned int reg, unsigned int value)
{
    rtc_write(&b->rtc, 0x70, (uint8_t)reg);
    rtc_write(&b->rtc, 0x71, (uint8_t)value);
}

static unsigned int digits(unsigned int n, bool binary)
{
    return binary ? n : n / 10 << 4 | n % 10;
}

static bool alarm_matches(const uint8_t *cmos)
{
    for (unsigned int reg = 0; reg < 6; reg += 2)
        if ((cmos[reg + 1] & 0xC0) != 0xC0 && cmos[reg + 1] != cmos[reg])
            return false;
    return true;
}

struct model {
    uint64_t c;
    uint8_t reg[14];
    uint8_t century;
    uint8_t flags;
    bool irqf;
    unsigned int raises;
};

static bool model_runs(const struct model *m)
{
    return (m->reg[RTC_REG_A] & 0x70) <= 0x20;
}

static void model_irq(struct model *m)
{
    bool level = (m->flags & m->reg[RTC_REG_B] & 0x70) != 0;

    if (level && !m->irqf)
        m->raises++;
    m->irqf = level;
}

static unsigned int undo(const struct model *m, unsigned int byte)
{
    return m->reg[RTC_REG_B] & RTC_B_DM ? byte : (byte >> 4) * 10 + (byte & 15);
}

/* Adds one to a register; true if it passed `last` and went back to `first`. */
static bool ripple(const struct model *m, uint8_t *reg, unsigned int first, unsigned int last)
{
    unsigned int n = undo(m, *reg);
    bool carry = n == last;

    *reg = (uint8_t)digits(carry ? first : n + 1, m->reg[RTC_REG_B] & RTC_B_DM);
    return carry;
}

static bool ripple_hours(struct model *m)
{
    uint8_t *reg = &m->reg[RTC_HOURS], pm = *reg & 0x80, hours = *reg & 0x7F;

    if (m->reg[RTC_REG_B] & RTC_B_24H)
        return ripple(m, reg, 0, 23);
    (void)ripple(m, &hours, 1, 12);
    if (undo(m, hours) == 12)
        pm ^= 0x80;
    *reg = hours | pm;
    return undo(m, hours) == 12 && pm == 0;
}

static unsigned int month_days(const struct model *m)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned int year = undo(m, m->century) * 100 + undo(m, m->reg[RTC_YEAR]);
    unsigned int month = undo(m, m->reg[RTC_MONTH]);
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

static void model_update(struct model *m)
{
    if (ripple(m, &m->reg[RTC_SECONDS], 0, 59) && ripple(m, &m->reg[RTC_MINUTES], 0, 59) && ripple_hours(m)) {
        m->reg[RTC_WEEKDAY] = (uint8_t)(m->reg[RTC_WEEKDAY] % 7 + 1);
        if (ripple(m, &m->reg[RTC_DAY], 1, month_days(m)) && ripple(m, &m->reg[RTC_MONTH], 1, 12) &&
            ripple(m, &m->reg[RTC_YEAR], 0, 99))
            (void)ripple(m, &m->century, 0, 99);
    }
    m->flags |= RTC_C_UF | (alarm_matches(m->reg) ? RTC_C_AF : 0);
}

static void model_tick(struct model *m)
{
    unsigned int rate = m->reg[RTC_REG_A] & 15;

    if (!model_runs(m))
        return;
    if ((m->reg[RTC_REG_A] & 0x70) == 0x20 && (rate == 1 || rate == 2))
        rate += 7;

    uint64_t rise = (m->c + 1) & ~m->c;

    m->c++;
    if (rate == 1 || (rate != 0 && (rise >> (rate - 2) & 1)))
        m->flags |= RTC_C_PF;
    if ((rise >> 14 & 1) && !(m->reg[RTC_REG_B] & RTC_B_SET))
        model_update(m);
    model_irq(m);
}

static uint8_t model_read(struct model *m, unsigned int reg)
{
    uint8_t value;

    switch (reg) {
    case RTC_CENTURY:
        return m->century;
    case RTC_REG_A:
        value = m->reg[reg];
        if (model_runs(m) && !(m->reg[RTC_REG_B] & RTC_B_SET) && ((m->c + 8) & 0x7FFF) >= 0x4000 &&
            ((m->c + 8) & 0x7FFF) < 0x4008)
            value |= RTC_A_UIP;
        return value;
    case RTC_REG_C:
        value = (uint8_t)(m->flags | (m->irqf ? RTC_C_IRQF : 0));
        m->flags = 0;
        model_irq(m);
        return value;
    case RTC_REG_D:
        return RTC_D_VRT;
    default:
        return m->reg[reg];
    }
}

static void model_write(struct model *m, unsigned int reg, uint8_t value)
{
    switch (reg) {
    case RTC_CENTURY:
        m->century = value;
        break;
    case RTC_REG_A:
        if ((value & 0x70) > 0x20)
            m->c = 0;
        m->reg[reg] = value & 0x7F;
        break;
    case RTC_REG_B:
        m->reg[reg] = value & RTC_B_SET ? value & 0xEF : value;
        model_irq(m);
        break;
    case RTC_REG_C:
    case RTC_REG_D:
        break;
    default:
        m->reg[reg] = value;
    }
}

/* ---- the fuzz ---- */

static void both(struct bench *b, struct model *m, unsigned int reg, unsigned int value)
{
    put(b, reg, value);
    model_write(m, reg, (uint8_t)value);
}

/* As a guest sets the date: all of it, in the format that register B has now. */
static void random_date(struct bench *b, struct model *m, uint64_t *seed)
{
    static const uint64_t interesting[] = {946684797, 951782395, 951868795, 1709164796, 43195, 4107542397};
    uint8_t cmos[RTC_CMOS_BYTES] = {0};

    cmos[RTC_REG_B] = m->reg[RTC_REG_B];
    rtc_calendar_set(cmos, interesting[rig_below(seed, 6)] + rig_below(seed, 3) * 43200);
    for (unsigned int reg = 0; reg < RTC_REG_A; reg++)
        if (reg > 5 || reg % 2 == 0)
            both(b, m, reg, cmos[reg]);
    both(b, m, RTC_CENTURY, cmos[RTC_CENTURY]);
}

static void random_alarm(struct bench *b, struct model *m, uint64_t *seed)
{
    for (unsigned int reg = 1; reg < 6; reg += 2) {
        uint8_t soon = m->reg[reg - 1];

        if (reg == 1 && undo(m, soon) < 55)
            soon = (uint8_t)digits(undo(m, soon) + 1 + (unsigned int)rig_below(seed, 3),
                                   m->reg[RTC_REG_B] & RTC_B_DM);
        both(b, m, reg, rig_below(seed, 3) == 0 ? 0xC0 | (unsigned int)rig_below(seed, 64) : soon);
    }
}

static void random_action(struct bench *b, struct model *m, uint64_t *seed)
{
    unsigned int kept = m->reg[RTC_REG_B] & (RTC_B_DM | RTC_B_24H);

    switch (rig_below(seed, 10)) {
    case 0:
        both(b, m, RTC_REG_A, 0x20 | (unsigned int)rig_below(seed, 16));
        break;
    case 1:
        both(b, m, RTC_REG_A, (unsigned int)rig_below(seed, 128));
        break;
    case 2:
        both(b, m, RTC_REG_B, ((unsigned int)rig_below(seed, 256) & 0x7Fu & ~6u) | kept);
        break;
    case 3: /* another format, and the date with it */
        both(b, m, RTC_REG_B, RTC_B_SET | (unsigned int)rig_below(seed, 128));
        random_date(b, m, seed);
        random_alarm(b, m, seed);
        if (rig_below(seed, 4) != 0)
            both(b, m, RTC_REG_B, (m->reg[RTC_REG_B] & 0x7Fu) | RTC_B_UIE);
        break;
    case 4:
        random_alarm(b, m, seed);
        break;
    case 5:
    case 6:
        assert_int_equal(get(b, RTC_REG_C), model_read(m, RTC_REG_C));
        break;
    case 7:
        random_date(b, m, seed);
        break;
    default:
        for (unsigned int reg = 0; reg < RTC_REG_C; reg++)
            assert_int_equal(get(b, reg), model_read(m, reg));
        assert_int_equal(get(b, RTC_CENTURY), m->century);
        break;
    }
}

static void fuzz_round(uint64_t *seed)
{
    struct bench b;
    struct model m = {.c = 16384};
    uint64_t tick = 0;

    bench_init(&b, EXACT_HZ, 1709251195);
    memcpy(m.reg, b.rtc.cmos, sizeof(m.reg));
    m.century = b.rtc.cmos[RTC_CENTURY];
    for (unsigned int i = 0; i < 400; i++) {
        for (uint64_t wait = 1 + rig_below(seed, rig_below(seed, 2) != 0 ? 30 : 12000); wait != 0; wait--) {
            model_tick(&m);
            tick++;
        }
        rig_to(&b.rig, tick * TICK + rig_below(seed, TICK));
        assert_int_equal(b.rig.raises, m.raises);
        assert_int_equal(b.rig.level, m.irqf);
        random_action(&b, &m, seed);
        assert_int_equal(b.rig.raises, m.raises);
    }
}

static void test_chip_against_model(void **state)
{
    uint64_t seed = 424242;

    (void)state;
    for (unsigned int round = 0; round < 25; round++)
        fuzz_round(&seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chip_against_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
