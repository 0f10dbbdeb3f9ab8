/* From a deadline to the first instruction of the guest's handler, and the EOI that answers it. */
#include "guests/bench/bench.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define DIVIDE_BY_1   0xB
#define VECTOR_TIMER  0x60
#define VECTOR_SELF   0x61
#define LAPIC_ICR_LOW 0x300
#define ICR_ASSERT    (1u << 14)
#define PIT_CONTROL   0x43
#define PIT_CHANNEL0  0x40
#define PIT_ONESHOT   0x30   /* channel 0, both bytes, mode 0 */
#define DISTANCE      200000 /* 200 us at 1 GHz: past any minimum progress */
#define PIT_DISTANCE  240    /* the same in the PIT's units */

/* What an interrupt found: the last TSC that was read before it, the first in its handler. */
struct instant {
    uint64_t last, first;
};

static uint64_t samples[BENCH_MAX_TRIES];

/* The handler's first instruction is RDTSC. It returns to the end of whichever wait it has interrupted, with
 * interrupts off, so that nothing comes between it and the EOI. The waits: RCX last, RBX the place to go on.
 */
extern const uint8_t bench_handler[];
__asm__(".globl bench_handler\n"
        "bench_handler:\n\t"
        "rdtsc\n\t"
        "movq %rbx, (%rsp)\n\t"
        "andq $~0x200, 16(%rsp)\n\t"
        "iretq");

/* From the handler's reading of the TSC, and the low half of the last one before it. */
static struct instant instant_of(uint32_t last, uint32_t low, uint32_t high)
{
    uint64_t at = (uint64_t)high << 32 | low;

    return (struct instant){at - (uint32_t)(low - last), at};
}

/* Reads the TSC every fourth instruction until an interrupt comes. */
static struct instant spin(void)
{
    uint32_t low, high, last;

    __asm__ volatile("leaq 2f(%%rip), %%rbx\n\t"
                     "sti\n"
                     "1:\trdtsc\n\t"
                     "movl %%eax, %%ecx\n\t"
                     "jmp 1b\n"
                     "2:"
                     : "=a"(low), "=d"(high), "=c"(last)
                     :
                     : "rbx", "memory", "cc");
    return instant_of(last, low, high);
}

/* Halts until an interrupt comes; `last` is before the HLT. */
static struct instant halt(void)
{
    uint32_t low, high, last;

    __asm__ volatile("leaq 2f(%%rip), %%rbx\n\t"
                     "rdtsc\n\t"
                     "movl %%eax, %%ecx\n\t"
                     "sti\n\t"
                     "hlt\n"
                     "1:\tjmp 1b\n"
                     "2:"
                     : "=a"(low), "=d"(high), "=c"(last)
                     :
                     : "rbx", "memory", "cc");
    return instant_of(last, low, high);
}

static void lapic_eoi(void)
{
    lapic_write(LAPIC_EOI, 0);
}

static void pic_1_eoi(void)
{
    outb(0x20, 0x20);
}

/* Each returns the TSC just before its deadline was set. */
static uint64_t arm_lapic(void)
{
    uint64_t start = rdtsc();

    lapic_write(LAPIC_TIMER_ICR, DISTANCE);
    return start;
}

static uint64_t arm_pit(void)
{
    uint64_t start;

    outb(PIT_CONTROL, PIT_ONESHOT);
    outb(PIT_CHANNEL0, PIT_DISTANCE & 0xFF);
    start = rdtsc();
    outb(PIT_CHANNEL0, PIT_DISTANCE >> 8);
    return start;
}

/* An interrupt to itself, which waits for STI. */
static uint64_t send_self(void)
{
    uint64_t start = rdtsc();

    lapic_write(LAPIC_ICR_LOW, ICR_ASSERT | VECTOR_SELF);
    return start;
}

/* The ways to get an interrupt, to wait for it, to answer it. */
struct source {
    uint8_t vector;
    uint64_t (*arm)(void);
    struct instant (*wait)(void);
    void (*eoi)(void);
};

