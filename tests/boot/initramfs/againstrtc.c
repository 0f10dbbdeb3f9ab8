/* Holds the kernel's clock, whatever clocksource it counts by, against the RTC over two seconds, from edge to
 * edge of the RTC's.
 *
 * Prints "rtc=2.00 clock=2.00 ok", or "BAD" at the end if the two are more than 10 ms apart. Freestanding. */
#include "tests/boot/initramfs/linux.h"

#define SECONDS      2
#define TOLERANCE_MS 10u

#define CLOCK_MONOTONIC 1

static uint64_t monotonic(void)
{
    struct timespec now;

    if (call(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC, (long)&now, 0, 0) < 0) {
        leave("BAD cannot read the clock\n");
    }
    return (uint64_t)now.sec * 1000000000u + (uint64_t)now.nsec;
}

__attribute__((used)) void run(const uint64_t *stack)
{
    long rtc = rtc_open();

    (void)stack;
    if (rtc < 0) {
        leave("BAD no /dev/rtc0\n");
    }

    near_edge(rtc);

    struct edge first = next_edge(rtc, monotonic);

    sleep_ns(SECONDS * 1000000000ll - EDGE_EARLY_NS);

    struct edge last = next_edge(rtc, monotonic);
    uint64_t rtc_ms = seconds_between(&first, &last) * 1000;
    uint64_t clock_ms = (last.clock - first.clock) / 1000000;
    uint64_t off = clock_ms > rtc_ms ? clock_ms - rtc_ms : rtc_ms - clock_ms;

    print("rtc=");
    print_seconds(rtc_ms);
    print(" clock=");
    print_seconds(clock_ms);
    print(off <= TOLERANCE_MS && rtc_ms == SECONDS * 1000 ? " ok\n" : " BAD\n");
    leave((void *)0);
}
