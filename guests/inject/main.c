/* Interrupts that the guest sends to itself, in every state that it can be in when they come: each must be
 * taken once, at the right place. The PIT's and the LAPIC timer's come in between. Words: count=N. */
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define LAPIC_ICR_LOW  0x300
#define LAPIC_ICR_HIGH 0x310
#define ICR_NMI        (4u << 8)
#define ICR_ASSERT     (1u << 14)

#define VECTOR_NMI   2
#define VECTOR_UD    6
#define VECTOR_TIMER 0x60
#define VECTOR_LOW   0x71
#define VECTOR_HIGH  0x91
#define VECTOR_SOFT  0xa1

#define PIT_DIVISOR 1193 /* 1 kHz */
#define LAPIC_COUNT 9973

static volatile struct {
    uint64_t low, high, nmi, undefined, soft, pit, timer;
} taken, sent;

static volatile uint64_t wrong_place, wrong_order, nested;
static volatile bool in_nmi, nmi_again;

extern const uint8_t behind_hlt[], behind_ud[], behind_shadow[];
static volatile uint64_t expected_rip; /* of the next VECTOR_LOW; 0: any */

static void send(uint8_t vector)
{
    lapic_write(LAPIC_ICR_LOW, ICR_ASSERT | vector);
}

static void send_nmi(void)
{
    lapic_write(LAPIC_ICR_LOW, ICR_ASSERT | ICR_NMI);
}

static void on_low(struct trap_frame *frame)
{
    if (expected_rip != 0 && frame->rip != expected_rip) {
        wrong_place++;
    }
    taken.low++;
    lapic_write(LAPIC_EOI, 0);
}

/* The lower one, which was sent first, must still wait. */
static void on_high(struct trap_frame *frame)
{
    (void)frame;
    if (taken.low == sent.low) {
        wrong_order++;
    }
    taken.high++;
    lapic_write(LAPIC_EOI, 0);
}

static void on_nmi(struct trap_frame *frame)
{
    (void)frame;
    if (in_nmi) {
        nested++;
    }
    in_nmi = true;
    taken.nmi++;
    if (nmi_again) { /* comes behind this handler's IRET */
        nmi_again = false;
        sent.nmi++;
        send_nmi();
        (void)cpuid(0, 0);
    }
    in_nmi = false;
}

static void on_undefined(struct trap_frame *frame)
{
    taken.undefined++;
    frame->rip += 2;
}

static void on_soft(struct trap_frame *frame)
{
    (void)frame;
    taken.soft++;
}

static void on_pit(struct trap_frame *frame)
{
    (void)frame;
    taken.pit++;
    pic_eoi(0);
}

static void on_timer(struct trap_frame *frame)
{
    (void)frame;
    taken.timer++;
    lapic_write(LAPIC_EOI, 0);
}

/* ---- the states ---- */

static void with_interrupts_on(void)
{
    interrupts_on();
    sent.low++;
    send(VECTOR_LOW);
}

static void behind_a_window(void)
{
    sent.low++;
    send(VECTOR_LOW);
    (void)cpuid(0, 0);
}

/* The shadow of STI covers HLT: the interrupt wakes it, and comes nowhere else. The timers are off meanwhile.
 */
static void halted(void)
{
    expected_rip = (uintptr_t)behind_hlt;
    sent.low++;
    send(VECTOR_LOW);
    __asm__ volatile(".globl behind_hlt\n\tsti\n\thlt\nbehind_hlt:\n\tnop\n\tcli" : : : "memory");
    expected_rip = 0;
}

/* ... and so it covers an instruction that exits. */
static void shadow_over_an_exit(void)
{
    uint32_t a = 0, c = 0;

    expected_rip = (uintptr_t)behind_shadow;
    sent.low++;
    send(VECTOR_LOW);
    __asm__ volatile(".globl behind_shadow\n\tsti\n\tcpuid\nbehind_shadow:\n\tnop\n\tcli"
                     : "+a"(a), "+c"(c)
                     :
                     : "rbx", "rdx", "memory");
    expected_rip = 0;
}

static void two_at_once(void)
{
    sent.low++;
    send(VECTOR_LOW);
    sent.high++;
    send(VECTOR_HIGH);
}

