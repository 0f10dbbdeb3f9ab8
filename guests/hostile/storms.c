/* Ports, registers, MSRs, CPUID leaves, hypercalls at random, for `seconds`. */
#include "guests/hostile/hostile.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/print.h"
#include "guests/lib/traps.h"

#define IOAPIC 0xFEC00000u
#define HPET   0xFED00000u

static uint64_t state;

/* Marsaglia's xorshift64*. */
static uint64_t next(void)
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1Du;
}

/* Left alone: what ends or resets the machine (ports.c), and the console. */
static bool is_spared(uint16_t port)
{
    return (port >= 0x61 && port <= 0x64) || (port >= 0x8F && port <= 0x92) ||
           (port >= 0xF1 && port <= 0xF7) || (port >= 0x3F5 && port <= 0x3FF) ||
           (port >= 0xCF6 && port <= 0xCF9) || (port >= 0x5FD && port <= 0x608);
}

static void port_storm(void)
{
    uint64_t r = next();
    /* half of them where devices are */
    uint16_t port = (uint16_t)(r & 1 ? r >> 16 : r >> 16 & 0x7FF);

    if (is_spared(port)) {
        return;
    }
    switch (r >> 1 & 7) {
    case 0:
        outb(port, (uint8_t)(r >> 32));
        break;
    case 1:
        outw(port, (uint16_t)(r >> 32));
        break;
    case 2:
        outl(port, (uint32_t)(r >> 32));
        break;
    case 3:
        (void)inw(port);
        break;
    case 4:
        (void)inl(port);
        break;
    default:
        (void)inb(port);
        break;
    }
}

/* Any width, any alignment, in each device's page and where nothing is. */
static void mmio_storm(void)
{
    static const uint32_t pages[] = {LAPIC_BASE, IOAPIC, HPET, 0xB0000000u, 0xFFFFD000u, 0xFEE01000u};
    uint64_t r = next();
    uintptr_t at =
        pages[(r >> 8) % (sizeof(pages) / sizeof(pages[0]))] + (r >> 16 & 0xFF8) + (r & 1 ? r >> 32 & 7 : 0);

    if ((at & 0xFFFFFF00u) == LAPIC_BASE + 0x300 && (at & 0xFF) < 0x14) {
        return; /* ICR: INIT to oneself, which is tried in edges.c */
    }
    switch (r >> 1 & 7) {
    case 0:
        *(volatile uint8_t *)at = (uint8_t)(r >> 40);
        break;
    case 1:
        *(volatile uint16_t *)at = (uint16_t)(r >> 40);
        break;
    case 2:
        *(volatile uint32_t *)at = (uint32_t)(r >> 32);
        break;
    case 3:
        *(volatile uint64_t *)at = next();
        break;
    case 4:
        (void)*(volatile uint8_t *)at;
        break;
    case 5:
        (void)*(volatile uint16_t *)at;
        break;
    case 6:
        (void)*(volatile uint32_t *)at;
        break;
    default:
        (void)*(volatile uint64_t *)at;
        break;
    }
}

/* Not EFER nor the APIC base: registers.c; nor KVM's clock, which would write over this program. */
static void msr_storm(void)
{
    uint64_t r = next(), value;
    uint32_t base = r & 1 ? 0 : r & 2 ? 0xC0000000u : r & 4 ? 0xC0010000u : (uint32_t)(r >> 32);
    uint32_t msr = base + (uint32_t)(r >> 16 & 0xFFF);

    if (msr == 0xC0000080u || msr == 0x1B || msr == 0x11 || msr == 0x12 || msr >> 8 == 0x4B564D) {
        return;
    }
    if (rdmsr_safe(msr, &value) && (r >> 8 & 3) == 0) {
        (void)wrmsr_safe(msr, next());
        (void)wrmsr_safe(msr, value);
    }
}

static void call_storm(void)
{
    uint64_t r = next(), rax = r >> 8 & 15, rbx = next();

    (void)cpuid((uint32_t)(r & 1 ? r >> 32 : (r >> 32 & 0x80000000u) | (r >> 40 & 0x1F)), (uint32_t)next());
    /* KVM's numbers; whatever is asked for, it is not there (vmm/dispatch.c). The processor's own of the two.
     */
    if (cpuid(0, 0).ebx == 0x756E6547) {
        __asm__ volatile("vmcall" : "+a"(rax) : "b"(rbx), "c"(next()), "d"(next()) : "memory");
    } else {
        __asm__ volatile("vmmcall" : "+a"(rax) : "b"(rbx), "c"(next()), "d"(next()) : "memory");
    }
}

static const struct storm {
    const char *name;
    void (*one)(void);
} storms[] = {{"ports", port_storm}, {"mmio", mmio_storm}, {"msrs", msr_storm}, {"calls", call_storm}};

#define STORMS (sizeof(storms) / sizeof(storms[0]))
#define ROUND  64u

int hostile_storms(const struct plan *plan)
{
    uint64_t counts[STORMS] = {0};
    uint64_t round = 0;

    interrupts_off();
    state = plan->seed * 0x9E3779B97F4A7C15u + 1;
    printf("hostile: storms seed=%lu\n", plan->seed);
    /* The TSC is not spared: rounds, not a clock, say when it is over. */
    for (; round < plan->seconds * 64; round++) {
        for (unsigned int s = 0; s < STORMS; s++) {
            for (unsigned int i = 0; i < ROUND; i++) {
                storms[s].one();
            }
            counts[s] += ROUND;
        }
    }
    for (unsigned int s = 0; s < STORMS; s++) {
        printf("hostile: storm %s %lu\n", storms[s].name, counts[s]);
    }
    return (int)plan->exit;
}
