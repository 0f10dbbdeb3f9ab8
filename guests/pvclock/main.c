/* Reads KVM's paravirtual clock as Linux, Documentation/virt/kvm/x86/msr.rst, says, and holds it against PM
 * timer and RTC while it moves its TSC and the clock's page about and sleeps by the TSC-deadline timer.
 * Words: seconds=N (default 2); without=1: checks that neither is there (pvclock=off tsc-deadline=off). */
#include "guests/lib/acpi.h"
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/kvmclock.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define MSR_TSC             0x10
#define MSR_WALL_CLOCK_OLD  0x11
#define MSR_SYSTEM_TIME_OLD 0x12
#define MSR_TSC_ADJUST      0x3B
#define MSR_TSC_DEADLINE    0x6E0

#define ECX_TSC_DEADLINE (1u << 24)
#define ECX_HYPERVISOR   (1u << 31)
#define FEATURES         (1u << 0 | 1u << 3 | 1u << 24) /* old and new registers, one line for all processors */
#define LVT_DEADLINE     (1u << 18)

#define NS           1000000000ull
#define VECTOR       0x50
#define SPIN_HZ      10000 /* samples a second at most: what exits cost an emulator counts */
#define ROUNDING_NS  3
#define DEADLINE_NS  1000000
#define TSC_MOVE_GAP 64 /* samples */

struct wall {
    uint32_t version, sec, nsec;
};

static volatile struct kvmclock pages[2] __attribute__((aligned(64)));
static volatile struct wall wall;
static volatile const struct kvmclock *page;

static struct result {
    uint64_t samples, backward, before_pm, after_pm, wrong_seconds, moves, deadlines, early, late_ns,
        not_zero;
} result;
static uint64_t last_ns, woke_ns, deadline;
static uint16_t pm_port;

static uint64_t read_clock(void)
{
    uint64_t ns = kvmclock_read(page);

    if (ns < last_ns) {
        result.backward++;
    }
    last_ns = ns;
    return ns;
}

/* The TSC's frequency as Linux takes it from the page. */
static uint64_t tsc_hz(void)
{
    uint64_t khz = (1000000ull << 32) / page->mul;

    return 1000 * (page->shift < 0 ? khz << -page->shift : khz >> page->shift);
}

/* The PM timer's count in ns: it and system time start together. */
static uint64_t pm_ns(uint64_t count)
{
    return mul_div(count, 4 * NS, PIT_HZ_NUM);
}

static void sample(void)
{
    uint64_t before = inl(pm_port), ns = read_clock(), after = inl(pm_port);

    if (ns + ROUNDING_NS < pm_ns(before)) {
        result.before_pm++;
    }
    if (ns > pm_ns(after + 1)) {
        result.after_pm++;
    }
    result.samples++;
}

/* The date by the wall clock, and by the RTC. */
static void compare_seconds(void)
{
    uint64_t before, after, rtc;

    do {
        before = wall.sec + read_clock() / NS;
        rtc = rtc_seconds();
        after = wall.sec + read_clock() / NS;
    } while ((rtc_read(RTC_A) & RTC_A_UIP) != 0 || before != after);
    result.wrong_seconds += before % 60 != rtc;
}

static void on_deadline(struct trap_frame *frame)
{
    (void)frame;
    result.early += rdtsc() < deadline;
    woke_ns = read_clock();
    result.not_zero += rdmsr(MSR_TSC_DEADLINE) != 0;
    result.deadlines++;
    lapic_write(LAPIC_EOI, 0);
}

/* Sleeps a millisecond by the TSC-deadline timer. */
static void sleep_by_deadline(void)
{
    uint64_t due_ns = read_clock() + DEADLINE_NS;

    deadline = rdtsc() + mul_div(DEADLINE_NS, tsc_hz(), NS);
    wrmsr(MSR_TSC_DEADLINE, deadline);
    wait_for_interrupt();
    interrupts_off();
    if (woke_ns - due_ns > result.late_ns) {
        result.late_ns = woke_ns - due_ns;
    }
}

/* Two instructions a round: about 1 / SPIN_HZ. No clock is read in it. */
static void spin(void)
{
    uint64_t n = tsc_hz() / SPIN_HZ / 2;

    __asm__ volatile("1: decq %0; jnz 1b" : "+r"(n) : : "cc");
}

/* A move of the TSC, or of the page, is none of the clock. */
static void move(uint64_t i)
{
    if (i % 3 == 0) {
        wrmsr(MSR_TSC, i << 40);
    } else if (i % 3 == 1) {
        wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) - (i << 32));
    } else {
        page = &pages[i % 2];
        wrmsr(i % 2 ? MSR_SYSTEM_TIME : MSR_SYSTEM_TIME_OLD, (uintptr_t)page | 1);
    }
    result.moves++;
}

