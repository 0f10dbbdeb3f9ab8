/* One instruction that leaves the guest, and the way back. */
#include "guests/bench/bench.h"

#include "guests/lib/acpi.h"
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"

#define DIVIDE_BY_1      0xB
#define VECTOR_TIMER     0x60
#define ARM_COUNT        1000000 /* 1 ms at 1 GHz: before the end of the slice */
#define IOAPIC_INDEX     0xFEC00000
#define HPET_COUNTER     0x0F0
#define MSR_TSC          0x10
#define PM_TIMER_DEFAULT 0x608 /* where no ACPI table names one: a port that a VMM in user space answers */

static uint64_t samples[BENCH_MAX_TRIES];
static uint16_t pm_port;
static volatile uint32_t *hpet_counter;

static void nothing(void)
{
}

static void do_cpuid(void)
{
    (void)cpuid(0, 0);
}

static void pic_out(void)
{
    outb(0x21, 0xff);
}

static bool find_pm_timer(void)
{
    bool wide;

    pm_port = acpi_pm_timer(&wide);
    if (pm_port == 0) {
        pm_port = PM_TIMER_DEFAULT;
    }
    return true;
}

static void pm_timer(void)
{
    (void)inl(pm_port);
}

static bool find_hpet(void)
{
    hpet_counter = (volatile uint32_t *)(uintptr_t)(acpi_hpet() + HPET_COUNTER);
    return acpi_hpet() != 0;
}

static void hpet_read(void)
{
    (void)*hpet_counter;
}

static bool start_pit(void)
{
    pit_start(65536);
    return true;
}

static void pit_read(void)
{
    (void)inb(0x40);
}

static void port61(void)
{
    (void)inb(0x61);
}

/* One that would really come, but for RFLAGS.IF: each arming is nearer than the last. */
static bool unmask_lapic_timer(void)
{
    lapic_write(LAPIC_TIMER_DCR, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    return true;
}

static void lapic_arm(void)
{
    lapic_write(LAPIC_TIMER_ICR, ARM_COUNT);
}

/* Counts down for a while and disturbs nobody. */
static bool run_lapic_timer(void)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_TIMER_DCR, DIVIDE_BY_1);
    lapic_write(LAPIC_TIMER_ICR, UINT32_MAX);
    return true;
}

static void lapic_ccr(void)
{
    (void)lapic_read(LAPIC_TIMER_CCR);
}

static void ioapic_index(void)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC_INDEX = 1;
}

/* Back to where it came from, more or less: the clock of this one is the LAPIC timer. */
static void tsc_write(void)
{
    wrmsr(MSR_TSC, rdtsc() + 1);
}

static void do_rdtsc(void)
{
    (void)rdtsc();
}

static bool always(void)
{
    return true;
}

static const struct trip {
    const char *name;
    bool (*prepare)(void); /* false: the machine has no such thing */
    void (*run)(void);
    bool by_lapic; /* the LAPIC timer is its clock, not the TSC */
} trips[] = {
    {"cpuid", always, do_cpuid, false},
    {"pic-out", always, pic_out, false},
    {"pm-timer", find_pm_timer, pm_timer, false},
    {"hpet-read", find_hpet, hpet_read, false},
    {"pit-read", start_pit, pit_read, false},
    {"port61", always, port61, false},
    {"lapic-arm", unmask_lapic_timer, lapic_arm, false},
    {"lapic-ccr", run_lapic_timer, lapic_ccr, false},
    {"ioapic", always, ioapic_index, false},
    {"rdtsc", always, do_rdtsc, false},
    {"tsc-write", run_lapic_timer, tsc_write, true},
};

static void sample_tsc(void (*run)(void), unsigned int tries)
{
    for (unsigned int i = 0; i < tries; i++) {
        uint64_t start = rdtsc();

        MARK(MARK_BEGIN);
        run();
        MARK(MARK_END);
        samples[i] = rdtsc() - start;
    }
}

/* It counts down at the TSC's rate here (divider 1, 1 GHz under QEMU: see docs/performance.md). */
static void sample_lapic(void (*run)(void), unsigned int tries)
{
    for (unsigned int i = 0; i < tries; i++) {
        uint32_t start = lapic_read(LAPIC_TIMER_CCR);

        MARK(MARK_BEGIN);
        run();
        MARK(MARK_END);
        samples[i] = start - lapic_read(LAPIC_TIMER_CCR);
    }
}

static void measure(const struct trip *trip, const struct bench_run *run)
{
    void (*const sample)(void (*)(void), unsigned int) = trip->by_lapic ? sample_lapic : sample_tsc;
    uint64_t base;

    if (!trip->prepare()) {
        printf("bench: %s absent\n", trip->name);
        return;
    }
    sample(nothing, run->tries);
    MARK(MARK_FORGET);
    base = bench_median(samples, run->tries);
    sample(trip->run, run->tries);
    bench_result(trip->name, samples, run->tries, base);
}

void bench_trips(const struct bench_run *run)
{
    pic_init();
    pic_mask_all();
    lapic_init();
    for (unsigned int i = 0; i < sizeof(trips) / sizeof(trips[0]); i++) {
        if (bench_wanted(run, trips[i].name)) {
            measure(&trips[i], run);
        }
    }
    pit_stop();
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
}
