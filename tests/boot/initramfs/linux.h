/* What the freestanding programs of the initramfs share: system calls, output, the RTC's seconds. Each
 * program has a function run(), which is given the kernel's initial stack (argc, then argv). */
#ifndef TESTS_BOOT_INITRAMFS_LINUX_H
#define TESTS_BOOT_INITRAMFS_LINUX_H

#include <stdbool.h>
#include <stdint.h>

#define SYS_READ          0
#define SYS_WRITE         1
#define SYS_OPEN          2
#define SYS_CLOSE         3
#define SYS_IOCTL         16
#define SYS_NANOSLEEP     35
#define SYS_VFORK         58
#define SYS_EXECVE        59
#define SYS_EXIT          60
#define SYS_WAIT4         61
#define SYS_CLOCK_GETTIME 228
#define RTC_RD_TIME       0x80247009ul /* linux/rtc.h */

#define DAY_SECONDS   86400u
#define POLL_NS       500000
#define COARSE_NS     20000000
#define EDGE_EARLY_NS 20000000 /* before an edge is looked for closely */

struct rtc_time {
    int sec, min, hour, mday, mon, year, wday, yday, isdst;
};

struct timespec {
    int64_t sec, nsec;
};

void run(const uint64_t *stack);

static inline long call(long number, long a, long b, long c, long d)
{
    long result;
    register long r10 __asm__("r10") = d;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline long length(const char *s)
{
    long n = 0;

    while (s[n] != '\0') {
        n++;
    }
    return n;
}

static inline void print(const char *s)
{
    call(SYS_WRITE, 1, (long)s, length(s), 0);
}

/* Milliseconds as seconds with two decimals. */
static inline void print_seconds(uint64_t ms)
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

/* Ends the program: status 1 after a complaint, 0 without. */
static inline _Noreturn void leave(const char *complaint)
{
    if (complaint != (void *)0) {
        print(complaint);
    }
    call(SYS_EXIT, complaint != (void *)0, 0, 0, 0);
    for (;;) {
    }
}

static inline void sleep_ns(int64_t ns)
{
    struct timespec pause = {ns / 1000000000, ns % 1000000000};

    call(SYS_NANOSLEEP, (long)&pause, 0, 0, 0);
}

static inline uint64_t number(const char *s)
{
    uint64_t value = 0;

    for (; *s >= '0' && *s <= '9'; s++) {
        value = value * 10 + (uint64_t)(*s - '0');
    }
    return value;
}

/* A negative number: there is none. */
static inline long rtc_open(void)
{
    return call(SYS_OPEN, (long)"/dev/rtc0", 0, 0, 0);
}

static inline uint64_t seconds_of_day(long rtc)
{
    struct rtc_time t;

    if (call(SYS_IOCTL, rtc, (long)RTC_RD_TIME, (long)&t, 0) < 0) {
        leave("BAD cannot read the RTC\n");
    }
    return (uint64_t)(t.hour * 3600 + t.min * 60 + t.sec);
}

/* Where the RTC went on to another second, and what another clock said just before it was seen to. */
struct edge {
    uint64_t clock;
    uint64_t seconds; /* of the day */
};

static inline struct edge next_edge(long rtc, uint64_t (*clock)(void))
{
    uint64_t before = seconds_of_day(rtc);

    for (;;) {
        struct edge e = {clock(), seconds_of_day(rtc)};

        if (e.seconds != before) {
            return e;
        }
        sleep_ns(POLL_NS);
    }
}

/* Waits until shortly before an edge: reading the RTC is dear. */
static inline void near_edge(long rtc)
{
    uint64_t second = seconds_of_day(rtc);

    while (seconds_of_day(rtc) == second) {
        sleep_ns(COARSE_NS);
    }
    sleep_ns(1000000000 - COARSE_NS - EDGE_EARLY_NS);
}

static inline uint64_t seconds_between(const struct edge *first, const struct edge *last)
{
    return (last->seconds + DAY_SECONDS - first->seconds) % DAY_SECONDS;
}

__asm__(".globl _start\n"
        "_start:\n\t"
        "movq %rsp, %rdi\n\t"
        "andq $-16, %rsp\n\t"
        "call run\n\t"
        "hlt\n");

#endif
