/* Dates of the MC146818 (data sheet: time, calendar and alarm locations; register B); see date.h. */
#include "kernel/date.h"

#define B_BINARY   0x04
#define B_24_HOURS 0x02
#define HOUR_PM    0x80

#define SECONDS_PER_DAY 86400u

static bool decode(uint8_t raw, bool binary, unsigned int *out)
{
    if (!binary && ((raw & 0x0f) > 9 || raw >> 4 > 9))
        return false;
    *out = binary ? raw : (unsigned int)(raw >> 4) * 10 + (raw & 0x0f);
    return true;
}

static bool decode_hour(const struct date_registers *r, bool binary, unsigned int *hour)
{
    bool twelve = !(r->status_b & B_24_HOURS);
    bool pm = twelve && (r->hour & HOUR_PM);

    if (!decode(twelve ? r->hour & (uint8_t)~HOUR_PM : r->hour, binary, hour))
        return false;
    if (twelve && (*hour < 1 || *hour > 12))
        return false;
    if (twelve)
        *hour = *hour % 12 + (pm ? 12 : 0);
    return *hour < 24;
}

static bool is_leap(unsigned int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned int days_in(unsigned int month, unsigned int year)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

static uint64_t days_since_1970(unsigned int year, unsigned int month, unsigned int day)
{
    uint64_t days = day - 1;

    for (unsigned int y = 1970; y < year; y++)
        days += is_leap(y) ? 366 : 365;
    for (unsigned int m = 1; m < month; m++)
        days += days_in(m, year);
    return days;
}

bool date_seconds(const struct date_registers *r, uint64_t *seconds)
{
    bool binary = r->status_b & B_BINARY;
    unsigned int second, minute, hour, day, month, year, century;

    if (!decode(r->second, binary, &second) || !decode(r->minute, binary, &minute) ||
        !decode_hour(r, binary, &hour) || !decode(r->day, binary, &day) ||
        !decode(r->month, binary, &month) || !decode(r->year, binary, &year))
        return false;
    if (!decode(r->century, binary, &century) || century < 19 || century > 29)
        century = year >= 70 ? 19 : 20;
    year += century * 100;
    if (second > 59 || minute > 59 || year < 1970 || month < 1 || month > 12 || day < 1 ||
        day > days_in(month, year))
        return false;
    *seconds = days_since_1970(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
    return true;
}
