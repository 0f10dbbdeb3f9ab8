/* How fast real time runs. */
#include "arch/x86/clock.h"

#include <stddef.h>

#include "arch/x86/acpi.h"
#include "arch/x86/cpu.h"
#include "kernel/panic.h"
#include "kernel/round.h"

/* Counter 2 of the 8254 behind port 61h (Intel 8254 data sheet, 231164; NMI status and control register of
 * the 82371). */
#define PIT_COUNTER2     0x42
#define PIT_CONTROL      0x43
#define PIT_2_LOHI_MODE0 0xb0
#define PORT_61          0x61
#define GATE2            (1u << 0)
#define SPEAKER          (1u << 1)
#define OUT2             (1u << 5)

/* The PC's one oscillator: the PIT counts a twelfth of it, the PM timer a quarter (ACPI 4.8.3.3). */
#define OSCILLATOR_HZ 14318180ull
#define PIT_DIVISOR   12u
#define PM_DIVISOR    4u
#define PIT_COUNT     60000u    /* 50.3 ms */
#define PM_COUNT      180000u   /* the same */
#define PM_MASK       0xffffffu /* every PM timer has 24 bits */

/* OUT rises at the clock's edge that is COUNT + 1 after the write (mode 0), or COUNT after in QEMU; and Bochs
 * works in microseconds, 1.2 clocks of the PIT and 3.6 of the PM timer, at both ends. */
#define PIT_SLACK 3u
#define PM_SLACK  9u

#define TRIES    8
#define GOOD_PPM 200u
/* A second at 10 GHz, and much longer than 50 ms at any speed there is. */
#define PATIENCE 10000000000ull

static uint64_t hz;

/* TSC ticks that the reference's count took: not less and not more than these. */
struct measurement {
    uint64_t least, most;
};

/* Waits until done() is true, which it became between the last two readings; begun: between s0 and s1. False
 * if it never gets true. */
static bool wait_between(struct measurement *m, uint64_t s0, uint64_t s1, bool (*done)(void))
{
    uint64_t e1 = s1;
    uint64_t e0;
    bool over;

    do {
        e0 = e1;
        if (e0 - s1 > PATIENCE)
            return false;
        over = done();
        e1 = rdtsc_ordered();
    } while (!over);
    m->least = e0 - s1;
    m->most = e1 - s0;
    return true;
}

static bool pit_done(void)
{
    return inb(PORT_61) & OUT2;
}

static bool measure_pit(struct measurement *m)
{
    uint8_t port61 = (uint8_t)(inb(PORT_61) & ~(GATE2 | SPEAKER) & 0x0f);
    uint64_t s0, s1;
    bool counted;

    outb(PORT_61, (uint8_t)(port61 | GATE2));
    outb(PIT_CONTROL, PIT_2_LOHI_MODE0);
    outb(PIT_COUNTER2, PIT_COUNT & 0xff);
    s0 = rdtsc_ordered();
    outb(PIT_COUNTER2, PIT_COUNT >> 8); /* counting begins (QEMU's gate does not hold it back) */
    s1 = rdtsc_ordered();
    counted = wait_between(m, s0, s1, pit_done);
    outb(PORT_61, port61);
    return counted;
}

static uint32_t pm_start;

static bool pm_done(void)
{
    return ((inl(acpi_pm_timer_port()) - pm_start) & PM_MASK) >= PM_COUNT;
}

static bool measure_pm(struct measurement *m)
{
    uint64_t s0, s1;

    if (!acpi_pm_timer_port())
        return false;
    s0 = rdtsc_ordered();
    pm_start = inl(acpi_pm_timer_port());
    s1 = rdtsc_ordered();
    return wait_between(m, s0, s1, pm_done);
}

static const struct reference {
    bool (*measure)(struct measurement *m);
    uint64_t count, slack, divisor;
} references[] = {
    {measure_pit, PIT_COUNT, PIT_SLACK, PIT_DIVISOR},
    {measure_pm, PM_COUNT, PM_SLACK, PM_DIVISOR},
};

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

static bool narrow(const struct measurement *m)
{
    return (m->most - m->least) * 1000000 / m->most < GOOD_PPM;
}

/* An SMI or an emulator's hiccup makes a measurement wide: others narrow it down. A clock that was corrected
 * meanwhile makes it wrong: at least two must agree. False: the reference does not count. */
static bool measure_again(const struct reference *r, struct measurement *m)
{
    unsigned int agree = 1;

    if (!r->measure(m))
        return false;
    for (unsigned int i = 1; i < TRIES && !(agree > 1 && narrow(m)); i++) {
        struct measurement another;

        if (!r->measure(&another))
            return false;
        if (overlap(m, &another)) {
            *m = common(m, &another);
            agree++;
        } else {
            *m = another;
            agree = 1;
        }
    }
    return true;
}

void clock_init(void)
{
    for (size_t i = 0; i < sizeof references / sizeof *references; i++) {
        const struct reference *r = &references[i];
        struct measurement m;

        if (!measure_again(r, &m))
            continue;
        hz = round_within(m.least * OSCILLATOR_HZ / (r->divisor * (r->count + r->slack)),
                          m.most * OSCILLATOR_HZ / (r->divisor * (r->count - r->slack)));
        return;
    }
    panic("neither the PIT's counter 2 nor an ACPI PM timer counts: the TSC cannot be measured");
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