static const struct source by_lapic = {VECTOR_TIMER, arm_lapic, spin, lapic_eoi};
static const struct source by_pit = {PIC_VECTOR_BASE, arm_pit, spin, pic_1_eoi};
static const struct source by_self = {VECTOR_SELF, send_self, halt, lapic_eoi};
static const struct source by_lapic_halted = {VECTOR_TIMER, arm_lapic, halt, lapic_eoi};

/* From the last reading of the clock before the interrupt to the handler. */
static uint64_t to_handler(const struct source *s)
{
    struct instant found;

    s->arm();
    MARK(MARK_BEGIN);
    found = s->wait();
    MARK(MARK_END);
    s->eoi();
    return found.first - found.last;
}

static uint64_t one_eoi(const struct source *s)
{
    uint64_t start;

    s->arm();
    s->wait();
    start = rdtsc();
    MARK(MARK_BEGIN);
    s->eoi();
    MARK(MARK_END);
    return rdtsc() - start;
}

static void no_eoi(void)
{
}

static uint64_t now_instead(void)
{
    return 0;
}

static struct instant no_wait(void)
{
    return (struct instant){0, 0};
}

/* What one_eoi() costs by itself. */
static const struct source nothing = {VECTOR_SELF, now_instead, no_wait, no_eoi};

/* Where the deadline lies behind the reading of the clock before the timer was armed, DISTANCE left out:
 * there a spinning guest is interrupted. */
static uint64_t offset_of_deadline(unsigned int tries)
{
    for (unsigned int i = 0; i < tries; i++) {
        uint64_t start = arm_lapic();

        samples[i] = spin().last - start - DISTANCE;
        lapic_eoi();
    }
    return bench_median(samples, tries);
}

static uint64_t deadline_offset;

/* From the deadline to the handler of a guest that has halted before it. */
static uint64_t wake(const struct source *s)
{
    uint64_t deadline = s->arm() + DISTANCE + deadline_offset;
    uint64_t first;

    MARK(MARK_BEGIN);
    first = s->wait().first;
    MARK(MARK_END);
    s->eoi();
    return first - deadline;
}

static const struct delivery {
    const char *name;
    const struct source *source;
    uint64_t (*measure)(const struct source *);
    bool net; /* of what the same costs without a source */
} deliveries[] = {
    {"deadline", &by_lapic, to_handler, false},  {"deadline-pic", &by_pit, to_handler, false},
    {"eoi-lapic", &by_lapic, one_eoi, true},     {"eoi-pic", &by_pit, one_eoi, true},
    {"hlt-wake", &by_lapic_halted, wake, false}, {"hlt-pending", &by_self, to_handler, false},
};

/* The PIC lets nothing through but what is measured: a PIT that was told to stop may go on elsewhere (KVM's).
 */
static uint64_t sample(const struct delivery *d, const struct source *source, unsigned int tries)
{
    pic_mask_all();
    if (source->vector == PIC_VECTOR_BASE) {
        pic_unmask(0);
    }
    for (unsigned int i = 0; i < tries; i++) {
        samples[i] = d->measure(source);
    }
    return bench_median(samples, tries);
}

void bench_delivery(const struct bench_run *run)
{
    pic_init();
    pic_mask_all();
    lapic_init();
    lapic_write(LAPIC_TIMER_DCR, DIVIDE_BY_1);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
    traps_gate(VECTOR_TIMER, bench_handler);
    traps_gate(VECTOR_SELF, bench_handler);
    traps_gate(PIC_VECTOR_BASE, bench_handler);
    deadline_offset = offset_of_deadline(run->tries);
    for (unsigned int i = 0; i < sizeof(deliveries) / sizeof(deliveries[0]); i++) {
        const struct delivery *d = &deliveries[i];

        if (bench_wanted(run, d->name)) {
            uint64_t base = d->net ? sample(d, &nothing, run->tries) : 0;

            MARK(MARK_FORGET);
            sample(d, d->source, run->tries);
            bench_result(d->name, samples, run->tries, base);
        }
    }
}
