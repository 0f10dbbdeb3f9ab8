/* The MC146818's registers and interrupts by example. Also: test_rtc_calendar.c, test_rtc_model.c. */
#include <stdio.h>

#include "tests/unit/support/timer_rig.h"
#include "timers/muldiv.h"
#include "timers/rtc.h"

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

static void to_tick(struct bench *b, uint64_t tick)
{
    rig_to(&b->rig, tick * TICK);
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

static void show(struct bench *b, char *text, size_t size)
{
    snprintf(text, size, "%02x%02x-%02x-%02x %02x:%02x:%02x %x", get(b, RTC_CENTURY), get(b, RTC_YEAR),
             get(b, RTC_MONTH), get(b, RTC_DAY), get(b, RTC_HOURS), get(b, RTC_MINUTES), get(b, RTC_SECONDS),
             get(b, RTC_WEEKDAY));
}

static void expect_date(struct bench *b, const char *expected)
{
    char text[64];

    show(b, text, sizeof(text));
    assert_string_equal(text, expected);
}

/* ---- by example ---- */

static void test_start_date(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, 1000000007, 1000000000);
    expect_date(&b, "2001-09-09 01:46:40 1");
    assert_int_equal(get(&b, RTC_REG_A), 0x26);
    assert_int_equal(get(&b, RTC_REG_B), 0x02);
    assert_int_equal(get(&b, RTC_REG_C), 0x00);
    assert_int_equal(get(&b, RTC_REG_D), 0x80);
    assert_true(rig_idle(&b.rig)); /* nothing enabled, nothing queued */
    rig_to(&b.rig, 1000000006);
    expect_date(&b, "2001-09-09 01:46:40 1");
    rig_to(&b.rig, 1000000007);
    expect_date(&b, "2001-09-09 01:46:41 1");
    rig_to(&b.rig, 1000000007u * UINT64_C(86400) * 3653);
    expect_date(&b, "2011-09-10 01:46:40 7");
    assert_int_equal(rtc_read(&b.rtc, 0x72), 0xFF);
}

static void test_update_in_progress(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 0);
    to_tick(&b, 32768 - 9);
    assert_int_equal(get(&b, RTC_REG_A), 0x26);
    to_tick(&b, 32768 - 8); /* 244 us */
    assert_int_equal(get(&b, RTC_REG_A), 0xA6);
    rig_to(&b.rig, 32768 * TICK - 1);
    assert_int_equal(get(&b, RTC_REG_A), 0xA6);
    assert_int_equal(get(&b, RTC_REG_C), RTC_C_PF);
    to_tick(&b, 32768);
    assert_int_equal(get(&b, RTC_REG_A), 0x26);
    assert_int_equal(get(&b, RTC_REG_C) & RTC_C_UF, RTC_C_UF);
    assert_int_equal(get(&b, RTC_SECONDS), 1);
    to_tick(&b, 2 * 32768 - 4);
    put(&b, RTC_REG_B, RTC_B_SET | RTC_B_24H); /* aborts the update */
    assert_int_equal(get(&b, RTC_REG_A), 0x26);
    to_tick(&b, 2 * 32768 + 4);
    put(&b, RTC_REG_B, RTC_B_24H);
    assert_int_equal(get(&b, RTC_SECONDS), 1);
    to_tick(&b, 3 * 32768);
    assert_int_equal(get(&b, RTC_SECONDS), 2);
}

