/* Words for what the machine and its VMs are set to; see describe.h. */
#include "kernel/describe.h"

#include "timers/rtc.h"
#include "timers/rtc_calendar.h"
#include "vmm/host.h"
#include "vmm/string.h"

#define NS_PER_SECOND 1000000000ull

const char *describe_ns(char out[DESCRIBE_TIME], uint64_t ns)
{
    static const struct {
        uint64_t ns;
        const char *name;
    } units[] = {{NS_PER_SECOND, "s"}, {1000000, "ms"}, {1000, "us"}, {1, "ns"}};
    unsigned int i = 0;

    while (ns % units[i].ns != 0)
        i++;
    host_snprintf(out, DESCRIBE_TIME, "%llu%s", (unsigned long long)(ns / units[i].ns),
                  ns ? units[i].name : "");
    return out;
}

void describe_settings(char *out, size_t size, const struct vtime_settings *s, uint64_t maxrate)
{
    static const char *const hysts[] = {"5c", "rtc", "artp"};
    char catchup[48] = "adaptive", most[DESCRIBE_TIME] = "", k1[DESCRIBE_TIME], k2[DESCRIBE_TIME];
    char leap[DESCRIBE_TIME] = "off", progress[DESCRIBE_TIME];

    if (s->fixed && s->rate_q == 1)
        host_snprintf(catchup, sizeof catchup, "%llu", (unsigned long long)s->rate_p);
    else if (s->fixed)
        host_snprintf(catchup, sizeof catchup, "%llu/%llu", (unsigned long long)s->rate_p,
                      (unsigned long long)s->rate_q);
    if (maxrate)
        host_snprintf(most, sizeof most, " maxrate=%llu", (unsigned long long)maxrate);
    if (s->leap_ns != LEAP_OFF)
        describe_ns(leap, s->leap_ns);
    host_snprintf(out, size, "catchup=%s%s k1=%s k2=%s leap=%s progress=%s gap=%s hyst=%s%s", catchup, most,
                  describe_ns(k1, s->k1_ns), describe_ns(k2, s->k2_ns), leap,
                  describe_ns(progress, s->progress_ns), s->gap_jump ? "jump" : "smooth", hysts[s->hyst],
                  s->strict ? " time=strict" : "");
}

void describe_brand(char out[DESCRIBE_BRAND])
{
    uint32_t r[4];
    size_t blanks = 0;

    memset(out, 0, DESCRIBE_BRAND);
    host_cpuid(0x80000000, 0, r);
    for (uint32_t leaf = 2; leaf <= 4 && r[0] >= 0x80000004; leaf++) {
        host_cpuid(0x80000000 + leaf, 0, r);
        memcpy(out + (leaf - 2) * 16, r, 16);
        r[0] = UINT32_MAX;
    }
    while (out[blanks] == ' ') /* some are flush right */
        blanks++;
    memmove(out, out + blanks, DESCRIBE_BRAND - blanks);
}

void describe_date(char out[DESCRIBE_TIME], uint64_t seconds)
{
    uint8_t cmos[RTC_CMOS_BYTES] = {[RTC_REG_B] =
                                        RTC_B_24H}; /* and BCD: its hexadecimal digits are decimal */

    rtc_calendar_set(cmos, seconds);
    host_snprintf(out, DESCRIBE_TIME, "%02x%02x-%02x-%02x %02x:%02x:%02x", cmos[RTC_CENTURY], cmos[RTC_YEAR],
                  cmos[RTC_MONTH], cmos[RTC_DAY], cmos[RTC_HOURS], cmos[RTC_MINUTES], cmos[RTC_SECONDS]);
}
