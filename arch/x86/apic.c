/* The local APIC (SDM vol. 3, chapter 11). */
#include "arch/x86/apic.h"

#include <stddef.h>

#include "arch/x86/cpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "arch/x86/traps.h"
#include "arch/x86/clock.h"
#include "kernel/panic.h"
#include "kernel/round.h"

/* Registers by their xAPIC offset (table 11-1). */
enum apic_register {
    LAPIC_ID = 0x20,
    LAPIC_VERSION = 0x30,
    LAPIC_TPR = 0x80,
    LAPIC_EOI = 0xb0,
    LAPIC_SVR = 0xf0,
    LAPIC_ESR = 0x280,
    LAPIC_ICR_LOW = 0x300,
    LAPIC_ICR_HIGH = 0x310,
    LAPIC_LVT_TIMER = 0x320,
    LAPIC_LVT_THERMAL = 0x330,
    LAPIC_LVT_PMC = 0x340,
    LAPIC_LVT_LINT0 = 0x350,
    LAPIC_LVT_LINT1 = 0x360,
    LAPIC_LVT_ERROR = 0x370,
    LAPIC_TIMER_INITIAL = 0x380,
    LAPIC_TIMER_CURRENT = 0x390,
    LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define VERSION_MAX_LVT_SHIFT 16
#define SVR_ENABLE            (1u << 8)
#define LVT_NMI               (4u << 8)
#define LVT_EXTINT            (7u << 8)
#define LVT_MASKED            (1u << 16)
#define LVT_TIMER_DEADLINE    (2u << 17)
#define DIVIDE_BY_1           0xbu
#define ICR_PENDING           (1u << 12)
#define ICR_ASSERT            (1u << 14)
#define ICR_NMI               (4u << 8)
#define ICR_INIT              (5u << 8)
#define ICR_STARTUP           (6u << 8)
#define XAPIC_ID_SHIFT        24

#define CALIBRATION_DIVISOR 50 /* of a second: 20 ms */
#define TRIES               8
#define GOOD_PPM            200u
#define RATIO_SHIFT         30 /* leaves room for 17 GHz */

static bool x2apic;
static volatile uint8_t *registers; /* xAPIC: the mapped page */
static bool deadline_mode;
static uint64_t hz;
static uint64_t ratio; /* LAPIC ticks for a TSC tick times 2^RATIO_SHIFT, rounded up */
static void (*on_timer)(void);

static uint32_t apic_read(enum apic_register reg)
{
    if (x2apic)
        return (uint32_t)rdmsr(MSR_X2APIC_BASE + reg / 16);
    return *(volatile uint32_t *)(registers + reg);
}

static void apic_write(enum apic_register reg, uint32_t value)
{
    if (x2apic)
        wrmsr(MSR_X2APIC_BASE + reg / 16, value);
    else
        *(volatile uint32_t *)(registers + reg) = value;
}

void apic_eoi(void)
{
    apic_write(LAPIC_EOI, 0);
}

uint32_t apic_id(void)
{
    uint32_t id = apic_read(LAPIC_ID);

    return x2apic ? id : id >> XAPIC_ID_SHIFT;
}

bool apic_is_x2apic(void)
{
    return x2apic;
}

static void send(uint32_t target, uint32_t message)
{
    if (x2apic) {
        mfence(); /* the MSR write is not ordered after stores (SDM vol. 3, 11.12.3) */
        wrmsr(MSR_X2APIC_BASE + LAPIC_ICR_LOW / 16, (uint64_t)target << 32 | ICR_ASSERT | message);
        return;
    }
    while (apic_read(LAPIC_ICR_LOW) & ICR_PENDING)
        cpu_pause();
    apic_write(LAPIC_ICR_HIGH, target << XAPIC_ID_SHIFT);
    apic_write(LAPIC_ICR_LOW, ICR_ASSERT | message);
}

void apic_send_ipi(uint32_t target, uint8_t vector)
{
    send(target, vector);
}

void apic_send_nmi(uint32_t target)
{
    send(target, ICR_NMI);
}

void apic_relay_nmi(uint32_t target)
{
    uint32_t high;

    if (x2apic) {
        send(target, ICR_NMI);
        return;
    }
    while (apic_read(LAPIC_ICR_LOW) & ICR_PENDING)
        cpu_pause();
    high = apic_read(LAPIC_ICR_HIGH);
    send(target, ICR_NMI);
    while (apic_read(LAPIC_ICR_LOW) & ICR_PENDING)
        cpu_pause();
    apic_write(LAPIC_ICR_HIGH, high);
}

void apic_send_init(uint32_t target)
{
    send(target, ICR_INIT);
}

void apic_send_startup(uint32_t target, uint64_t page)
{
    send(target, ICR_STARTUP | (uint32_t)(page >> 12 & 0xff));
}

/* The error register only says what happened if it is written first (11.5.3). Nothing to be done about it. */
static void error_interrupt(struct trap_frame *frame)
{
    (void)frame;
    apic_write(LAPIC_ESR, 0);
    this_cpu()->spurious++;
    apic_eoi();
}

/* Global enable, and the choice between the two register interfaces (11.12.1). */
static void choose_interface(bool allow_x2apic)
{
    struct cpuid_regs leaf1 = cpuid(1, 0);
    uint64_t base = rdmsr(MSR_APIC_BASE);

    if (!(leaf1.edx & CPUID_1_EDX_APIC))
        panic("this processor has no local APIC (CPUID 1 EDX bit 9): its timer is needed");
    if (!(base & APIC_BASE_ENABLE)) {
        base |= APIC_BASE_ENABLE;
        wrmsr(MSR_APIC_BASE, base);
    }
    if ((leaf1.ecx & CPUID_1_ECX_X2APIC) && allow_x2apic && !(base & APIC_BASE_X2APIC)) {
        base |= APIC_BASE_X2APIC;
        wrmsr(MSR_APIC_BASE, base);
    }
    x2apic = base & APIC_BASE_X2APIC;
    if (!x2apic && !registers)
        registers = map_mmio(base & APIC_BASE_ADDR_MASK, PAGE_SIZE);
}

void apic_init(bool allow_x2apic)
{
    uint32_t last_lvt;

    choose_interface(allow_x2apic);
    last_lvt = apic_read(LAPIC_VERSION) >> VERSION_MAX_LVT_SHIFT & 0xff;
    apic_write(LAPIC_SVR, SVR_ENABLE | VECTOR_SPURIOUS);
    apic_write(LAPIC_TPR, 0);
    apic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_LAPIC_TIMER);
    if (last_lvt >= 4)
        apic_write(LAPIC_LVT_PMC, LVT_MASKED);
    if (last_lvt >= 5)
        apic_write(LAPIC_LVT_THERMAL, LVT_MASKED);
    /* The 8259's wire reaches the boot processor only. */
    apic_write(LAPIC_LVT_LINT0, this_cpu()->id == 0 ? LVT_EXTINT : LVT_EXTINT | LVT_MASKED);
    apic_write(LAPIC_LVT_LINT1, LVT_NMI);
    trap_set_handler(VECTOR_LAPIC_ERROR, error_interrupt);
    apic_write(LAPIC_LVT_ERROR, VECTOR_LAPIC_ERROR);
    apic_write(LAPIC_ESR, 0);
    this_cpu()->apic_id = apic_id();
}

