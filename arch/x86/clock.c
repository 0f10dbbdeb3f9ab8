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
#define PIT_2_LATCH      0x80
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

#define SPINS 64u  /* turns of 32 instructions: about a microsecond between two looks */
#define NEAR  512u /* the last part of a wait, one in so many, is watched closely */

static uint64_t hz;

/* TSC ticks that the reference's count took: not less and not more than these. */
struct measurement {
    uint64_t least, most;
};

struct reference {
    bool (*start)(uint64_t *before,
                  uint64_t *after); /* counting begins between these; false: it is not there */
    bool (*over)(void);
    uint64_t (*counted)(void); /* roughly, from 0 to count */
    void (*stop)(void);
    uint64_t count, slack, divisor;
};

/* QEMU's TCG leaves its translated code at each PAUSE and each look at the TSC; NOPs cost it nothing. */
void clock_spin_until(uint64_t tsc)
{
    do {
        unsigned int n = SPINS;

        __asm__ volatile("1: .nops 30,1\n\tdec %0\n\tjnz 1b" : "+r"(n) : : "cc");
    } while (rdtsc_ordered() < tsc);
}

/* Most of the wait goes by in plain instructions: half of what is left, again and again, until little is.
 * Returns the last reading at which it was not over. */
static uint64_t pass_most(const struct reference *r, uint64_t begun)
{
    uint64_t seen = begun;

    for (;;) {
        uint64_t now = rdtsc_ordered();
        uint64_t counted, left;

        if (now - begun > PATIENCE || r->over())
            return seen;
        seen = now;
        counted = r->counted();
        left = r->count - counted;
        if (left < r->count / NEAR)
            return seen;
        clock_spin_until(now + (counted < r->count / NEAR ? 0 : (now - begun) * left / counted / 2));
    }
}

/* False if the reference's count never ends. */
static bool measure_once(const struct reference *r, struct measurement *m)
{
    uint64_t s0, s1, e0, now;
    bool over;

    if (!r->start(&s0, &s1))
        return false;
    e0 = pass_most(r, s1); /* not over yet */
    now = rdtsc_ordered();
    do {
        uint64_t before = now;

        over = r->over();
        now = rdtsc_ordered();
        if (!over)
            e0 = before;
    } while (!over && now - s1 <= PATIENCE);
    r->stop();
    m->least = e0 - s1;
    m->most = now - s0;
    return over;
}

static uint8_t port61;

static bool pit_start(uint64_t *before, uint64_t *after)
{
    port61 = (uint8_t)(inb(PORT_61) & ~(GATE2 | SPEAKER) & 0x0f);
    outb(PORT_61, (uint8_t)(port61 | GATE2));
    outb(PIT_CONTROL, PIT_2_LOHI_MODE0);
    outb(PIT_COUNTER2, PIT_COUNT & 0xff);
    *before = rdtsc_ordered();
    outb(PIT_COUNTER2, PIT_COUNT >> 8); /* counting begins (QEMU's gate does not hold it back) */
    *after = rdtsc_ordered();
    return true;
}

static bool pit_over(void)
{
    return inb(PORT_61) & OUT2;
}

/* Down from the count; past 0 it goes on at FFFFh. */
static uint64_t pit_counted(void)
{
    uint32_t left;

    outb(PIT_CONTROL, PIT_2_LATCH);
    left = inb(PIT_COUNTER2);
    left |= (uint32_t)inb(PIT_COUNTER2) << 8;
    return left > PIT_COUNT ? PIT_COUNT : PIT_COUNT - left;
}

static void pit_stop(void)
{
    outb(PORT_61, port61);
}

static uint32_t pm_begin;

static bool pm_start(uint64_t *before, uint64_t *after)
{
    if (!acpi_pm_timer_port())
        return false;
    *before = rdtsc_ordered();
    pm_begin = inl(acpi_pm_timer_port());
    *after = rdtsc_ordered();
    return true;
}

static uint64_t pm_counted(void)
{
    uint32_t n = (inl(acpi_pm_timer_port()) - pm_begin) & PM_MASK;

    return n > PM_COUNT ? PM_COUNT : n;
}

static bool pm_over(void)
{
    return pm_counted() == PM_COUNT;
}

static void pm_stop(void)
{
}

static const struct reference references[] = {
    {pit_start, pit_over, pit_counted, pit_stop, PIT_COUNT, PIT_SLACK, PIT_DIVISOR},
    {pm_start, pm_over, pm_counted, pm_stop, PM_COUNT, PM_SLACK, PM_DIVISOR},
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

    if (!measure_once(r, m))
        return false;
    for (unsigned int i = 1; i < TRIES && !(agree > 1 && narrow(m)); i++) {
        struct measurement another;

        if (!measure_once(r, &another))
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
