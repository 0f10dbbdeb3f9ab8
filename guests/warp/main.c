/* Does a clock ever step back from one processor to another? The processors pass a token through shared
 * memory. Who has it reads one of the clocks (TSC, HPET, PM timer, KVM's clock, in turns), holds the reading
 * against the latest one of that clock and against the latest of all clocks, and passes it on. Words:
 * passes=N (default 10000), wait=spin|halt (how the others wait: with PAUSE, or in HLT for an IPI). */
#include "guests/lib/acpi.h"
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/kvmclock.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define NS     1000000000ull
#define FS     1000000ull /* in a nanosecond */
#define VECTOR 0x50

enum clock { TSC, HPET, PM, KVM, CLOCKS };
static const char *const names[CLOCKS] = {"tsc", "hpet", "pm", "kvm"};

/* KVM's clock has a page for each processor. */
static volatile struct kvmclock pages[SMP_MAX] __attribute__((aligned(64)));

/* A clock's reading x stands for the nanoseconds from start + floor((x - first) * num / den) - slack on, and
 * less than 2 * slack + 1 more. */
static struct scale {
    bool there;
    uint64_t first, start, num, den, slack;
} scales[CLOCKS];

static uint16_t pm_port;
static uint64_t passes;
static bool halting;

/* The token: whoever's turn it is owns the rest. */
static volatile uint64_t turn; /* the number of the pass */
static unsigned int cpus;
static struct {
    uint64_t latest[CLOCKS]; /* readings, */
    uint64_t earliest_ns;    /* and the latest of all of them, in ns at the least */
    uint64_t readings[CLOCKS], backward, contradictions, worst_ns, by[SMP_MAX];
} token;

/* The PM timer's 24 or 32 bits, carried on from its latest reading: passes are much closer than a turn-over.
 */
static uint64_t read_pm(void)
{
    uint64_t last = token.latest[PM];
    uint32_t now = inl(pm_port);

    return last + (uint64_t)(int64_t)(int32_t)(now - (uint32_t)last);
}

static uint64_t read_clock(enum clock c, unsigned int cpu)
{
    switch (c) {
    case HPET:
        return hpet_read64(HPET_COUNTER);
    case PM:
        return read_pm();
    case KVM:
        return kvmclock_read(&pages[cpu]);
    default:
        return rdtsc();
    }
}

static uint64_t tsc_ns(uint64_t ticks)
{
    return mul_div(ticks, scales[TSC].num, scales[TSC].den);
}

/* The beginning of a clock on the TSC's scale, between two readings of that. */
static void set_scale(enum clock c, uint64_t num, uint64_t den)
{
    uint64_t before = rdtsc();

    token.latest[PM] = c == PM ? inl(pm_port) : token.latest[PM];
    uint64_t first = read_clock(c, 0), after = rdtsc();

    token.latest[c] = first;
    scales[c] = (struct scale){.there = true,
                               .first = first,
                               .start = tsc_ns(before),
                               .num = num,
                               .den = den,
                               .slack = tsc_ns(after - before) + num / den + 2};
}

static void judge(enum clock c, uint64_t reading)
{
    const struct scale *s = &scales[c];
    uint64_t ns = s->start + mul_div(reading - s->first, s->num, s->den);

    token.readings[c]++;
    if (reading < token.latest[c]) {
        token.backward++;
        printf("warp: %s steps back from %lu to %lu in pass %lu\n", names[c], token.latest[c], reading, turn);
    }
    token.latest[c] = reading;
    if (ns + s->slack < token.earliest_ns) {
        uint64_t by = token.earliest_ns - ns - s->slack;

        if (token.contradictions++ == 0) {
            printf("warp: %s is %lu ns behind another clock in pass %lu\n", names[c], by, turn);
        }
        token.worst_ns = by > token.worst_ns ? by : token.worst_ns;
    }
    if (ns > token.earliest_ns + s->slack) {
        token.earliest_ns = ns - s->slack;
    }
}

