/* Puts the kernel on each of its clock sources in turn and holds the time that it then tells against the TSC
 * over a tenth of a second, or over SECONDS for each. Arguments: the TSC's frequency as the kernel sees it,
 * in kHz; SECONDS.
 *
 * Prints for each "clocks: NAME +0 ppm of the TSC, within 12 ppm ok": how far off it is, and how sure that
 * is; "BAD" at the end if it is surely more than 500 ppm off, or cannot be chosen. */
#include "tests/boot/initramfs/linux.h"

#define FOLDER              "/sys/devices/system/clocksource/clocksource0/"
#define CLOCK_MONOTONIC_RAW 4
#define O_WRONLY            1
#define SPAN_NS             100000000
#define TRIES               16
#define TOLERANCE_PPM       500
#define PPM                 1000000
#define NS                  1000000000

/* The kernel's clock at some moment of [tsc, tsc + width]. */
struct reading {
    uint64_t tsc, width;
    int64_t ns;
};

static long file(const char *name, long flags, long op, char *text, long length)
{
    long fd = call(SYS_OPEN, (long)name, flags, 0, 0);
    long n = fd < 0 ? fd : call(op, fd, (long)text, length, 0);

    if (fd >= 0) {
        call(SYS_CLOSE, fd, 0, 0, 0);
    }
    return n;
}

/* The first word of a text, made a string: where the next one begins. */
static char *cut(char *text)
{
    while (*text != ' ' && *text != '\n' && *text != '\0') {
        text++;
    }
    while (*text == ' ' || *text == '\n') {
        *text++ = '\0';
    }
    return text;
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

static bool choose(char *name)
{
    char now[64] = {0};

    return file(FOLDER "current_clocksource", O_WRONLY, SYS_WRITE, name, length(name)) > 0 &&
           file(FOLDER "current_clocksource", 0, SYS_READ, now, sizeof(now) - 1) > 0 && cut(now) &&
           same(now, name);
}

static struct reading read_once(void)
{
    struct timespec t;
    struct reading r = {.tsc = rdtsc()};

    call(SYS_CLOCK_GETTIME, CLOCK_MONOTONIC_RAW, (long)&t, 0, 0);
    r.width = rdtsc() - r.tsc;
    r.ns = t.sec * NS + t.nsec;
    return r;
}

/* The closest of a few. */
static struct reading read_clock(void)
{
    struct reading best = read_once();

    for (unsigned int i = 1; i < TRIES; i++) {
        struct reading r = read_once();

        if (r.width < best.width) {
            best = r;
        }
    }
    return best;
}

static void print_number(int64_t n)
{
    char text[24];
    unsigned int at = sizeof(text) - 1;
    uint64_t rest = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;

    text[at] = '\0';
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    print(text + at);
}

static void compare(char *name, int64_t khz, int64_t span_ns)
{
    print("clocks: ");
    print(name);
    if (!choose(name)) {
        print(" BAD cannot be chosen\n");
        return;
    }

    struct reading first = read_clock();

    sleep_ns(span_ns);

    struct reading last = read_clock();
    int64_t tsc = (int64_t)(last.tsc - first.tsc), told = (last.ns - first.ns) * khz / PPM;
    int64_t off = (told - tsc) * PPM / tsc, unsure = (int64_t)(first.width + last.width) * PPM / tsc;

    print(off < 0 ? " -" : " +");
    print_number(off);
    print(" ppm of the TSC, within ");
    print_number(unsure);
    print((off < 0 ? -off : off) > unsure + TOLERANCE_PPM ? " ppm BAD\n" : " ppm ok\n");
}

__attribute__((used)) void run(const uint64_t *stack)
{
    char all[256] = {0}, before[64] = {0};
    int64_t khz = stack[0] > 1 ? (int64_t)number((const char *)stack[2]) : 0;
    int64_t span_ns = stack[0] > 2 ? (int64_t)number((const char *)stack[3]) * NS : SPAN_NS;

    if (khz == 0 || file(FOLDER "available_clocksource", 0, SYS_READ, all, sizeof(all) - 1) <= 0 ||
        file(FOLDER "current_clocksource", 0, SYS_READ, before, sizeof(before) - 1) <= 0) {
        leave("clocks: BAD no clock sources, or no frequency given\n");
    }
    for (char *name = all, *next; *name != '\0'; name = next) {
        next = cut(name);
        compare(name, khz, span_ns);
    }
    cut(before);
    if (!choose(before)) {
        leave("clocks: BAD cannot go back\n");
    }
    leave((void *)0);
}
