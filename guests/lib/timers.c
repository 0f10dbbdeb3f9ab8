#include "guests/lib/timers.h"

#include "guests/lib/acpi.h"
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/string.h"

#define PIT_CHANNEL0   0x40
#define PIT_CONTROL    0x43
#define PIT_C0_RATE    0x34 /* channel 0, both bytes, mode 2 */
#define PIT_C0_ONESHOT 0x30 /* channel 0, both bytes, mode 0: no interrupt until a count is written */
#define PIT_C0_LATCH   0x00

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71
#define RTC_A_32K  0x20 /* divider chain on, 32768 Hz */

#define LAPIC_DIVIDE_16   0x3
#define CALIBRATION_COUNT 238636u /* 200 ms */
#define PIT_FULL          65536u

#define HPET_PERIODIC_CAP 0x010
#define HPET_ROUTE_SHIFT  9

void pit_start(uint32_t divisor)
{
    outb(PIT_CONTROL, PIT_C0_RATE);
    outb(PIT_CHANNEL0, (uint8_t)divisor);
    outb(PIT_CHANNEL0, (uint8_t)(divisor >> 8));
}

void pit_stop(void)
{
    outb(PIT_CONTROL, PIT_C0_ONESHOT);
}

uint16_t pit_count(void)
{
    outb(PIT_CONTROL, PIT_C0_LATCH);

    uint16_t low = inb(PIT_CHANNEL0);

    return (uint16_t)(low | inb(PIT_CHANNEL0) << 8);
}

uint8_t rtc_read(uint8_t index)
{
    outb(CMOS_INDEX, index);
    return inb(CMOS_DATA);
}

void rtc_write(uint8_t index, uint8_t value)
{
    outb(CMOS_INDEX, index);
    outb(CMOS_DATA, value);
}

uint8_t rtc_rate_select(uint64_t hz)
{
    for (uint8_t rs = 3; rs <= 15; rs++) {
        if (hz == 32768u >> (rs - 1)) {
            return rs;
        }
    }
    return 0;
}

void rtc_periodic(uint8_t rate_select)
{
    uint8_t b = rtc_read(RTC_B);

    if (rate_select == 0) {
        rtc_write(RTC_B, (uint8_t)(b & ~RTC_B_PIE));
        return;
    }
    rtc_write(RTC_A, RTC_A_32K | rate_select);
    rtc_read(RTC_C); /* an old request would hold back the first edge */
    rtc_write(RTC_B, b | RTC_B_PIE);
}

uint8_t rtc_seconds(void)
{
    bool binary = (rtc_read(RTC_B) & RTC_B_DM) != 0;
    uint8_t s = rtc_read(RTC_SECONDS);

    return binary ? s : (uint8_t)((s >> 4) * 10 + (s & 0xF));
}

void lapic_timer_start(uint32_t lvt, uint32_t initial)
{
    lapic_write(LAPIC_TIMER_DCR, LAPIC_DIVIDE_16);
    lapic_write(LAPIC_LVT_TIMER, lvt);
    lapic_write(LAPIC_TIMER_ICR, initial);
}

/* ---- the HPET ---- */

static uintptr_t hpet;

bool hpet_find(void)
{
    hpet = acpi_hpet();
    return hpet != 0;
}

uint64_t hpet_read64(uint32_t reg)
{
    return *(volatile uint64_t *)(hpet + reg);
}

void hpet_write64(uint32_t reg, uint64_t value)
{
    *(volatile uint64_t *)(hpet + reg) = value;
}

/* 2.3.9.2.2 */
bool hpet_periodic(unsigned int n, unsigned int gsi, uint64_t period)
{
    uint64_t can = hpet_read64(HPET_TIMER_CONFIG(n));
    uint64_t config = HPET_TIMER_ENABLE | HPET_TIMER_PERIODIC | (uint64_t)gsi << HPET_ROUTE_SHIFT;

    if ((can & HPET_PERIODIC_CAP) == 0 || (can >> 32 >> gsi & 1) == 0) {
        return false;
    }
    hpet_write64(HPET_CONFIG, 0);
    hpet_write64(HPET_COUNTER, 0);
    hpet_write64(HPET_TIMER_CONFIG(n), config | HPET_TIMER_SET);
    hpet_write64(HPET_TIMER_COMPARATOR(n), period);
    hpet_write64(HPET_CONFIG, HPET_CONFIG_ENABLE);
    return true;
}

/* ---- calibration ---- */

/* All three clocks within one bracket. */
struct reading {
    uint64_t tsc, width; /* at its begin; how long it took */
    uint64_t pit, lapic; /* counts since the start */
};

/* pit and lapic go on from the reading before: at most one turn of the PIT lies between them. */
static struct reading read_clocks(const struct reading *before)
{
    struct reading r;

    r.tsc = rdtsc();

    uint16_t count = pit_count();

    r.lapic = UINT32_MAX - lapic_read(LAPIC_TIMER_CCR);
    r.width = rdtsc() - r.tsc;
    r.pit = before->pit + (uint16_t)(-count - (uint16_t)before->pit);
    return r;
}

/* The closest reading while the PIT counts on to `until`. */
static struct reading closest_until(struct reading *now, uint64_t until)
{
    struct reading best = *now;

    while (now->pit < until) {
        *now = read_clocks(now);
        if (now->width < best.width) {
            best = *now;
        }
    }
    return best;
}

struct frequencies calibrate(void)
{
    struct frequencies f;

    pit_start(PIT_FULL);
    lapic_timer_start(LVT_MASKED, UINT32_MAX);

    struct reading now = read_clocks(&(struct reading){0});
    uint64_t start = now.pit;
    struct reading first = closest_until(&now, start + CALIBRATION_COUNT / 4);

    closest_until(&now, start + CALIBRATION_COUNT * 3 / 4);
    now.width = UINT64_MAX;

    struct reading last = closest_until(&now, start + CALIBRATION_COUNT);
    uint64_t counts = 12 * (last.pit - first.pit);

    f.tsc_hz = mul_div(last.tsc - first.tsc, PIT_HZ_NUM, counts);
    f.tsc_hz_open = mul_div(first.width > last.width ? first.width : last.width, PIT_HZ_NUM, counts);
    f.lapic_hz = mul_div(last.lapic - first.lapic, PIT_HZ_NUM, counts);
    return f;
}
