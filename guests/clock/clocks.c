/* Reading every clock of the PC against the TSC. */
#include "guests/clock/clock.h"

#include "guests/lib/acpi.h"
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"

static volatile uint64_t last_tsc;
static uint16_t pm_port;
static uint32_t pm_mask;
static bool rtc_binary;

uint64_t clock_tsc(void)
{
    uint64_t before = last_tsc; /* loaded first: a handler in between can only raise it */
    uint64_t now = rdtsc();

    if (now < before) {
        run.tsc_backward++;
    }
    last_tsc = now;
    return now;
}

static uint64_t read_pit(void)
{
    uint32_t count = pit_count();

    return count == 0 || count > run.pit_divisor ? 0 : run.pit_divisor - count;
}

static uint64_t read_pm(void)
{
    return inl(pm_port) & pm_mask;
}

static uint64_t read_lapic(void)
{
    uint32_t count = lapic_read(LAPIC_TIMER_CCR);

    return count > run.lapic_count ? 0 : run.lapic_count - count;
}

static uint64_t read_rtc(void)
{
    uint8_t s = rtc_read(RTC_SECONDS);

    return rtc_binary ? s : (s >> 4) * 10u + (s & 0xFu);
}

static uint64_t read_hpet(void)
{
    return hpet_read64(HPET_COUNTER) % run.clocks[CLOCK_HPET].modulus;
}

static void add(enum clock_id id, const char *name, uint64_t (*read)(void), uint64_t modulus, uint64_t rate)
{
    struct clock *c = &run.clocks[id];

    c->name = name;
    c->read = read;
    c->modulus = modulus;
    c->rate = rate;
    c->present = true;
}

void clocks_init(void)
{
    uint64_t second = run.tsc_hz << 32;
    uint64_t pm_rate = mul_div(second, 4, PIT_HZ_NUM);
    bool wide;

    if (run.pit_divisor != 0) {
        add(CLOCK_PIT, "pit", read_pit, run.pit_divisor, mul_div(second, 12, PIT_HZ_NUM));
    }
    if (run.lapic_count != 0) {
        add(CLOCK_LAPIC, "lapic", read_lapic, run.lapic_count, mul_div(second, 1, run.lapic_hz));
    }
    rtc_binary = (rtc_read(RTC_B) & RTC_B_DM) != 0;
    add(CLOCK_RTC, "rtc", read_rtc, 60, second);

    pm_port = acpi_pm_timer(&wide);
    pm_mask = wide ? UINT32_MAX : 0xFFFFFF;
    if (pm_port != 0) {
        add(CLOCK_PM, "pm", read_pm, (uint64_t)pm_mask + 1, pm_rate);
    }
    if (run.hpet_fs != 0) {
        /* A second of its ticks, so that it turns over at one of them. */
        uint64_t turn = run.hpet_count != 0 ? run.hpet_count * run.set.hz[TICK_HPET] : 1ull << 32;

        hpet_write64(HPET_CONFIG, HPET_CONFIG_ENABLE);
        add(CLOCK_HPET, "hpet", read_hpet, turn, mul_div(second, run.hpet_fs, FS_PER_SECOND));
    }
}

/* The count without turns. The two brackets bound how far the clock has gone on since the last sample, and
 * that says how many times it has turned over; the rest is the clock's own word. Less than before is a
 * backward step. */
static uint64_t unwrap(struct clock *c, uint64_t raw, const struct sample *now)
{
    uint64_t step = (raw + c->modulus - c->last_raw) % c->modulus;
    uint64_t least =
        now->before > c->last.after ? mul_div(now->before - c->last.after, 1ull << 32, c->rate) : 0;
    uint64_t most = mul_div(now->after - c->last.before, 1ull << 32, c->rate) + 1;
    /* One turn more than wanted, so that a step back is not below zero. */
    uint64_t turns = least + c->modulus > step ? (least + 2 * c->modulus - 1 - step) / c->modulus : 0;
    uint64_t above = turns * c->modulus + step, below = above - c->modulus;

    /* The first at or above `least` fits if it is not above `most`; else the nearer of the two around them.
     */
    if (turns > 0 && above > most + c->modulus && above - (most + c->modulus) > least + c->modulus - below) {
        above = below;
    }
    if (above < c->modulus) {
        c->backward++;
    }
    return c->last.count + above - c->modulus;
}

static void keep(struct clock *c, const struct sample *s)
{
    uint64_t at = (s->before - run.start) / run.window;
    uint32_t w = at < WINDOWS ? (uint32_t)at : WINDOWS - 1;
    /* Origins: where count 0 lay at least and at most, were the provisional rate exact. Within one window it
     * is. */
    int64_t low = (int64_t)(s->before - fixed_mul(s->count + 1, c->rate));
    int64_t high = (int64_t)(s->after - fixed_mul(s->count, c->rate));
    const struct sample *e = &c->earliest[w], *l = &c->latest[w];

    if (!c->used[w] || low > (int64_t)(e->before - fixed_mul(e->count + 1, c->rate))) {
        c->earliest[w] = *s;
    }
    if (!c->used[w] || high < (int64_t)(l->after - fixed_mul(l->count, c->rate))) {
        c->latest[w] = *s;
    }
    c->used[w] = true;
}

uint64_t clock_sample(struct clock *c, uint64_t before)
{
    if (c->read == read_rtc && (rtc_read(RTC_A) & RTC_A_UIP)) {
        return before; /* the registers are about to change (MC146818A, "Update cycle") */
    }

    uint64_t raw = c->read();
    struct sample s = {before, clock_tsc(), 0};

    /* Two brackets as wide as the clock's whole turn together would leave its turns open. A bracket gets as
     * wide when time that a VM missed is caught up with, up to the next event. */
    if (s.after - s.before >= fixed_mul(c->modulus, c->rate) / 2) {
        return s.after;
    }
    if (c->samples > 0) {
        s.count = unwrap(c, raw, &s);
    } else {
        s.count = c->modulus + raw; /* room for steps back */
    }
    c->samples++;
    c->last = s;
    c->last_raw = raw;
    keep(c, &s);
    return s.after;
}