static void with_an_exception(void)
{
    sent.low++;
    send(VECTOR_LOW);
    sent.undefined++;
    __asm__ volatile("ud2" : : : "memory");
    sent.soft++;
    __asm__ volatile("int %0" : : "i"(VECTOR_SOFT) : "memory");
}

static void one_nmi(void)
{
    sent.nmi++;
    send_nmi();
}

static void two_nmis(void)
{
    nmi_again = true;
    sent.nmi++;
    send_nmi();
}

static void nmi_and_interrupt(void)
{
    sent.low++;
    send(VECTOR_LOW);
    sent.nmi++;
    send_nmi();
}

static void (*const states[])(void) = {
    with_interrupts_on, behind_a_window, halted,   shadow_over_an_exit, two_at_once,
    with_an_exception,  one_nmi,         two_nmis, nmi_and_interrupt,
};
#define STATES (sizeof(states) / sizeof(states[0]))

static bool all_taken(void)
{
    return taken.low == sent.low && taken.high == sent.high && taken.nmi == sent.nmi &&
           taken.undefined == sent.undefined && taken.soft == sent.soft;
}

/* They run all the time; this lets their interrupts through. */
static void timers_on(void)
{
    pic_unmask(0);
    lapic_write(LAPIC_LVT_TIMER, LVT_PERIODIC | VECTOR_TIMER);
}

static void timers_off(void)
{
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | LVT_PERIODIC | VECTOR_TIMER);
    pic_mask_all();
    interrupts_on();
    (void)cpuid(0, 0);
    interrupts_off();
}

/* Everything that was sent has been taken when interrupts have been on for a moment. */
static bool round(uint32_t random)
{
    void (*state)(void) = states[random % STATES];
    const bool quiet = state == halted || state == shadow_over_an_exit;

    if (quiet) {
        timers_off();
    }
    state();
    interrupts_on();
    for (unsigned int i = 0; i < 64 && !all_taken(); i++) {
        (void)cpuid(0, 0);
    }
    interrupts_off();
    if (quiet) {
        timers_on();
    }
    return all_taken();
}

static void set_up(void)
{
    pic_init();
    pic_mask_all();
    lapic_init();
    lapic_write(LAPIC_ICR_HIGH, lapic_read(LAPIC_ID));
    traps_set(VECTOR_NMI, on_nmi);
    traps_set(VECTOR_UD, on_undefined);
    traps_set(VECTOR_TIMER, on_timer);
    traps_set(VECTOR_LOW, on_low);
    traps_set(VECTOR_HIGH, on_high);
    traps_set(VECTOR_SOFT, on_soft);
    traps_set(PIC_VECTOR_BASE, on_pit);
    pit_start(PIT_DIVISOR);
    lapic_timer_start(LVT_PERIODIC | VECTOR_TIMER, LAPIC_COUNT);
    timers_on();
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"count", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    uint64_t count = word_number(words, "count", 10000, &bad), rounds = 0;
    uint32_t random = 12345;

    if (bad) {
        printf("inject: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    set_up();
    while (sent.low + sent.high + sent.nmi < count) {
        random = random * 1664525u + 1013904223u; /* Knuth's */
        if (!round(random >> 8)) {
            printf("inject: stuck in state %u of round %lu\n", (random >> 8) % (unsigned int)STATES, rounds);
            break;
        }
        rounds++;
    }
    timers_off();
    printf("inject: sent low=%lu high=%lu nmi=%lu undefined=%lu soft=%lu\n", sent.low, sent.high, sent.nmi,
           sent.undefined, sent.soft);
    printf("inject: taken low=%lu high=%lu nmi=%lu undefined=%lu soft=%lu pit=%lu timer=%lu\n", taken.low,
           taken.high, taken.nmi, taken.undefined, taken.soft, taken.pit, taken.timer);
    report(all_taken(), "none lost, none doubled");
    report(wrong_place == 0, "none in a shadow (%lu)", wrong_place);
    report(wrong_order == 0, "the higher one first (%lu)", wrong_order);
    report(nested == 0, "no NMI in an NMI handler (%lu)", nested);
    report(taken.pit > 0 && taken.timer > 0, "timers in between");
    return report_summary();
}
