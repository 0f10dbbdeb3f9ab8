/* The MC146818's time bytes as a calendar: pure arithmetic on the first fourteen registers and the century.
 * Register B says how they are written: DM (binary or BCD) and 24/12 (rtc.h). */
#ifndef TIMERS_RTC_CALENDAR_H
#define TIMERS_RTC_CALENDAR_H

#include <stdint.h>

/* Writes the date of `unix_seconds` (since 1970, UTC). Years wrap after 9999. */
void rtc_calendar_set(uint8_t *cmos, uint64_t unix_seconds);

/* `seconds` update cycles (at least one). The day of the week is a counter of its own, as in the chip. What a
 * guest wrote out of range becomes a date that exists. */
void rtc_calendar_advance(uint8_t *cmos, uint64_t seconds);

/* Seconds until the time bytes next agree with the alarm bytes: 1 to 86400; 0 if they never do. */
uint32_t rtc_calendar_to_alarm(const uint8_t *cmos);

#endif
