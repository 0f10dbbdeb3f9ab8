/* links: kernel/date.c */
/* The host's date from the MC146818's registers (data sheet, register B: DM, 24/12): DESIGN.md 2.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>
#include <cmocka.h>

#include "kernel/date.h"

#define BINARY   0x04
#define HOURS_24 0x02
#define PM       0x80

static uint64_t seconds_of(struct date_registers r)
{
    uint64_t seconds = 0;

    assert_true(date_seconds(&r, &seconds));
    return seconds;
}

static void bcd_and_binary(void **state)
{
    (void)state;
    assert_int_equal(seconds_of((struct date_registers){0x40, 0x46, 0x01, 0x09, 0x09, 0x01, 0x20, HOURS_24}),
                     1000000000);
    assert_int_equal(seconds_of((struct date_registers){40, 46, 1, 9, 9, 1, 20, HOURS_24 | BINARY}),
                     1000000000);
    assert_int_equal(seconds_of((struct date_registers){0, 0, 0, 1, 1, 0x70, 0x19, HOURS_24}), 0);
}

static void twelve_hours(void **state)
{
    struct date_registers r = {0, 0, 0x12, 1, 1, 0x70, 0x19, 0};

    (void)state;
    assert_int_equal(seconds_of(r), 0); /* 12 am is midnight */
    r.hour = 0x12 | PM;
    assert_int_equal(seconds_of(r), 12 * 3600);
    r.hour = 0x01 | PM;
    assert_int_equal(seconds_of(r), 13 * 3600);
    r.hour = 0x11 | PM;
    assert_int_equal(seconds_of(r), 23 * 3600);
}

static void century_is_doubted(void **state)
{
    struct date_registers r = {0, 0, 0, 1, 1, 0x26, 0x00, HOURS_24};
    uint64_t with_none = seconds_of(r);

    (void)state;
    r.century = 0xff;
    assert_int_equal(seconds_of(r), with_none);
    r.century = 0x20;
    assert_int_equal(seconds_of(r), with_none);
    r.year = 0x99;
    r.century = 0;
    assert_int_equal(seconds_of(r), 915148800); /* 1999 */
}

static struct date_registers registers_of(time_t t)
{
    struct tm tm;

    gmtime_r(&t, &tm);
    return (struct date_registers){
        .second = (uint8_t)tm.tm_sec,
        .minute = (uint8_t)tm.tm_min,
        .hour = (uint8_t)tm.tm_hour,
        .day = (uint8_t)tm.tm_mday,
        .month = (uint8_t)(tm.tm_mon + 1),
        .year = (uint8_t)((tm.tm_year + 1900) % 100),
        .century = (uint8_t)((tm.tm_year + 1900) / 100),
        .status_b = HOURS_24 | BINARY,
    };
}

/* Against the C library's calendar: each day until 2200, leap days and the year 2100 included. */
static void agrees_with_the_calendar(void **state)
{
    (void)state;
    for (uint64_t day = 0; day < 84006; day++) {
        uint64_t t = day * 86400 + day % 86400;

        assert_int_equal(seconds_of(registers_of((time_t)t)), t);
    }
}

static void refuses_nonsense(void **state)
{
    static const struct date_registers bad[] = {
        {0x60, 0, 0, 1, 1, 0x26, 0x20, HOURS_24},
        {0, 0x60, 0, 1, 1, 0x26, 0x20, HOURS_24},
        {0, 0, 0x24, 1, 1, 0x26, 0x20, HOURS_24},
        {0, 0, 0, 0, 1, 0x26, 0x20, HOURS_24},
        {0, 0, 0, 0x32, 1, 0x26, 0x20, HOURS_24},
        {0, 0, 0, 1, 0, 0x26, 0x20, HOURS_24},
        {0, 0, 0, 1, 0x13, 0x26, 0x20, HOURS_24},
        {0, 0, 0, 0x29, 2, 0x25, 0x20, HOURS_24},
        {0x0a, 0, 0, 1, 1, 0x26, 0x20, HOURS_24},
        {0, 0, 0, 1, 1, 0xa0, 0x20, HOURS_24},
        {0, 0, 0x13, 1, 1, 0x26, 0x20, 0},
        {0, 0, 0x00, 1, 1, 0x26, 0x20, 0},
        {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
        {0, 0, 0, 1, 1, 0x69, 0x19, HOURS_24},
    };
    uint64_t seconds;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(date_seconds(&bad[i], &seconds));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bcd_and_binary),     cmocka_unit_test(twelve_hours),
        cmocka_unit_test(century_is_doubted), cmocka_unit_test(agrees_with_the_calendar),
        cmocka_unit_test(refuses_nonsense),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