static void run(uint64_t seconds)
{
    uint64_t end = read_clock() + seconds * NS;

    for (uint64_t i = 0; last_ns < end; i++) {
        spin();
        sample();
        if (i % TSC_MOVE_GAP == 0) {
            move(i / TSC_MOVE_GAP);
            sample();
            compare_seconds();
        }
        if (i % (TSC_MOVE_GAP / 4) == 1) {
            sleep_by_deadline();
        }
    }
}

/* What no page can be at is kept and not used; the clock at the good place goes on afterwards. */
static void hostile_addresses(void)
{
    static const uint64_t bad[] = {1,          2,           0xFFFFFFFF,         0xA0001,
                                   0xFEE00001, 0xFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x8000000000000001};
    bool taken = true;

    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        taken = taken && wrmsr_safe(MSR_SYSTEM_TIME, bad[i] & ~2ull) && wrmsr_safe(MSR_WALL_CLOCK, bad[i]);
    }
    report(taken, "addresses that cannot be raise no fault");
    wrmsr(MSR_SYSTEM_TIME, (uintptr_t)page | 1);
}

static int without_both(void)
{
    uint64_t value;
    struct cpuid id = cpuid(0x40000000, 0);

    report(memcmp(&id.ebx, "KVMKVMKVM", 9) != 0, "no KVM signature");
    report((cpuid(1, 0).ecx & ECX_TSC_DEADLINE) == 0, "no TSC-deadline bit");
    report(!rdmsr_safe(MSR_SYSTEM_TIME, &value) && !rdmsr_safe(MSR_SYSTEM_TIME_OLD, &value) &&
               !wrmsr_safe(MSR_WALL_CLOCK, 0) && !wrmsr_safe(MSR_WALL_CLOCK_OLD, 0),
           "no clock registers");
    report(!rdmsr_safe(MSR_TSC_DEADLINE, &value) && !wrmsr_safe(MSR_TSC_DEADLINE, 0), "no deadline register");
    return report_summary();
}

static void look_for_it(void)
{
    struct cpuid id = cpuid(0x40000000, 0), features = cpuid(0x40000001, 0);

    report((cpuid(1, 0).ecx & ECX_HYPERVISOR) != 0 && memcmp(&id.ebx, "KVMKVMKVM\0\0", 12) == 0,
           "KVM's signature");
    report((features.eax & FEATURES) == FEATURES, "its clock (%x)", features.eax);
    report((cpuid(1, 0).ecx & ECX_TSC_DEADLINE) != 0, "TSC-deadline timer");
    page = &pages[0];
    wrmsr(MSR_SYSTEM_TIME, (uintptr_t)page | 1);
    report(page->version != 0 && page->version % 2 == 0 && page->flags == 1, "a page, version %u",
           page->version);
    wrmsr(MSR_WALL_CLOCK, (uintptr_t)&wall);
    report(wall.version != 0 && wall.version % 2 == 0 && wall.sec != 0, "a wall clock, %u", wall.sec);
}

static int judge(void)
{
    const struct result *r = &result;

    printf("pvclock: samples=%lu backward=%lu before_pm=%lu after_pm=%lu wrong_seconds=%lu moves=%lu "
           "deadlines=%lu early=%lu late_ns=%lu\n",
           r->samples, r->backward, r->before_pm, r->after_pm, r->wrong_seconds, r->moves, r->deadlines,
           r->early, r->late_ns);
    report(r->samples > 100 && r->moves > 5 && r->deadlines > 20, "enough of each");
    report(r->backward == 0, "never backwards");
    report(r->before_pm + r->after_pm == 0, "PM timer agrees to its resolution");
    report(r->wrong_seconds == 0, "RTC agrees to the second");
    report(r->early + r->not_zero == 0, "no deadline too early, each disarms itself");
    return report_summary();
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"seconds", "without", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names), wide;
    uint64_t seconds = word_number(words, "seconds", 2, &bad);

    if (bad || seconds == 0 || seconds > 3600) {
        printf("pvclock: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    pic_init();
    pic_mask_all();
    lapic_init();
    pm_port = acpi_pm_timer(&wide);
    if (word_number(words, "without", 0, &bad) != 0) {
        return without_both();
    }
    look_for_it();
    traps_set(VECTOR, on_deadline);
    lapic_write(LAPIC_LVT_TIMER, LVT_DEADLINE | VECTOR);
    run(seconds);
    hostile_addresses();
    sample();
    return judge();
}