static void test_periodic_rates_keep_phase(void **state)
{
    struct bench b;
    uint64_t tick = 0;

    (void)state;
    bench_init(&b, EXACT_HZ, 0);
    put(&b, RTC_REG_B, RTC_B_24H | RTC_B_PIE);
    for (unsigned int i = 0; i < 300; i++) {
        unsigned int rate = 3 + i * 7 % 13;
        uint64_t period = UINT64_C(1) << (rate - 1);

        tick += 100 * i % 331;
        to_tick(&b, tick);
        put(&b, RTC_REG_A, 0x20 | rate);
        (void)get(&b, RTC_REG_C);
        uint64_t next = rig_next(&b.rig) / TICK;

        /* The chain stands at 16384 when AT is 0; taps rise half a period after its multiples. */
        assert_int_equal((next + 16384) % period, period / 2);
        assert_true(next > tick && next - tick <= period);
    }
    put(&b, RTC_REG_A, 0x20);
    assert_true(rig_idle(&b.rig));
    put(&b, RTC_REG_A, 0x21); /* 256 Hz with this time base */
    to_tick(&b, tick + 32768);
    unsigned int before = b.rig.raises;

    for (unsigned int i = 0; i < 256; i++) {
        (void)get(&b, RTC_REG_C);
        to_tick(&b, tick + 32768 + (i + 1) * 128);
    }
    assert_int_equal(b.rig.raises, before + 256);
}

static void test_register_c_acknowledges(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 0);
    put(&b, RTC_REG_B, RTC_B_24H | RTC_B_PIE);
    to_tick(&b, 100);                  /* the taps of 1024 Hz: 16, 48, 80 */
    assert_int_equal(b.rig.raises, 1); /* IRQF stayed high */
    assert_true(b.rtc.periodic.ops->outstanding(&b.rtc));
    b.rig.masked = true;
    assert_false(b.rtc.periodic.ops->outstanding(&b.rtc));
    b.rig.masked = false;
    assert_int_equal(get(&b, RTC_REG_C), RTC_C_IRQF | RTC_C_PF);
    assert_false(b.rig.level);
    assert_false(b.rtc.periodic.ops->outstanding(&b.rtc));
    assert_int_equal(get(&b, RTC_REG_C), 0);
    to_tick(&b, 112);
    assert_int_equal(b.rig.raises, 2);
    put(&b, RTC_REG_B, RTC_B_24H); /* IRQF goes with PIE */
    assert_false(b.rig.level);
    assert_int_equal(get(&b, RTC_REG_C), RTC_C_PF);
    to_tick(&b, 150);
    put(&b, RTC_REG_B, RTC_B_24H | RTC_B_PIE); /* PF is there already: at once */
    assert_true(b.rig.level);
    rtc_reset(&b.rtc);
    assert_false(b.rig.level);
    assert_true(rig_idle(&b.rig));
}

static struct vtime_observer watcher;
static enum vt_outcome outcomes[16];
static unsigned int seen;

static void watch(void *ctx, const struct vtimer *timer, rt_t rt, at_t at, enum vt_mode mode,
                  enum vt_outcome outcome)
{
    (void)ctx;
    (void)timer;
    (void)rt;
    (void)at;
    (void)mode;
    if (seen < 16)
        outcomes[seen++] = outcome;
}

/* What comes of each event is seen: of the updates, and of an alarm in second 2 of each minute. */
static void bench_watched(struct bench *b)
{
    bench_init(b, EXACT_HZ, 0);
    watcher.event = watch;
    seen = 0;
    vtime_observe(&b->rig.time, &watcher, NULL);
    put(b, RTC_SECONDS_ALARM, 0x02);
    put(b, RTC_MINUTES_ALARM, 0xFF);
    put(b, RTC_HOURS_ALARM, 0xC0);
    put(b, RTC_REG_B, RTC_B_24H | RTC_B_AIE | RTC_B_UIE);
}