/* ---- the timer (11.5.4) ---- */

/* Both readings of the counter lie between two of the TSC, so the true figure lies between two as well.
 * Returns how far these are apart, in millionths. */
static uint64_t measure_once(uint64_t *figure)
{
    uint64_t tsc = clock_hz();
    uint64_t a0, a1, b0, b1;
    uint32_t first, last, ticks;

    apic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    a0 = rdtsc_ordered();
    first = apic_read(LAPIC_TIMER_CURRENT);
    a1 = rdtsc_ordered();
    clock_spin_until(a1 + tsc / CALIBRATION_DIVISOR);
    b0 = rdtsc_ordered();
    last = apic_read(LAPIC_TIMER_CURRENT);
    b1 = rdtsc_ordered();
    apic_write(LAPIC_TIMER_INITIAL, 0);
    ticks = first - last;
    if (ticks < 2 || last == 0)
        panic("the local APIC's timer does not count");
    *figure = round_within((ticks - 1) * tsc / (b1 - a0), (ticks + 1) * tsc / (b0 - a1));
    return ((b1 - a0) - (b0 - a1)) * 1000000 / (b0 - a1);
}

/* Again if an SMI came between. */
static uint64_t measure(void)
{
    uint64_t best = UINT64_MAX;
    uint64_t found = 0;

    apic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    for (unsigned int i = 0; i < TRIES && best >= GOOD_PPM; i++) {
        uint64_t figure;
        uint64_t spread = measure_once(&figure);

        if (spread < best) {
            best = spread;
            found = figure;
        }
    }
    return found;
}

/* One-shot counts are rounded up, and limited to what the counter holds: the interrupt looks at the clock. */
static uint32_t count_for(uint64_t ticks)
{
    unsigned __int128 scaled = (unsigned __int128)ticks * ratio;
    unsigned __int128 count = (scaled + (1u << RATIO_SHIFT) - 1) >> RATIO_SHIFT;

    return count > UINT32_MAX ? UINT32_MAX : (uint32_t)count;
}

static void program(uint64_t deadline)
{
    uint64_t now;

    if (deadline_mode) {
        /* 0 would disarm; a value that is past fires at once. */
        wrmsr(MSR_TSC_DEADLINE, deadline ? deadline : 1);
        return;
    }
    now = rdtsc_ordered();
    apic_write(LAPIC_TIMER_INITIAL, deadline > now ? count_for(deadline - now) : 1);
}

void apic_timer_arm(uint64_t deadline)
{
    this_cpu()->timer_deadline = deadline;
    if (deadline != UINT64_MAX)
        program(deadline);
    else if (deadline_mode)
        wrmsr(MSR_TSC_DEADLINE, 0);
    else
        apic_write(LAPIC_TIMER_INITIAL, 0);
}

static void timer_interrupt(struct trap_frame *frame)
{
    struct percpu *cpu = this_cpu();
    uint64_t deadline = cpu->timer_deadline;

    (void)frame;
    apic_eoi();
    if (deadline == UINT64_MAX)
        return; /* disarmed while it was on its way */
    if (rdtsc_ordered() < deadline) {
        program(deadline); /* an older one's interrupt, or a long one's next part */
        return;
    }
    cpu->timer_deadline = UINT64_MAX;
    on_timer();
}

void apic_timer_init(bool allow_deadline, void (*fn)(void))
{
    hz = measure();
    ratio = ((hz << RATIO_SHIFT) + clock_hz() - 1) / clock_hz();
    deadline_mode = allow_deadline && (cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE);
    on_timer = fn;
    trap_set_handler(VECTOR_LAPIC_TIMER, timer_interrupt);
    apic_timer_enable();
}

void apic_timer_enable(void)
{
    apic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
    apic_write(LAPIC_LVT_TIMER, VECTOR_LAPIC_TIMER | (deadline_mode ? LVT_TIMER_DEADLINE : 0));
    /* xAPIC: the mode must be there before the first write of the MSR (11.5.4.1). */
    mfence();
    apic_timer_arm(UINT64_MAX);
}

bool apic_timer_is_deadline(void)
{
    return deadline_mode;
}

uint64_t apic_hz(void)
{
    return hz;
}
