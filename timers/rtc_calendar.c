#include "timers/rtc_calendar.h"

#include <stdbool.h>

#include "timers/rtc.h"

#define DAY_SECONDS 86400u
#define ERA_DAYS    146097u         /* 400 years */
#define CYCLE_DAYS  (25 * ERA_DAYS) /* 10000 years */
#define UNIX_EPOCH  719468u         /* 1970-01-01 as a serial number */

#define HOURS_PM        0x80u
#define ALARM_DONT_CARE 0xC0u /* "Alarm": any code from C0 to FF */

/* ---- one byte ---- */

static bool is_binary(const uint8_t *cmos)
{
    return (cmos[RTC_REG_B] & RTC_B_DM) != 0;
}

static uint32_t decode(const uint8_t *cmos, uint32_t byte)
{
    return is_binary(cmos) ? byte : (byte >> 4) * 10 + (byte & 15);
}

static uint8_t encode(const uint8_t *cmos, uint32_t n)
{
    return (uint8_t)(is_binary(cmos) ? n : n / 10 << 4 | n % 10);
}

static uint32_t decode_hours(const uint8_t *cmos, uint32_t byte)
{
    if ((cmos[RTC_REG_B] & RTC_B_24H) != 0)
        return decode(cmos, byte);
    return decode(cmos, byte & ~HOURS_PM) % 12 + ((byte & HOURS_PM) != 0 ? 12 : 0);
}

static uint8_t encode_hours(const uint8_t *cmos, uint32_t hours)
{
    if ((cmos[RTC_REG_B] & RTC_B_24H) != 0)
        return encode(cmos, hours);
    return (uint8_t)(encode(cmos, hours % 12 != 0 ? hours % 12 : 12) | (hours >= 12 ? HOURS_PM : 0));
}

/* ---- days as serial numbers, 0 for 0000-03-01, modulo 10000 years ---- */

/* Years that begin in March have their leap day last: no tables. */
static uint64_t serial_day(uint32_t year, uint32_t month, uint32_t day)
{
    uint64_t y = year + (month <= 2 ? 9999u : 10000u);
    uint64_t in_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

    return (365 * y + y / 4 - y / 100 + y / 400 + in_year) % CYCLE_DAYS;
}

static void write_date(uint8_t *cmos, uint32_t serial)
{
    uint32_t in_era = serial % ERA_DAYS;
    uint32_t y = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    uint32_t in_year = in_era - (365 * y + y / 4 - y / 100);
    uint32_t m = (5 * in_year + 2) / 153;
    uint32_t month = m < 10 ? m + 3 : m - 9;
    uint32_t year = (serial / ERA_DAYS * 400 + y + (month <= 2 ? 1 : 0)) % 10000;

    cmos[RTC_DAY] = encode(cmos, in_year - (153 * m + 2) / 5 + 1);
    cmos[RTC_MONTH] = encode(cmos, month);
    cmos[RTC_YEAR] = encode(cmos, year % 100);
    cmos[RTC_CENTURY] = encode(cmos, year / 100);
}

static void write_time(uint8_t *cmos, uint32_t second)
{
    cmos[RTC_SECONDS] = encode(cmos, second % 60);
    cmos[RTC_MINUTES] = encode(cmos, second / 60 % 60);
    cmos[RTC_HOURS] = encode_hours(cmos, second / 3600);
}

static uint32_t read_time(const uint8_t *cmos)
{
    return decode_hours(cmos, cmos[RTC_HOURS]) * 3600 + decode(cmos, cmos[RTC_MINUTES]) * 60 +
           decode(cmos, cmos[RTC_SECONDS]);
}

static uint64_t read_date(const uint8_t *cmos)
{
    uint32_t year = decode(cmos, cmos[RTC_CENTURY]) * 100 + decode(cmos, cmos[RTC_YEAR]);
    uint32_t month = decode(cmos, cmos[RTC_MONTH]);
    uint32_t day = decode(cmos, cmos[RTC_DAY]);

    return serial_day(year, month != 0 ? (month - 1) % 12 + 1 : 1, day != 0 ? day : 1);
}

/* ---- the interface ---- */

void rtc_calendar_set(uint8_t *cmos, uint64_t unix_seconds)
{
    uint64_t days = unix_seconds / DAY_SECONDS;

    write_time(cmos, (uint32_t)(unix_seconds % DAY_SECONDS));
    write_date(cmos, (uint32_t)((UNIX_EPOCH + days) % CYCLE_DAYS));
    cmos[RTC_WEEKDAY] = (uint8_t)((days + 4) % 7 + 1); /* 1970 began on a Thursday; Sunday is 1 */
}

void rtc_calendar_advance(uint8_t *cmos, uint64_t seconds)
{
    uint64_t second = read_time(cmos) + seconds;
    uint64_t days = second / DAY_SECONDS;
    uint64_t serial = read_date(cmos) + days;
    uint32_t weekday = decode(cmos, cmos[RTC_WEEKDAY]);

    write_time(cmos, (uint32_t)(second % DAY_SECONDS));
    write_date(cmos, (uint32_t)(serial % CYCLE_DAYS));
    cmos[RTC_WEEKDAY] = (uint8_t)(((weekday != 0 ? weekday - 1 : 0) + days) % 7 + 1);
}

/* An alarm byte as a number below `limit`. Anything else that is not "don't care" never matches. */
struct alarm_field {
    bool any;
    bool valid;
    uint32_t value;
};

static struct alarm_field alarm_field(const uint8_t *cmos, unsigned int reg, uint32_t limit)
{
    uint8_t byte = cmos[reg];
    struct alarm_field f = {.any = (byte & ALARM_DONT_CARE) == ALARM_DONT_CARE, .valid = true, .value = 0};

    if (f.any)
        return f;
    f.value = limit == 24 ? decode_hours(cmos, byte) : decode(cmos, byte);
    f.valid = f.value < limit && byte == (limit == 24 ? encode_hours(cmos, f.value) : encode(cmos, f.value));
    return f;
}

uint32_t rtc_calendar_to_alarm(const uint8_t *cmos)
{
    struct alarm_field s = alarm_field(cmos, RTC_SECONDS_ALARM, 60);
    struct alarm_field m = alarm_field(cmos, RTC_MINUTES_ALARM, 60);
    struct alarm_field h = alarm_field(cmos, RTC_HOURS_ALARM, 24);
    uint32_t now = read_time(cmos) % DAY_SECONDS;

    if (!s.valid || !m.valid || !h.valid)
        return 0;

    /* The first second after now that agrees in seconds, then in minutes, then in hours: whoever has to move
     * on sets the smaller ones back to their first match. Values at or above DAY_SECONDS are tomorrow. */
    uint32_t t = now + 1;

    if (!s.any)
        t += (s.value + 60 - t % 60) % 60;
    if (!m.any && t / 60 % 60 != m.value)
        t = (t / 60 + (m.value + 60 - t / 60 % 60) % 60) * 60 + s.value;
    if (!h.any && t / 3600 % 24 != h.value)
        t = (t / 3600 + (h.value + 24 - t / 3600 % 24) % 24) * 3600 + m.value * 60 + s.value;
    return t - now;
}