static void on_call(struct trap_frame *frame)
{
    (void)frame;
    lapic_write(LAPIC_EOI, 0);
}

/* With interrupts off, so that the call is not lost between the look and the HLT. */
static void wait_for_turn(unsigned int cpu)
{
    while (turn % cpus != cpu && turn < passes) {
        if (halting) {
            wait_for_interrupt();
            interrupts_off();
        } else {
            cpu_relax();
        }
    }
}

static void play(unsigned int cpu)
{
    for (;;) {
        wait_for_turn(cpu);
        if (turn >= passes) {
            return;
        }
        enum clock c = (enum clock)((turn / cpus + turn) % CLOCKS);

        if (scales[c].there) {
            judge(c, read_clock(c, cpu));
        }
        token.by[cpu]++;
        turn = turn + 1;
        if (halting && turn < passes) {
            smp_ipi((uint32_t)(turn % cpus), ICR_FIXED | VECTOR);
        } else if (halting) {
            smp_ipi(0, ICR_OTHERS | VECTOR);
        }
    }
}

static void use_kvm_clock(unsigned int cpu)
{
    if (scales[KVM].there) {
        wrmsr(MSR_SYSTEM_TIME, (uint64_t)(uintptr_t)&pages[cpu] | 1);
    }
}

static void other(unsigned int cpu)
{
    lapic_init();
    use_kvm_clock(cpu);
    play(cpu);
}

/* The TSC is the scale itself: nothing lies between its beginning and 0. As KVM's clock tells it, which is
 * exact; what is measured is a part in a million off, and that would be a contradiction within a second. */
static void set_tsc_scale(void)
{
    struct scale *s = &scales[TSC];

    if (scales[KVM].there) {
        s->num = pages[0].mul;
        s->den = 1ull << (32 - pages[0].shift);
    } else {
        s->num = NS;
        s->den = calibrate().tsc_hz;
        pit_stop();
    }
    s->there = true;
    token.latest[TSC] = rdtsc();
}

static void find_clocks(void)
{
    bool wide;

    scales[KVM].there = memcmp(&(struct cpuid){cpuid(0x40000000, 0).ebx, 0, 0, 0}, "KVMK", 4) == 0;
    use_kvm_clock(0);
    set_tsc_scale();
    if (hpet_find()) {
        hpet_write64(HPET_CONFIG, HPET_CONFIG_ENABLE);
        set_scale(HPET, hpet_read64(HPET_CAPABILITIES) >> 32, FS);
    }
    pm_port = acpi_pm_timer(&wide);
    if (pm_port != 0 && wide) {
        set_scale(PM, 4 * NS, PIT_HZ_NUM);
    }
    if (scales[KVM].there) {
        set_scale(KVM, 1, 1);
    }
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const words_known[] = {"passes", "wait", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, words_known);

    passes = word_number(words, "passes", 10000, &bad);
    halting = word_is(words, "wait", "halt");
    if (bad || passes == 0) {
        printf("warp: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    pic_init();
    pic_mask_all();
    lapic_init();
    interrupts_off();
    traps_set(VECTOR, on_call);
    find_clocks();
    cpus = smp_count();
    turn = 0;
    report(smp_start(other) + 1 == cpus, "%u processors have started", cpus);
    play(0);
    printf("warp: passes=%lu tsc=%lu hpet=%lu pm=%lu kvm=%lu backward=%lu contradictions=%lu worst_ns=%lu\n",
           turn, token.readings[TSC], token.readings[HPET], token.readings[PM], token.readings[KVM],
           token.backward, token.contradictions, token.worst_ns);
    report(token.backward == 0, "no clock steps back between processors");
    report(token.contradictions == 0, "no two clocks contradict each other");
    for (unsigned int i = 0; i < cpus && i < SMP_MAX; i++) {
        report(token.by[i] >= passes / cpus, "processor %u had its turns", i);
    }
    return report_summary();
}
