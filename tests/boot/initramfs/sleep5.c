/* Times one `sleep 5` by two clocks. From an edge of the RTC's seconds it runs /bin/sleep, and goes on to a
 * later edge: RTC and TSC between the edges give the TSC's frequency as the RTC sees it, so the sleep can be
 * told in RTC time finer than a second. The argument is the TSC's frequency as the kernel sees it, in kHz.
 *
 * Prints "sleep5: rtc=5.00 tsc=5.00 ok", or "BAD" at the end if one of them is more than 1 % off.
 * Freestanding: any x86-64 compiler can build it, a C library or not. */
#include <stdbool.h>
#include <stdint.h>

#define SYS_WRITE     1
#define SYS_OPEN      2
#define SYS_IOCTL     16
#define SYS_NANOSLEEP 35
#define SYS_VFORK     58
#define SYS_EXECVE    59
#define SYS_EXIT      60
#define SYS_WAIT4     61
#define RTC_RD_TIME   0x80247009ul /* linux/rtc.h */

#define WANTED_MS    5000u
#define TOLERANCE_MS 50u
#define DAY_SECONDS  86400u

struct rtc_time {
    int sec, min, hour, mday, mon, year, wday, yday, isdst;
};

struct timespec {
    int64_t sec, nsec;
};

struct edge {
    uint64_t tsc;
    uint64_t seconds; /* of the day */
};

void run(const uint64_t *stack);

static long call(long number, long a, long b, long c, long d)
{
    long result;
    register long r10 __asm__("r10") = d;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

static uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static void print(const char *s)
{
    long n = 0;

    while (s[n] != '\0') {
        n++;
    }
    call(SYS_WRITE, 1, (long)s, n, 0);
}

/* Milliseconds as seconds with two decimals. */
static void print_seconds(uint64_t ms)
{
    char text[24];
    unsigned int at = sizeof(text) - 1;
    uint64_t hundredths = ms / 10;

    text[at] = '\0';
    for (unsigned int digit = 0; digit < 3 || hundredths != 0; digit++) {
        if (digit == 2) {
            text[--at] = '.';
        }
        text[--at] = (char)('0' + hundredths % 10);
        hundredths /= 10;
    }
    print(text + at);
}

static _Noreturn void leave(const char *complaint)
{
    if (complaint != (void *)0) {
        print(complaint);
    }
    call(SYS_EXIT, complaint != (void *)0, 0, 0, 0);
    for (;;) {
    }
}

static uint64_t seconds_of_day(long rtc)
{
    struct rtc_time t;

    if (call(SYS_IOCTL, rtc, (long)RTC_RD_TIME, (long)&t, 0) < 0) {
        leave("sleep5: BAD cannot read the RTC\n");
    }
    return (uint64_t)(t.hour * 3600 + t.min * 60 + t.sec);
}

static struct edge next_edge(long rtc)
{
    struct timespec pause = {0, 500000};
    uint64_t before = seconds_of_day(rtc);

    for (;;) {
        struct edge e = {rdtsc(), seconds_of_day(rtc)};

        if (e.seconds != before) {
            return e;
        }
        call(SYS_NANOSLEEP, (long)&pause, 0, 0, 0);
    }
}

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
        leave("sleep5: BAD cannot run /bin/sleep\n");
    }
}

static uint64_t number(const char *s)
{
    uint64_t value = 0;

    for (; *s >= '0' && *s <= '9'; s++) {
        value = value * 10 + (uint64_t)(*s - '0');
    }
    return value;
}

static bool about_right(uint64_t ms)
{
    return ms + TOLERANCE_MS >= WANTED_MS && ms <= WANTED_MS + TOLERANCE_MS;
}

/* The kernel's initial stack: argc, then argv. */
__attribute__((used)) void run(const uint64_t *stack)
{
    uint64_t khz = stack[0] > 1 ? number((const char *)stack[2]) : 0;
    long rtc = call(SYS_OPEN, (long)"/dev/rtc0", 0, 0, 0);

    if (rtc < 0 || khz == 0) {
        leave("sleep5: BAD no /dev/rtc0, or no frequency given\n");
    }

    struct edge first = next_edge(rtc);
    uint64_t start = rdtsc();

    sleep_5();

    uint64_t slept = rdtsc() - start;
    struct edge last = next_edge(rtc);
    uint64_t rtc_seconds = (last.seconds + DAY_SECONDS - first.seconds) % DAY_SECONDS;
    uint64_t rtc_ms = slept / ((last.tsc - first.tsc) / (rtc_seconds * 1000));
    uint64_t tsc_ms = slept / khz;

    print("sleep5: rtc=");
    print_seconds(rtc_ms);
    print(" tsc=");
    print_seconds(tsc_ms);
    print(about_right(rtc_ms) && about_right(tsc_ms) ? " ok\n" : " BAD\n");
    leave((void *)0);
}

__asm__(".globl _start\n"
        "_start:\n\t"
        "movq %rsp, %rdi\n\t"
        "andq $-16, %rsp\n\t"
        "call run\n\t"
        "hlt\n");
