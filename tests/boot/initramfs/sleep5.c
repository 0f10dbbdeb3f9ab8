/* Times one `sleep 5` by two clocks. From an edge of the RTC's seconds it runs /bin/sleep, and goes on to a
 * later edge: RTC and TSC between the edges give the TSC's frequency as the RTC sees it, so the sleep can be
 * told in RTC time finer than a second. The argument is the TSC's frequency as the kernel sees it, in kHz.
 *
 * Prints "sleep5: rtc=5.00 tsc=5.00 ok", or "BAD" at the end if one of them is more than 1 % off.
 * Freestanding: any x86-64 compiler can build it, a C library or not. */
#include "tests/boot/initramfs/linux.h"

#define WANTED_MS    5000u
#define TOLERANCE_MS 50u

static void sleep_5(void)
{
    static const char *const words[] = {"/bin/sleep", "5", (void *)0};
    long child = call(SYS_VFORK, 0, 0, 0, 0);

    if (child == 0) {
        call(SYS_EXECVE, (long)words[0], (long)words, 0, 0);
        call(SYS_EXIT, 1, 0, 0, 0);
    }
    int status = 0;

    call(SYS_WAIT4, child, (long)&status, 0, 0);
    if (status != 0) {
        leave("BAD cannot run /bin/sleep\n");
    }
}

static bool about_right(uint64_t ms)
{
    return ms + TOLERANCE_MS >= WANTED_MS && ms <= WANTED_MS + TOLERANCE_MS;
}

__attribute__((used)) void run(const uint64_t *stack)
{
    uint64_t khz = stack[0] > 1 ? number((const char *)stack[2]) : 0;
    long rtc = rtc_open();

    print("sleep5: ");
    if (rtc < 0 || khz == 0) {
        leave("BAD no /dev/rtc0, or no frequency given\n");
    }

    near_edge(rtc);

    struct edge first = next_edge(rtc, rdtsc);
    uint64_t start = rdtsc();

    sleep_5();

    uint64_t slept = rdtsc() - start;

    near_edge(rtc);

    struct edge last = next_edge(rtc, rdtsc);
    uint64_t rtc_ms = slept / ((last.clock - first.clock) / (seconds_between(&first, &last) * 1000));
    uint64_t tsc_ms = slept / khz;

    print("rtc=");
    print_seconds(rtc_ms);
    print(" tsc=");
    print_seconds(tsc_ms);
    print(about_right(rtc_ms) && about_right(tsc_ms) ? " ok\n" : " BAD\n");
    leave((void *)0);
}