static void test_alarm_and_update_are_both_delivered(void **state)
{
    struct bench b;

    (void)state;
    bench_watched(&b);
    to_tick(&b, 32768);
    assert_int_equal(get(&b, RTC_REG_C), RTC_C_IRQF | RTC_C_UF | RTC_C_PF);
    to_tick(&b, 2 * 32768);
    assert_int_equal(seen, 3);
    for (unsigned int i = 0; i < 3; i++)
        assert_int_equal(outcomes[i], VT_DELIVERED);
    to_tick(&b, 3 * 32768); /* UF was not read: merged */
    assert_int_equal(seen, 4);
    assert_int_equal(outcomes[3], VT_MERGED);
    assert_int_equal(get(&b, RTC_REG_C), RTC_C_IRQF | RTC_C_AF | RTC_C_UF | RTC_C_PF);
    to_tick(&b, 62 * 32768);
    assert_int_equal(get(&b, RTC_REG_C) & RTC_C_AF, RTC_C_AF);
}

/* Table 5, "Periodic interrupt rate and square wave output frequency": rate 0 is none; rates 1 and 2 depend
 * on the time base that the divider select names. */
static void table_5_rates_by_time_base(void **state)
{
    static const struct {
        uint8_t a;
        uint64_t period;
    } rows[] = {{0x21, 128}, {0x22, 256}, {0x23, 4}, {0x2F, 16384},
                {0x01, 1},   {0x02, 2},   {0x12, 2}, {0x13, 4}};
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 0);
    put(&b, RTC_REG_B, RTC_B_24H | RTC_B_PIE);
    for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        put(&b, RTC_REG_A, rows[i].a);
        rig_to(&b.rig, rig_next(&b.rig)); /* the chain's phase */
        assert_int_equal(get(&b, RTC_REG_C) & RTC_C_PF, RTC_C_PF);
        assert_int_equal(rig_next(&b.rig) - vtime_peek(&b.rig.time), rows[i].period * TICK);
    }
    put(&b, RTC_REG_A, 0x20);
    assert_true(rig_idle(&b.rig));
}

/* "Update Cycle": changes of rate leave the seconds and UIP's 244 us where they are. */
static void update_cycle_through_rate_changes(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 0);
    for (unsigned int s = 1; s < 60; s++) {
        for (unsigned int i = 0; i < 8; i++) {
            to_tick(&b, s * 32768 - 32000 + 3989 * i);
            put(&b, RTC_REG_A, 0x20 | ((s + i) & 15));
        }
        to_tick(&b, s * 32768 - 9);
        assert_int_equal(get(&b, RTC_REG_A) & RTC_A_UIP, 0);
        to_tick(&b, s * 32768 - 8);
        put(&b, RTC_REG_A, 0xA0 | ((s + 3) & 15)); /* UIP is read-only */
        assert_int_equal(get(&b, RTC_REG_A), 0xA0 | ((s + 3) & 15));
        to_tick(&b, s * 32768);
        assert_int_equal(get(&b, RTC_REG_A) & RTC_A_UIP, 0);
        assert_int_equal(get(&b, RTC_SECONDS), s / 10 << 4 | s % 10);
    }
}

/* "Alarm": a byte of C0 to FF agrees with anything, so alarms each second, minute and hour; in 12-hour mode
 * with its PM bit; AF without AIE. */
static void alarm_wildcards_and_12_hours(void **state)
{
    static const struct {
        uint8_t alarm[3]; /* seconds, minutes, hours */
        uint64_t first, next;
    } rows[] = {{{0xFF, 0xC0, 0xD5}, 1, 1},
                {{0x05, 0xFF, 0xFF}, 5, 60},
                {{0x00, 0x30, 0xC1}, 1800, 3600},
                {{0x00, 0x00, 0x81}, 3600, 86400}}; /* 1 pm */
    struct bench b;

    (void)state;
    for (unsigned int i = 0; i < 4; i++) {
        bench_init(&b, EXACT_HZ, 43200); /* noon */
        put(&b, RTC_REG_B, RTC_B_SET);
        put(&b, RTC_HOURS, 0x92);
        for (unsigned int n = 0; n < 3; n++)
            put(&b, RTC_SECONDS_ALARM + 2 * n, rows[i].alarm[n]);
        put(&b, RTC_REG_B, RTC_B_AIE);
        assert_int_equal(rig_next(&b.rig), rows[i].first * EXACT_HZ);
        rig_to(&b.rig, rows[i].first * EXACT_HZ);
        assert_int_equal(get(&b, RTC_REG_C) & 0xA0, RTC_C_IRQF | RTC_C_AF);
        assert_int_equal(rig_next(&b.rig), (rows[i].first + rows[i].next) * EXACT_HZ);
        put(&b, RTC_REG_B, 0);
        assert_true(rig_idle(&b.rig));
        rig_to(&b.rig, (rows[i].first + rows[i].next) * EXACT_HZ);
        assert_int_equal(get(&b, RTC_REG_C) & 0xA0, RTC_C_AF);
    }
}

