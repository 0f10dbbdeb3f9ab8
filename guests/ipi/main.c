/* Interprocessor interrupts in every delivery mode, shorthand and kind of destination, by the register page
 * and, where CPUID offers it, as x2APIC; INIT and SIPI to processors that run, wait or are not there; NMIs
 * that cross; a storm. Words: cross=N (pairs of NMIs, default 300); storm=N (interrupts to itself, default
 * 2000); wild=N (disorder for N milliseconds, default none); last=init|triple|deaf: how it ends, with INIT to
 * the processor that booted, a triple fault of another, or the others deaf to all calls. Needs three
 * processors. */
#include "guests/ipi/ipi.h"
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define PATIENCE_MS      200
#define VECTOR_NMI       2
#define MSR_APIC_BASE    0x1B
#define APIC_BASE_X2     (3u << 10)
#define MSR_X2_ID        0x802
#define MSR_X2_EOI       0x80B
#define MSR_X2_ICR       0x830
#define MSR_X2_SELF      0x83F
#define ECX_X2APIC       (1u << 21)
#define ALL_IDS          0xFFFFFFFFu
#define ESR_SEND_ILLEGAL 0x20u
#define CMOS_MARK        0x40 /* CMOS RAM that no firmware uses; stays through a reset */
#define MARK             0xE6

volatile unsigned int took[SMP_MAX], nmis[SMP_MAX], starts[SMP_MAX];
unsigned int cpus;
static volatile bool x2, is_x2[SMP_MAX];
static uint64_t tsc_hz;

static unsigned int self(void)
{
    return cpuid(1, 0).ebx >> 24;
}

static void eoi(void)
{
    if (is_x2[self()]) {
        wrmsr(MSR_X2_EOI, 0);
    } else {
        lapic_write(LAPIC_EOI, 0);
    }
}

static void on_call(struct trap_frame *frame)
{
    (void)frame;
    took[self()]++;
    eoi();
}

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    nmis[self()]++;
}

static void go_over(unsigned int cpu)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_BASE_X2);
    is_x2[cpu] = true;
}

/* Sleeps between interrupts; goes over to x2APIC mode when all do. */
static void other(unsigned int cpu)
{
    lapic_init();
    lapic_write(LAPIC_LDR, 1u << (24 + cpu));
    starts[cpu]++;
    for (;;) {
        if (x2 && !is_x2[cpu]) {
            go_over(cpu);
        }
        wild_join(cpu);
        crossing_join(cpu);
        wait_for_interrupt();
        interrupts_off();
    }
}

static void send(uint32_t dest, uint32_t low)
{
    if (x2) {
        wrmsr(MSR_X2_ICR, (uint64_t)dest << 32 | low);
    } else {
        smp_ipi(dest, low);
    }
}

void settle(void)
{
    uint64_t end = rdtsc() + tsc_hz / 1000;

    interrupts_on();
    while (rdtsc() < end) {
        cpu_relax();
    }
    interrupts_off();
}

unsigned int taken(volatile unsigned int *counts, unsigned int wanted)
{
    static unsigned int seen_calls[SMP_MAX], seen_nmis[SMP_MAX];
    unsigned int *seen = counts == nmis ? seen_nmis : seen_calls, mask = 0;

    for (unsigned int n = 0; n == 0 || (n < PATIENCE_MS && (mask & wanted) != wanted); n++) {
        settle();
        for (unsigned int i = 0; i < cpus; i++) {
            mask |= (unsigned int)(counts[i] != seen[i]) << i;
            seen[i] = counts[i];
        }
    }
    return mask;
}

static void expect(const char *what, uint32_t dest, uint32_t low, unsigned int mask)
{
    send(dest, low | VECTOR);
    unsigned int got = taken(took, mask);

    report(got == mask, "%s%s (%x)", x2 ? "x2APIC: " : "", what, got);
}

static void every_mode(void)
{
    unsigned int all = (1u << cpus) - 1, broadcast = x2 ? ALL_IDS : 0xFF;

    expect("fixed, by id", 1, ICR_FIXED, 2);
    expect("fixed, to an absent id", ABSENT, ICR_FIXED, 0);
    expect("fixed, broadcast by id", broadcast, ICR_FIXED, all);
    expect("fixed, logical, two of them", 5, ICR_FIXED | ICR_LOGICAL, 5);
    expect("fixed, logical, nobody", 0, ICR_FIXED | ICR_LOGICAL, 0);
    expect("fixed, to self by shorthand", ABSENT, ICR_FIXED | ICR_SELF, 1);
    expect("fixed, to all", ABSENT, ICR_FIXED | ICR_ALL, all);
    expect("fixed, to the others", ABSENT, ICR_FIXED | ICR_OTHERS, all & ~1u);
    expect("lowest priority, logical: one of them, the first", 6, ICR_LOWEST | ICR_LOGICAL, 2);
    expect("SMI does nothing", broadcast, ICR_SMI, 0);
    expect("a reserved mode does nothing", broadcast, 0x300, 0);
    expect("ExtINT does nothing", broadcast, 0x700, 0);
    expect("SIPI to those that run does nothing", 0, ICR_SIPI | ICR_OTHERS, 0);
    expect("the other level of INIT does nothing", 0, ICR_INIT | 0x8000 | ICR_OTHERS, 0);
    expect("and they still take calls", 0, ICR_FIXED | ICR_OTHERS, all & ~1u);
    send(2, ICR_NMI);
    report(taken(nmis, 4) == 4, "NMI, by id");
    send(0, ICR_NMI | ICR_OTHERS);
    report(taken(nmis, all & ~1u) == (all & ~1u), "NMI, to the others");
}

