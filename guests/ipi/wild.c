#include "guests/ipi/ipi.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/print.h"
#include "guests/lib/traps.h"

#define PATIENCE_MS  200
#define VECTOR_DEAF  0x51
#define FIRST_VECTOR 32u /* below are exceptions, some with error codes, and the illegal ones */
#define VECTORS      256u
#define ILLEGAL      16u

static volatile bool is_wild;
static uint64_t seeds[SMP_MAX];

/* Marsaglia's xorshift, a state for each processor. */
static uint32_t random(unsigned int cpu)
{
    uint64_t x = seeds[cpu];

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    seeds[cpu] = x;
    return (uint32_t)(x >> 32);
}

static void on_any(struct trap_frame *frame)
{
    (void)frame;
    lapic_write(LAPIC_EOI, 0);
}

/* INIT and SIPI go to one of those that may be started, or to nobody. NMIs are left out: one that comes while
 * a processor starts, in real mode, has no handler. */
static void send_something(unsigned int cpu)
{
    uint32_t r = random(cpu), vector = r >> 24, dest = (r >> 16) & 0xF;
    uint32_t bits = r & (ICR_LOGICAL | ICR_OTHERS | 0xC000);

    if (vector < FIRST_VECTOR) {
        vector &= ILLEGAL - 1;
    }
    switch (r & 7) {
    case 0:
        smp_init(dest == 0 ? ABSENT : dest);
        break;
    case 1:
    case 2:
        smp_sipi(dest == 0 ? ABSENT : dest);
        break;
    case 3:
        smp_ipi(dest, ICR_LOWEST | bits | vector);
        break;
    default:
        smp_ipi(r & 0x100 ? 0xFF : dest, ICR_FIXED | bits | vector);
        break;
    }
}

void wild_join(unsigned int cpu)
{
    while (is_wild) {
        interrupts_on();
        send_something(cpu);
        if ((random(cpu) & 7) == 0) {
            wait_for_interrupt();
        }
        interrupts_off();
    }
}

static void start_all_again(void)
{
    for (unsigned int cpu = 1; cpu < cpus; cpu++) {
        unsigned int before = starts[cpu];

        smp_init(cpu);
        smp_sipi(cpu);
        smp_sipi(cpu);
        for (unsigned int ms = 0; ms < PATIENCE_MS && starts[cpu] == before; ms++) {
            settle();
        }
        report(starts[cpu] == before + 1, "after the disorder %u starts again, once", cpu);
    }
}

void wild(uint64_t ms)
{
    unsigned int others = (1u << cpus) - 2;
    uint64_t sent = 0;

    for (unsigned int v = FIRST_VECTOR; v < VECTORS; v++) {
        if (v != VECTOR) {
            traps_set((uint8_t)v, on_any);
        }
    }
    for (unsigned int cpu = 0; cpu < SMP_MAX; cpu++) {
        seeds[cpu] = 0x9E3779B97F4A7C15u * (cpu + 1);
    }
    is_wild = true;
    smp_ipi(0, ICR_OTHERS | VECTOR);
    for (uint64_t n = 0; n < ms; n++) {
        settle();
        for (unsigned int i = 0; i < 50; i++, sent++) {
            send_something(0);
        }
    }
    is_wild = false;
    settle();
    start_all_again();
    (void)taken(took, 0);
    (void)taken(nmis, 0);
    smp_ipi(0, ICR_OTHERS | VECTOR);
    report(taken(took, others) == others, "and all take calls");
    smp_ipi(0, ICR_OTHERS | ICR_NMI);
    report(taken(nmis, others) == others, "and NMIs");
    printf("ipi: %lu of all kinds sent by the first\n", sent);
}

static void turn_deaf(struct trap_frame *frame)
{
    (void)frame;
    for (;;) {
        cpu_relax();
    }
}

void deafen(void)
{
    traps_set(VECTOR_DEAF, turn_deaf);
    smp_ipi(0, ICR_OTHERS | VECTOR_DEAF);
    for (unsigned int ms = 0; ms < PATIENCE_MS; ms++) {
        smp_ipi(0, ICR_OTHERS | VECTOR);
        settle();
    }
    (void)taken(took, 0);
    smp_ipi(0, ICR_OTHERS | VECTOR);
    report(taken(took, 0) == 0, "the deaf ones answer no call");
}
