/* How fast real time runs. */
#include "arch/x86/clock.h"

#include "arch/x86/cpu.h"
#include "kernel/panic.h"

/* Counter 2 of the 8254 behind port 61h (Intel 8254 data sheet, 231164; NMI status and control register of
 * the 82371). */
#define PIT_COUNTER2     0x42
#define PIT_CONTROL      0x43
#define PIT_2_LOHI_MODE0 0xb0
#define PORT_61          0x61
#define GATE2            (1u << 0)
#define SPEAKER          (1u << 1)
#define OUT2             (1u << 5)

/* The PIT's input clock is 14318180/12 Hz. */
#define PIT_HZ_NUM 14318180ull
#define PIT_HZ_DEN 12ull

#define COUNT 60000u /* 50.3 ms */
/* The counter takes GATE at a clock's edge, OUT leaves at another, and Bochs works in microseconds: 1.2
 * clocks each. */
#define SLACK    3u
#define TRIES    6
#define GOOD_PPM 200u
/* A second at 10 GHz, and much longer than 50 ms at any speed there is. */
#define PATIENCE 10000000000ull

static uint64_t hz;

struct measurement {
    uint64_t least, most; /* TSC ticks that COUNT clocks took */
};

/* False if OUT never rose. */
static bool measure(struct measurement *m)
{
    uint8_t port61 = (uint8_t)(inb(PORT_61) & ~(GATE2 | SPEAKER) & 0x0f);
    uint64_t s0, s1, e0, e1;

    outb(PORT_61, (uint8_t)(port61 | GATE2));
    outb(PIT_CONTROL, PIT_2_LOHI_MODE0);
    outb(PIT_COUNTER2, COUNT & 0xff);
    s0 = rdtsc_ordered();
    outb(PIT_COUNTER2, COUNT >> 8); /* counting begins (QEMU's gate does not hold it back) */
    s1 = e1 = rdtsc_ordered();
    do {
        e0 = e1;
        if (e0 - s1 > PATIENCE)
            return false;
        bool risen = inb(PORT_61) & OUT2;
        e1 = rdtsc_ordered();
        if (risen)
            break;
    } while (true);
    outb(PORT_61, port61);
    m->least = e0 - s1;
    m->most = e1 - s0;
    return true;
}

uint64_t clock_roundest(uint64_t lo, uint64_t hi)
{
    for (uint64_t step = 10000000000000000000ull; step > 1; step /= 10) {
        uint64_t candidate = (lo / step + (lo % step != 0)) * step;

        /* The product may wrap for absurdly large lo: then it is below lo. */
        if (candidate >= lo && candidate <= hi && candidate != 0)
            return candidate;
    }
    return lo;
}

static bool overlap(const struct measurement *a, const struct measurement *b)
{
    return a->least <= b->most && b->least <= a->most;
}

/* What two measurements agree on. */
static struct measurement common(const struct measurement *a, const struct measurement *b)
{
    return (struct measurement){
        .least = a->least > b->least ? a->least : b->least,
        .most = a->most < b->most ? a->most : b->most,
    };
}

/* An SMI or an emulator's hiccup makes a measurement wide, a clock that was corrected meanwhile makes it
 * wrong: two must be narrow and agree. On a machine that never gives such a pair the last one has to do. */
static struct measurement measure_twice(void)
{
    struct measurement m = {0, 0};
    struct measurement previous = {.least = UINT64_MAX}; /* agrees with nothing */

    for (unsigned int i = 0; i < TRIES; i++) {
        if (!measure(&m))
            panic("the PIT's counter 2 does not count: the TSC cannot be measured on this machine");
        if ((m.most - m.least) * 1000000 / m.most >= GOOD_PPM)
            continue;
        if (overlap(&m, &previous))
            return common(&m, &previous);
        previous = m;
    }
    return m;
}

void clock_init(void)
{
    struct measurement m = measure_twice();

    hz = clock_roundest(m.least * PIT_HZ_NUM / (PIT_HZ_DEN * (COUNT + SLACK)),
                        m.most * PIT_HZ_NUM / (PIT_HZ_DEN * (COUNT - SLACK)));
}

uint64_t clock_hz(void)
{
    return hz;
}

bool clock_is_invariant(void)
{
    if (cpuid(0x80000000, 0).eax < 0x80000007)
        return false;
    return cpuid(0x80000007, 0).edx & CPUID_APM_EDX_INVARIANT_TSC;
}
