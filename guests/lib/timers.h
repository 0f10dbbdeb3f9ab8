/* The timers and clocks of the PC as a guest programs them. */
#ifndef GUESTS_LIB_TIMERS_H
#define GUESTS_LIB_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

#define PIT_HZ_NUM 14318180u /* the PIT counts at PIT_HZ_NUM / 12 Hz, the PM timer at PIT_HZ_NUM / 4 Hz */
#define IRQ_PIT    0
#define IRQ_RTC    8
#define GSI_PIT    2
#define GSI_RTC    8

#define RTC_SECONDS 0x00
#define RTC_A       0x0A
#define RTC_B       0x0B
#define RTC_C       0x0C
#define RTC_A_UIP   0x80
#define RTC_B_PIE   0x40
#define RTC_B_24H   0x02
#define RTC_B_DM    0x04 /* binary, not BCD */

/* Channel 0, mode 2 (rate generator); divisor 2-65536. */
void pit_start(uint32_t divisor);
void pit_stop(void);
/* Channel 0's count by the latch command (and its two reads). */
uint16_t pit_count(void);

/* The index register is shared by everybody who reads the RTC: interrupts off. */
uint8_t rtc_read(uint8_t index);
void rtc_write(uint8_t index, uint8_t value);
/* Rate select of a frequency (2-8192 Hz, a power of two), 0 if it is none. */
uint8_t rtc_rate_select(uint64_t hz);
/* Turns the periodic interrupt on at a rate select, or off at 0. */
void rtc_periodic(uint8_t rate_select);
/* Seconds, in binary, whatever register B says. */
uint8_t rtc_seconds(void);

/* LAPIC timer: divide by 16, the counter runs from initial; mode bits and vector in lvt. */
void lapic_timer_start(uint32_t lvt, uint32_t initial);

/* The HPET (IA-PC HPET Specification 1.0a), found by its ACPI table: false where there is none. The other
 * functions only after that. */
#define HPET_CAPABILITIES        0x000 /* upper half: femtoseconds a count */
#define HPET_CONFIG              0x010
#define HPET_CONFIG_ENABLE       0x1
#define HPET_COUNTER             0x0F0
#define HPET_TIMER_CONFIG(n)     (0x100 + 0x20 * (n))
#define HPET_TIMER_COMPARATOR(n) (0x108 + 0x20 * (n))
#define HPET_TIMER_ENABLE        0x004
#define HPET_TIMER_PERIODIC      0x008
#define HPET_TIMER_SET           0x040
#define HPET_GSI                 20 /* an IOAPIC input that the timers of most chip sets can drive */

bool hpet_find(void);
uint64_t hpet_read64(uint32_t reg);
void hpet_write64(uint32_t reg, uint64_t value);
/* Starts the counter over from 0, and timer n with it at a period in counts, its edges at that IOAPIC input.
 * False if the timer cannot be periodic or has no way to the input; nothing has changed then. */
bool hpet_periodic(unsigned int n, unsigned int gsi, uint64_t period);

/* How a kernel finds the frequencies: channel 0 of the PIT against TSC and LAPIC timer over a fifth of a
 * second, by the closest readings at both ends, so that a slow reading does no harm. Leaves channel 0 running
 * (mode 2, 65536). The PIT's count was taken somewhere within a reading, so even a closest one that is wide
 * (a VM that catches up has few instructions to a second of its own) leaves something open. */
struct frequencies {
    uint64_t tsc_hz;
    uint64_t tsc_hz_open; /* it may be off by so much and still fit both readings */
    uint64_t lapic_hz;    /* with the divider in: counts of CCR a second */
};
struct frequencies calibrate(void);

#endif
