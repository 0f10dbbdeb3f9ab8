/* The RTC's calendar and alarm against the C library's. */
#include <time.h>

#include "tests/unit/support/timer_rig.h"
#include "timers/rtc.h"
#include "timers/rtc_calendar.h"

static unsigned int digits(unsigned int n, bool binary)
{
    return binary ? n : n / 10 << 4 | n % 10;
}

static void check_against_libc(const uint8_t *cmos, time_t t)
{
    struct tm tm;
    bool binary = (cmos[RTC_REG_B] & RTC_B_DM) != 0;
    unsigned int hour;

    gmtime_r(&t, &tm);
    hour = (unsigned int)tm.tm_hour;
    if ((cmos[RTC_REG_B] & RTC_B_24H) != 0)
        hour = digits(hour, binary);
    else
        hour = digits(hour % 12 != 0 ? hour % 12 : 12, binary) | (hour >= 12 ? 0x80 : 0);
    assert_int_equal(cmos[RTC_SECONDS], digits((unsigned int)tm.tm_sec, binary));
    assert_int_equal(cmos[RTC_MINUTES], digits((unsigned int)tm.tm_min, binary));
    assert_int_equal(cmos[RTC_HOURS], hour);
    assert_int_equal(cmos[RTC_WEEKDAY], tm.tm_wday + 1);
    assert_int_equal(cmos[RTC_DAY], digits((unsigned int)tm.tm_mday, binary));
    assert_int_equal(cmos[RTC_MONTH], digits((unsigned int)tm.tm_mon + 1, binary));
    assert_int_equal(cmos[RTC_YEAR], digits((unsigned int)(tm.tm_year + 1900) % 100, binary));
    assert_int_equal(cmos[RTC_CENTURY], digits((unsigned int)(tm.tm_year + 1900) / 100, binary));
}

static void test_calendar_five_centuries(void **state)
{
    uint8_t set[RTC_CMOS_BYTES] = {0}, run[RTC_CMOS_BYTES] = {0};

    (void)state;
    for (unsigned int mode = 0; mode < 8; mode += 2) {
        set[RTC_REG_B] = run[RTC_REG_B] = (uint8_t)mode;
        rtc_calendar_set(run, 43199);
        for (time_t t = 43199; t < 86400L * 366 * 500; t += 86400 * 5 + 3607) {
            rtc_calendar_set(set, (uint64_t)t);
            check_against_libc(set, t);
            check_against_libc(run, t);
            rtc_calendar_advance(run, 86400 * 5 + 3607);
        }
    }
}

static void test_calendar_far(void **state)
{
    uint8_t cmos[RTC_CMOS_BYTES] = {0};
    uint64_t seed = 3;

    (void)state;
    cmos[RTC_REG_B] = RTC_B_24H;
    for (unsigned int i = 0; i < 20000; i++) { /* up to the year 9999 */
        uint64_t t = rig_below(&seed, 253402300800u), half = rig_below(&seed, t + 1);

        rtc_calendar_set(cmos, half);
        rtc_calendar_advance(cmos, t - half);
        check_against_libc(cmos, (time_t)t);
    }
    rtc_calendar_set(cmos, 253402300799u);
    rtc_calendar_advance(cmos, 1);
    assert_int_equal(cmos[RTC_CENTURY] << 8 | cmos[RTC_YEAR], 0x0000);
    assert_int_equal(cmos[RTC_MONTH] << 8 | cmos[RTC_DAY], 0x0101);
    rtc_calendar_set(cmos, UINT64_MAX);
    rtc_calendar_advance(cmos, UINT64_MAX >> 15);
}

static bool alarm_matches(const uint8_t *cmos)
{
    for (unsigned int reg = 0; reg < 6; reg += 2)
        if ((cmos[reg + 1] & 0xC0) != 0xC0 && cmos[reg + 1] != cmos[reg])
            return false;
    return true;
}