/* DS12887, "Century": 1999 to 2000, a leap year; 2099 to 2100, none; in BCD. */
static void century_byte(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 946684799);
    expect_date(&b, "1999-12-31 23:59:59 6");
    rig_to(&b.rig, EXACT_HZ);
    expect_date(&b, "2000-01-01 00:00:00 7");
    rig_to(&b.rig, 60 * UINT64_C(86400) * EXACT_HZ);
    expect_date(&b, "2000-02-29 23:59:59 3");
    bench_init(&b, EXACT_HZ, 4102444799u);
    expect_date(&b, "2099-12-31 23:59:59 5");
    rig_to(&b.rig, EXACT_HZ);
    expect_date(&b, "2100-01-01 00:00:00 6");
    rig_to(&b.rig, (59 * UINT64_C(86400) + 1) * EXACT_HZ);
    expect_date(&b, "2100-03-01 00:00:00 2");
}

/* "DSE": kept, and without effect: the last Sunday of April has 24 hours. (The chips of today's PCs do the
 * same.) "RESET": interrupts and flags off, the rest stays. */
static void daylight_bit_and_reset_pin(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 956444399);
    put(&b, RTC_REG_B, RTC_B_24H | RTC_B_DSE | RTC_B_UIE | RTC_B_SQWE);
    expect_date(&b, "2000-04-22 22:59:59 7");
    rig_to(&b.rig, 11 * UINT64_C(3600) * EXACT_HZ);
    expect_date(&b, "2000-04-23 09:59:59 1");
    assert_true(b.rig.level);
    rtc_reset(&b.rtc);
    assert_false(b.rig.level);
    assert_int_equal(get(&b, RTC_REG_B), RTC_B_24H | RTC_B_DSE);
    assert_int_equal(get(&b, RTC_REG_C), 0);
    expect_date(&b, "2000-04-23 09:59:59 1");
    assert_true(rig_idle(&b.rig));
}

static void test_divider_reset(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 59);
    put(&b, RTC_REG_B, RTC_B_24H | RTC_B_PIE | RTC_B_UIE);
    to_tick(&b, 1000);
    put(&b, RTC_REG_A, 0x76);
    assert_true(rig_idle(&b.rig));
    (void)get(&b, RTC_REG_C);
    to_tick(&b, 500000);
    assert_int_equal(get(&b, RTC_SECONDS), 0x59);
    assert_int_equal(get(&b, RTC_REG_C), 0);
    put(&b, RTC_REG_A, 0x20);
    assert_int_equal(rig_next(&b.rig), (500000 + 16384) * TICK); /* half a second */
    to_tick(&b, 500000 + 16383);
    assert_int_equal(get(&b, RTC_SECONDS), 0x59);
    to_tick(&b, 500000 + 16384);
    expect_date(&b, "1970-01-01 00:01:00 5");
    to_tick(&b, 500000 + 16384 + 32768);
    assert_int_equal(get(&b, RTC_SECONDS), 0x01);
}

