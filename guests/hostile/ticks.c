/* Timers programmed to nonsense over and over, then all of them at their shortest periods at once, for a
 * fiftieth of `seconds`. */
#include "guests/hostile/hostile.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define ROUNDS       1000u
#define LAPIC_VECTOR 0x50
#define HPET_VECTOR  0x48
#define PIT_VECTOR   0x40
#define RTC_VECTOR   0x38
#define RTC_FASTEST  3 /* 8192 Hz */
#define DIVIDE_1     0xB

static volatile uint64_t lapic_ticks, hpet_ticks, pit_ticks, rtc_ticks;

static void on_lapic(struct trap_frame *frame)
{
    (void)frame;
    lapic_ticks++;
    lapic_write(LAPIC_EOI, 0);
}

static void on_hpet(struct trap_frame *frame)
{
    (void)frame;
    hpet_ticks++;
    lapic_write(LAPIC_EOI, 0);
}

static void on_pit(struct trap_frame *frame)
{
    (void)frame;
    pit_ticks++;
    lapic_write(LAPIC_EOI, 0);
}

static void on_rtc(struct trap_frame *frame)
{
    (void)frame;
    rtc_ticks++;
    rtc_read(RTC_C);
    lapic_write(LAPIC_EOI, 0);
}

/* 0, one, the largest, and what lies just behind. */
static void nonsense(bool hpet)
{
    static const uint32_t values[] = {0, 1, UINT32_MAX, 2, 0x80000000u};

    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint32_t value = values[i % 5];

        lapic_write(LAPIC_LVT_TIMER, (i % 3 == 0 ? 0 : LVT_PERIODIC) | LAPIC_VECTOR);
        lapic_write(LAPIC_TIMER_DCR, i);
        lapic_write(LAPIC_TIMER_ICR, value);
        pit_start(value);
        if (hpet) {
            hpet_write64(HPET_TIMER_CONFIG(0), HPET_TIMER_ENABLE | i % 512);
            hpet_write64(HPET_TIMER_COMPARATOR(0), i % 7 == 0 ? hpet_read64(HPET_COUNTER) - 1 : value);
        }
    }
}

/* Each of them as fast as it can be told to go. */
static void fastest(bool hpet)
{
    lapic_write(LAPIC_TIMER_DCR, DIVIDE_1);
    lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | LAPIC_VECTOR);
    lapic_write(LAPIC_TIMER_ICR, 1);
    pit_start(2);
    rtc_periodic(RTC_FASTEST);
    if (hpet) {
        hpet_periodic(0, HPET_GSI, 1);
    }
}

/* The same ticks, and nobody who would ever take one. */
int hostile_deaf_ticks(const struct plan *plan)
{
    (void)plan;
    ioapic_route(GSI_PIT, PIT_VECTOR);
    ioapic_route(GSI_RTC, RTC_VECTOR);
    ioapic_route(HPET_GSI, HPET_VECTOR);
    interrupts_off();
    fastest(hpet_find());
    __asm__ volatile("hlt");
    return EXIT_FAIL;
}

int hostile_ticks(const struct plan *plan)
{
    bool hpet = hpet_find();
    uint64_t end;

    traps_set(LAPIC_VECTOR, on_lapic);
    traps_set(HPET_VECTOR, on_hpet);
    traps_set(PIT_VECTOR, on_pit);
    traps_set(RTC_VECTOR, on_rtc);
    ioapic_route(GSI_PIT, PIT_VECTOR);
    ioapic_route(GSI_RTC, RTC_VECTOR);
    ioapic_route(HPET_GSI, HPET_VECTOR);
    interrupts_on();
    nonsense(hpet);
    end = rdtsc() + plan->seconds * plan->tsc_hz / 50;
    lapic_ticks = hpet_ticks = pit_ticks = rtc_ticks = 0;
    fastest(hpet);
    while (rdtsc() < end) {
        for (volatile unsigned int i = 0; i < 5000; i++) {
        }
    }
    interrupts_off();
    printf("hostile: ticks lapic=%lu pit=%lu rtc=%lu hpet=%lu\n", lapic_ticks, pit_ticks, rtc_ticks,
           hpet_ticks);
    return lapic_ticks != 0 && pit_ticks != 0 && rtc_ticks != 0 && (hpet_ticks != 0 || !hpet)
               ? (int)plan->exit
               : EXIT_FAIL;
}