static void errors(void)
{
    lapic_write(LAPIC_ESR, 0);
    lapic_write(LAPIC_ESR, 0);
    smp_ipi(1, ICR_FIXED | 5);
    lapic_write(LAPIC_ESR, 0);
    report(lapic_read(LAPIC_ESR) == ESR_SEND_ILLEGAL, "an illegal vector is an error");
    smp_ipi(ABSENT, ICR_FIXED | VECTOR);
    lapic_write(LAPIC_ESR, 0);
    report(lapic_read(LAPIC_ESR) == 0, "an absent target is none");
    report((lapic_read(LAPIC_ICR_LOW) & 0x1000) == 0, "the delivery status is idle");
}

static void starting_again(void)
{
    unsigned int before = starts[1];

    smp_init(1);
    settle();
    smp_ipi(1, ICR_FIXED | VECTOR);
    report((taken(took, 0) & 2) == 0, "after INIT it takes nothing");
    smp_sipi(1);
    smp_sipi(1);
    for (unsigned int n = 0; n == 0 || (n < PATIENCE_MS && starts[1] == before); n++) {
        settle();
    }
    report(starts[1] == before + 1, "after SIPI it starts again, once");
    smp_ipi(1, ICR_FIXED | VECTOR);
    report(taken(took, 2) == 2, "and takes calls");
    smp_init(ABSENT);
    smp_sipi(ABSENT);
    settle();
    report(starts[1] == before + 1, "INIT and SIPI to an absent one do nothing");
}

static void storm(uint64_t n)
{
    unsigned int before = took[0], others = took[1];

    interrupts_on();
    for (uint64_t i = 0; i < n; i++) {
        send(0, ICR_FIXED | ICR_ALL | VECTOR);
    }
    for (unsigned int ms = 0; ms == 0 || (ms < PATIENCE_MS && took[1] == others); ms++) {
        settle();
    }
    report(took[0] - before == n, "a storm of %lu to itself: each is taken", n);
    report(took[1] != others, "and the others take theirs, merged (%u)", took[1] - others);
    (void)taken(took, (1u << cpus) - 1);
}

static void x2apic(void)
{
    if (!(cpuid(1, 0).ecx & ECX_X2APIC)) {
        return;
    }
    x2 = true;
    smp_ipi(0, ICR_OTHERS | VECTOR);
    (void)taken(took, (1u << cpus) - 2);
    go_over(0);
    report(rdmsr(MSR_X2_ID) == 0, "x2APIC: the id is an MSR");
    report(!wrmsr_safe(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) & ~(uint64_t)(1u << 10)),
           "x2APIC: no way straight back");
    every_mode();
    wrmsr(MSR_X2_SELF, VECTOR);
    report(taken(took, 1) == 1, "x2APIC: self-IPI");
}

static void fault(struct trap_frame *frame)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};

    (void)frame;
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}

/* Does not come back, if what has been sent does its work before long. */
static void outlive(void)
{
    for (unsigned int ms = 0; ms < PATIENCE_MS; ms++) {
        settle();
    }
}

static void finish(const char *words)
{
    if (word_is(words, "last", "init")) {
        printf("ipi: INIT to the first\n");
        rtc_write(CMOS_MARK, MARK);
        send(0, ICR_INIT | ICR_ASSERT);
        outlive();
        printf("ipi: FAIL still here\n");
    }
    if (word_is(words, "last", "deaf")) {
        deafen();
    }
    if (word_is(words, "last", "triple")) {
        printf("ipi: the last one faults\n");
        traps_set(VECTOR, fault);
        send(cpus - 1, ICR_FIXED | VECTOR);
        outlive();
        printf("ipi: FAIL still here\n");
    }
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"storm", "cross", "wild", "last", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    uint64_t n = word_number(words, "storm", 2000, &bad);
    uint64_t rounds = word_number(words, "cross", 300, &bad);
    uint64_t wild_ms = word_number(words, "wild", 0, &bad);

    if (bad) {
        printf("ipi: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    if (rtc_read(CMOS_MARK) == MARK) {
        printf("ipi: after the reset\n");
        return EXIT_OK;
    }
    pic_init();
    pic_mask_all();
    lapic_init();
    lapic_write(LAPIC_LDR, 1u << 24);
    interrupts_off();
    tsc_hz = calibrate().tsc_hz;
    pit_stop();
    traps_set(VECTOR, on_call);
    traps_set(VECTOR_NMI, on_nmi);
    cpus = smp_count();
    report(cpus >= 3 && smp_start(other) + 1 == cpus, "%u processors have started", cpus);
    settle();
    every_mode();
    errors();
    starting_again();
    crossing(rounds);
    storm(n);
    if (wild_ms > 0) {
        wild(wild_ms);
    }
    x2apic();
    finish(words);
    return report_summary();
}