static void test_set_and_formats(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 0);
    put(&b, RTC_REG_B, RTC_B_SET | RTC_B_UIE); /* 12 h; SET clears UIE */
    assert_int_equal(get(&b, RTC_REG_B), RTC_B_SET);
    put(&b, RTC_HOURS, 0x91);
    put(&b, RTC_MINUTES, 0x59);
    put(&b, RTC_SECONDS, 0x59);
    put(&b, RTC_DAY, 0x29);
    put(&b, RTC_MONTH, 0x02);
    put(&b, RTC_YEAR, 0x00);
    put(&b, RTC_CENTURY, 0x20);
    to_tick(&b, 100000);
    assert_int_equal(get(&b, RTC_HOURS), 0x91);
    put(&b, RTC_REG_B, 0);
    to_tick(&b, 4 * 32768);
    assert_int_equal(get(&b, RTC_HOURS), 0x12); /* 11 pm, then midnight: 12 am */
    assert_int_equal(get(&b, RTC_MONTH), 0x03);
    assert_int_equal(get(&b, RTC_DAY), 0x01);
    put(&b, RTC_REG_B, RTC_B_DM | RTC_B_24H); /* the bytes stay: 12h means 18 now */
    to_tick(&b, 5 * 32768);
    assert_int_equal(get(&b, RTC_HOURS), 18);
    put(&b, RTC_MINUTES, 0xEE); /* as written until the next update */
    assert_int_equal(get(&b, RTC_MINUTES), 0xEE);
    to_tick(&b, 6 * 32768);
    assert_true(get(&b, RTC_MINUTES) < 60);
}

static void test_ram_and_ports(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 0);
    for (unsigned int reg = 0x0E; reg < 0x80; reg++)
        put(&b, reg, reg ^ 0x5A);
    for (unsigned int reg = 0x0E; reg < 0x80; reg++)
        assert_int_equal(get(&b, reg), reg ^ 0x5A);
    assert_false(rtc_nmi_masked(&b.rtc));
    rtc_write(&b.rtc, 0x70, 0x8F);
    assert_true(rtc_nmi_masked(&b.rtc));
    assert_int_equal(rtc_read(&b.rtc, 0x71), 0x0F ^ 0x5A);
    put(&b, RTC_REG_C, 0xFF);
    put(&b, RTC_REG_D, 0x00);
    assert_int_equal(get(&b, RTC_REG_D), 0x80);
    assert_int_equal(get(&b, RTC_REG_C), 0);
}

static void test_memory_sizes(void **state)
{
    struct bench b;
    unsigned int sum = 0;

    (void)state;
    bench_init(&b, EXACT_HZ, 0);
    rtc_set_memory(&b.rtc, UINT64_C(192) << 20, UINT64_C(3) << 30);
    assert_int_equal(get(&b, 0x15) | get(&b, 0x16) << 8, 640);
    assert_int_equal(get(&b, 0x17) | get(&b, 0x18) << 8, 0xFFFF);
    assert_int_equal(get(&b, 0x30) | get(&b, 0x31) << 8, 0xFFFF);
    assert_int_equal(get(&b, 0x34) | get(&b, 0x35) << 8, 176 * 16);
    assert_int_equal(get(&b, 0x5B) | get(&b, 0x5C) << 8 | get(&b, 0x5D) << 16, 3 * 16384);
    for (unsigned int reg = 0x10; reg < 0x2E; reg++)
        sum += get(&b, reg);
    assert_int_equal(get(&b, 0x2E) << 8 | get(&b, 0x2F), sum);
    rtc_set_memory(&b.rtc, 16 << 20, 0);
    assert_int_equal(get(&b, 0x17) | get(&b, 0x18) << 8, 15 * 1024);
    assert_int_equal(get(&b, 0x34) | get(&b, 0x35), 0);
    rtc_set_memory(&b.rtc, 65536, 0);
    assert_int_equal(get(&b, 0x15) | get(&b, 0x16) << 8, 64);
}