static void test_alarm_brute_force(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (unsigned int i = 0; i < 40; i++) {
        uint8_t cmos[RTC_CMOS_BYTES] = {0}, alarm[RTC_CMOS_BYTES] = {0};
        uint32_t wait = 0;

        cmos[RTC_REG_B] = alarm[RTC_REG_B] = (uint8_t)(rig_below(&seed, 4) << 1);
        rtc_calendar_set(cmos, rig_below(&seed, 86400));
        rtc_calendar_set(alarm, rig_below(&seed, 86400));
        for (unsigned int reg = 0; reg < 6; reg += 2)
            cmos[reg + 1] = rig_below(&seed, 3) == 0 ? (uint8_t)(0xC0 | i) : alarm[reg];
        if (i % 8 == 0)
            cmos[1 + 2 * (i / 8 % 3)] = 0x7F; /* agrees with nothing */

        uint32_t answer = rtc_calendar_to_alarm(cmos);

        do {
            rtc_calendar_advance(cmos, 1);
            wait++;
        } while (wait < 86401 && !alarm_matches(cmos));
        assert_int_equal(answer, wait > 86400 ? 0 : wait);
    }
}

/* A guest may have written anything: a month or a day of 0 counts as the first, and time goes on from there.
 */
static void test_no_month_and_no_day(void **state)
{
    uint8_t cmos[RTC_CMOS_BYTES] = {[RTC_REG_B] = RTC_B_24H | RTC_B_DM};

    (void)state;
    rtc_calendar_set(cmos, 951782399); /* 2000-02-28 23:59:59 */
    cmos[RTC_MONTH] = 0;
    cmos[RTC_DAY] = 0;
    rtc_calendar_advance(cmos, 1);
    assert_int_equal(cmos[RTC_MONTH], 1);
    assert_int_equal(cmos[RTC_DAY], 2);
    assert_int_equal(cmos[RTC_YEAR], 0);
    assert_int_equal(cmos[RTC_CENTURY], 20);
}

static unsigned int days_of(unsigned int year, unsigned int month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* Every day of the ten thousand years that four digits tell, and the one after the last. */
static void test_every_day(void **state)
{
    uint8_t cmos[RTC_CMOS_BYTES] = {[RTC_REG_B] = RTC_B_24H | RTC_B_DM};
    unsigned int year = 1970, month = 1, day = 1, weekday = 5;

    (void)state;
    rtc_calendar_set(cmos, 0);
    for (unsigned int i = 0; i <= 3652425; i++) {
        if (cmos[RTC_CENTURY] != year / 100 || cmos[RTC_YEAR] != year % 100 || cmos[RTC_MONTH] != month ||
            cmos[RTC_DAY] != day || cmos[RTC_WEEKDAY] != weekday)
            fail_msg("%u-%u-%u is told as %u%02u-%u-%u", year, month, day, cmos[RTC_CENTURY], cmos[RTC_YEAR],
                     cmos[RTC_MONTH], cmos[RTC_DAY]);
        rtc_calendar_advance(cmos, 86400);
        weekday = weekday % 7 + 1;
        if (++day > days_of(year, month)) {
            day = 1;
            year = month == 12 ? (year + 1) % 10000 : year;
            month = month % 12 + 1;
        }
    }
    assert_int_equal(cmos[RTC_HOURS] | cmos[RTC_MINUTES] | cmos[RTC_SECONDS], 0);
}

/* Every second of a day, in the four formats: what is shown after it is what the next one is set to. */
static void test_every_second(void **state)
{
    (void)state;
    for (unsigned int mode = 0; mode < 8; mode += 2) {
        uint8_t run[RTC_CMOS_BYTES] = {0}, set[RTC_CMOS_BYTES] = {0};

        run[RTC_REG_B] = set[RTC_REG_B] = (uint8_t)mode;
        rtc_calendar_set(run, 951782400); /* 2000-02-29 */
        for (uint64_t second = 1; second <= 86400; second++) {
            rtc_calendar_advance(run, 1);
            rtc_calendar_set(set, 951782400 + second);
            assert_memory_equal(run, set, sizeof run);
            check_against_libc(run, (time_t)(951782400 + second));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calendar_five_centuries),
        cmocka_unit_test(test_calendar_far),
        cmocka_unit_test(test_alarm_brute_force),
        cmocka_unit_test(test_no_month_and_no_day),
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_every_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