/* A day of 2 Hz at a frequency that divides nothing: each event at its exact instant, rounded up. */
static void test_day_of_periodic(void **state)
{
    const uint64_t hz = 2394457123u;
    struct bench b;

    (void)state;
    bench_init(&b, hz, 0);
    put(&b, RTC_REG_A, 0x2F);
    put(&b, RTC_REG_B, RTC_B_24H | RTC_B_PIE);
    for (uint64_t k = 0; k < 86400 * 2; k++) {
        uint64_t tick = 8192 + 16384 * k;
        at_t at = (at_t)(((vt_u128)tick * hz + 32767) / 32768);

        assert_int_equal(rig_next(&b.rig), at);
        rig_to(&b.rig, at);
        assert_true(b.rig.level);
        (void)get(&b, RTC_REG_C);
    }
    assert_int_equal(b.rig.raises, 86400 * 2);
}

/* The VM loses the processor for a while: 1024 Hz ticks come faster for a time, each with its own IRQF, none
 * lost, and with a guest that takes 100 us to read register C. */
static void test_no_tick_lost_while_descheduled(void **state)
{
    const uint64_t hz = 1000000000;
    struct bench b;
    struct vt_ticks ticks;
    rt_t rt = 0;

    (void)state;
    bench_init(&b, hz, 0);
    put(&b, RTC_REG_B, RTC_B_24H | RTC_B_PIE);
    for (unsigned int slice = 0; slice < 20; slice++) {
        rt_t end = rt + hz / 10;

        vtime_vcpu_run(&b.rig.time, 0);
        for (; rt < end; rt += hz / 10000) {
            vtime_advance(&b.rig.time, rt);
            if (b.rig.level)
                assert_int_equal(get(&b, RTC_REG_C) & 0xC0, 0xC0);
        }
        vtime_latch(&b.rig.time, rt);
        vtime_vcpu_stop(&b.rig.time, 0);
        if (slice < 10)
            rt += hz / 20;
        vtime_advance(&b.rig.time, rt);
    }
    assert_true(vtime_lag(&b.rig.time) < (int64_t)hz / 1000);
    vtime_ticks(&b.rig.time, &b.rtc.periodic, &ticks);
    assert_true(ticks.due >= 1024 * 5 / 2 - 1);
    assert_int_equal(ticks.merged + ticks.dropped + ticks.cancelled, 0);
    assert_true(ticks.delivered + 1 >= ticks.due);
    assert_null(vtime_check(&b.rig.time));
}

static void test_garbage(void **state)
{
    uint64_t seed = 11;
    struct bench b;
    at_t at = 0;

    (void)state;
    bench_init(&b, 1000000000, UINT64_MAX);
    for (unsigned int i = 0; i < 100000; i++) {
        at += rig_below(&seed, 3) != 0 ? rig_below(&seed, 1000) : rig_below(&seed, 100000000);
        rig_to(&b.rig, at);
        if (rig_below(&seed, 2) != 0)
            put(&b, (unsigned int)rig_below(&seed, 16), (unsigned int)rig_below(&seed, 256));
        else
            (void)get(&b, (unsigned int)rig_below(&seed, 256));
        if (rig_below(&seed, 100) == 0)
            put(&b, RTC_CENTURY, (unsigned int)rig_below(&seed, 256));
        if (rig_below(&seed, 4) == 0)
            put(&b, RTC_REG_A, 0x2A);
    }
}

/* rtc.h: ports that are not the RTC's read as all ones and drop writes. */
static void other_ports(void **state)
{
    struct bench b;

    (void)state;
    bench_init(&b, EXACT_HZ, 0);
    put(&b, 0x20, 0x77);
    rtc_write(&b.rtc, 0x72, 0x55);
    rtc_write(&b.rtc, 0x6F, 0x55);
    assert_int_equal(rtc_read(&b.rtc, 0x72), 0xFF);
    assert_int_equal(rtc_read(&b.rtc, 0x6F), 0xFF);
    assert_int_equal(rtc_read(&b.rtc, RTC_PORT_INDEX), 0x20);
    assert_int_equal(rtc_read(&b.rtc, RTC_PORT_DATA), 0x77);
}

/* A second kind of interrupt behind IRQF is news for the guest, unless its line is masked; and a request that
 * the controller still holds is outstanding, though register C has been read. */
static void test_masked_and_waiting(void **state)
{
    struct bench b;

    (void)state;
    bench_watched(&b);
    b.rig.auto_take = false;
    to_tick(&b, 32768);
    assert_int_equal(seen, 1);
    assert_int_equal(outcomes[0], VT_DELIVERED);
    b.rig.masked = true; /* IRQF is up: the update of second 2 is merged, and so is the alarm, a first one */
    to_tick(&b, 2 * 32768);
    assert_int_equal(seen, 3);
    assert_int_equal(outcomes[1], VT_MERGED);
    assert_int_equal(outcomes[2], VT_MERGED);
    b.rig.masked = false;
    assert_int_equal(get(&b, RTC_REG_C) & (RTC_C_AF | RTC_C_UF), RTC_C_AF | RTC_C_UF);
    assert_true(b.rig.latched);
    assert_true(b.rtc.alarm.ops->outstanding(&b.rtc));
    b.rig.latched = false;
    assert_false(b.rtc.alarm.ops->outstanding(&b.rtc));
}

/* What is written at the very instant of the alarm, before its event: switched off, it has still come,
 * without an interrupt; another alarm time neither loses it nor doubles it. */
static void test_the_instant_of_the_alarm(void **state)
{
    (void)state;
    for (unsigned int how = 0; how < 2; how++) {
        struct bench b;

        bench_init(&b, EXACT_HZ, 0);
        put(&b, RTC_SECONDS_ALARM, 0x02);
        put(&b, RTC_MINUTES_ALARM, 0xFF);
        put(&b, RTC_HOURS_ALARM, 0xFF);
        put(&b, RTC_REG_B, RTC_B_24H | RTC_B_AIE);
        at_t due = rig_next(&b.rig);

        rig_to(&b.rig, due - 1);
        vtime_latch(&b.rig.time, due);
        if (how == 0) {
            put(&b, RTC_REG_B, RTC_B_24H);
            assert_int_equal(get(&b, RTC_REG_C) & RTC_C_AF, RTC_C_AF);
            assert_true(rig_idle(&b.rig));
            assert_int_equal(b.rig.raises, 0);
        } else {
            put(&b, RTC_SECONDS_ALARM, 0x05);
            assert_int_equal(rig_next(&b.rig), due);
            rig_to(&b.rig, due);
            assert_int_equal(b.rig.raises, 1);
            assert_int_equal(get(&b, RTC_REG_C) & RTC_C_AF, RTC_C_AF);
            assert_int_equal(rig_next(&b.rig), due + 3 * (due / 2));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_date),
        cmocka_unit_test(test_update_in_progress),
        cmocka_unit_test(test_periodic_rates_keep_phase),
        cmocka_unit_test(test_register_c_acknowledges),
        cmocka_unit_test(test_alarm_and_update_are_both_delivered),
        cmocka_unit_test(table_5_rates_by_time_base),
        cmocka_unit_test(update_cycle_through_rate_changes),
        cmocka_unit_test(alarm_wildcards_and_12_hours),
        cmocka_unit_test(century_byte),
        cmocka_unit_test(daylight_bit_and_reset_pin),
        cmocka_unit_test(test_divider_reset),
        cmocka_unit_test(test_set_and_formats),
        cmocka_unit_test(test_ram_and_ports),
        cmocka_unit_test(test_memory_sizes),
        cmocka_unit_test(test_day_of_periodic),
        cmocka_unit_test(test_no_tick_lost_while_descheduled),
        cmocka_unit_test(test_garbage),
        cmocka_unit_test(other_ports),
        cmocka_unit_test(test_masked_and_waiting),
        cmocka_unit_test(test_the_instant_of_the_alarm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
