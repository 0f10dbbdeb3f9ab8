/* The run itself: the timers, one log. */
#include "guests/clock/clock.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define LAPIC_VECTOR      0x50
#define HPET_VECTOR       0x48
#define IOAPIC_PIT_VECTOR 0x40 /* vectors in the order of enum tick_source */
#define IOAPIC_RTC_VECTOR 0x30
#define RTC_C_PF          0x40
#define PIT_WAKE_DIVISOR  11932u /* 100 Hz */
#define OPEN_READS        16     /* readings of the TSC alone, for one of another clock */

struct run run;

/* Since when interrupts have been off without a break; 0 while they are on. */
static volatile uint64_t off_since;
static volatile uint64_t last_open;

/* Interrupts are on, and were just before: nothing due may be undelivered at this reading. */
static uint64_t open_read(void)
{
    uint64_t now = clock_tsc();

    last_open = now;
    off_since = 0;
    return now;
}

static void read_all(uint64_t before)
{
    for (unsigned int i = 0; i < CLOCKS; i++) {
        if (run.clocks[i].present) {
            before = clock_sample(&run.clocks[i], before);
        }
    }
}

/* What a handler reads: all clocks, or the next in turn, or none where the ticks come too fast for that. */
static void read_some(uint64_t before)
{
    static unsigned int turn;

    if (run.set.no_reads) {
        return;
    }
    if (!run.set.few_reads) {
        read_all(before);
        return;
    }
    do {
        turn = (turn + 1) % CLOCKS;
    } while (!run.clocks[turn].present);
    clock_sample(&run.clocks[turn], before);
}

static void acknowledge(enum tick_source source)
{
    if (source == TICK_RTC && !(rtc_read(RTC_C) & RTC_C_PF)) {
        run.rtc_spurious++;
    }
    if (source == TICK_LAPIC || source == TICK_HPET || run.set.ioapic) {
        lapic_write(LAPIC_EOI, 0);
    } else {
        pic_eoi(source == TICK_PIT ? IRQ_PIT : IRQ_RTC);
    }
}

static void on_tick(enum tick_source source)
{
    uint64_t entry = clock_tsc();

    if (off_since == 0) {
        off_since = entry;
    }
    if (run.nticks < MAX_TICKS) {
        run.ticks[run.nticks++] = (struct tick){entry, off_since, last_open, 0, source};
    } else {
        run.overflow++;
    }
    read_some(entry);
    acknowledge(source);
}

static void on_pit(struct trap_frame *frame)
{
    (void)frame;
    on_tick(TICK_PIT);
}

static void on_rtc(struct trap_frame *frame)
{
    (void)frame;
    on_tick(TICK_RTC);
}

static void on_hpet(struct trap_frame *frame)
{
    (void)frame;
    on_tick(TICK_HPET);
}

static void on_lapic(struct trap_frame *frame)
{
    (void)frame;
    on_tick(TICK_LAPIC);
}

static void route_interrupts(void)
{
    pic_init();
    traps_set(PIC_VECTOR_BASE + IRQ_PIT, on_pit);
    traps_set(PIC_VECTOR_BASE + IRQ_RTC, on_rtc);
    traps_set(IOAPIC_PIT_VECTOR, on_pit);
    traps_set(IOAPIC_RTC_VECTOR, on_rtc);
    traps_set(HPET_VECTOR, on_hpet);
    traps_set(LAPIC_VECTOR, on_lapic);
    ioapic_route(HPET_GSI, HPET_VECTOR);
    if (run.set.ioapic) {
        ioapic_route(GSI_PIT, IOAPIC_PIT_VECTOR);
        ioapic_route(GSI_RTC, IOAPIC_RTC_VECTOR);
        return;
    }
    if (run.set.hz[TICK_PIT] != 0) {
        pic_unmask(IRQ_PIT);
    }
    if (run.set.hz[TICK_RTC] != 0) {
        pic_unmask(IRQ_RTC);
    }
}

static void set_periods(void)
{
    const uint64_t *hz = run.set.hz;
    struct frequencies f = calibrate();

    run.tsc_hz = f.tsc_hz;
    run.tsc_hz_open = f.tsc_hz_open;
    run.lapic_hz = f.lapic_hz;
    if (hz[TICK_PIT] != 0) {
        run.pit_divisor = (uint32_t)((PIT_HZ_NUM / 12 + hz[TICK_PIT] / 2) / hz[TICK_PIT]);
    }
    if (hz[TICK_LAPIC] != 0) {
        run.lapic_count = (uint32_t)((f.lapic_hz + hz[TICK_LAPIC] / 2) / hz[TICK_LAPIC]);
    }
    run.rtc_rate_select = rtc_rate_select(hz[TICK_RTC]);
    run.hpet_fs = hpet_find() ? (uint32_t)(hpet_read64(HPET_CAPABILITIES) >> 32) : 0;
    if (hz[TICK_HPET] != 0) {
        run.hpet_count = (uint32_t)(FS_PER_SECOND / run.hpet_fs / hz[TICK_HPET]);
    }
}

/* The PIT first: setting mode 2 makes its output rise, an edge that the PIC then forgets at ICW1. The RTC
 * after that: its request stands until register C is read, so an edge forgotten would be its last. */
static void arm(void)
{
    run.arming[TICK_PIT] = clock_tsc();
    if (run.pit_divisor != 0) {
        pit_start(run.pit_divisor);
    }
    route_interrupts();
    run.armed[TICK_PIT] = clock_tsc();
    run.arming[TICK_RTC] = run.armed[TICK_PIT];
    if (run.rtc_rate_select != 0) {
        rtc_periodic(run.rtc_rate_select);
    }
    run.armed[TICK_RTC] = clock_tsc();
    run.arming[TICK_HPET] = run.armed[TICK_RTC];
    if (run.hpet_count != 0 && !hpet_periodic(0, HPET_GSI, run.hpet_count)) {
        run.set.hz[TICK_HPET] = 0; /* this one has no way to that input: a clock only */
    }
    run.armed[TICK_HPET] = clock_tsc();
    run.arming[TICK_LAPIC] = run.armed[TICK_HPET];
    if (run.lapic_count != 0) {
        lapic_timer_start(LVT_PERIODIC | LAPIC_VECTOR, run.lapic_count);
    }
    run.armed[TICK_LAPIC] = clock_tsc();
}

/* Of the busy time, and of all: half of the shortest period past the last whole second or millisecond, so
 * that with whole numbers of ticks none is due near the end. */
static uint64_t length(uint64_t rest_ms)
{
    uint64_t fastest = 2;

    for (unsigned int i = 0; i < TICK_SOURCES; i++) {
        fastest = run.set.hz[i] > fastest ? run.set.hz[i] : fastest;
    }
    return run.set.seconds * run.tsc_hz + mul_div(rest_ms, run.tsc_hz, 1000) + run.tsc_hz / (2 * fastest);
}

static void work(uint64_t rounds)
{
    for (uint64_t i = 0; i < rounds; i++) {
        __asm__ volatile("");
    }
}

static void spin(uint64_t until)
{
    unsigned int next = 0;

    for (uint64_t now = open_read(); now < until;) {
        for (unsigned int i = 0; i < OPEN_READS; i++) {
            work(run.set.work);
            now = open_read();
        }
        interrupts_off();
        if (off_since == 0) {
            off_since = now;
        }
        next = (next + 1) % CLOCKS;
        if (run.clocks[next].present) {
            clock_sample(&run.clocks[next], clock_tsc());
        }
        interrupts_on();
        now = open_read();
    }
}

static void sleep(uint64_t until)
{
    while (open_read() < until) {
        wait_for_interrupt();
    }
}

void record_run(void)
{
    pic_init();
    pic_mask_all();
    lapic_init();
    set_periods();
    clocks_init();
    arm();
    run.start = clock_tsc();
    run.window = length(run.set.rest_ms) / WINDOWS + 1;
    read_all(run.start);
    last_open = run.arming[TICK_PIT]; /* no promise before the first tick */
    off_since = run.arming[TICK_PIT]; /* which can be ticks ago: arming takes exits, and a VM that catches up
                                         has its time pass quickly meanwhile */
    interrupts_on();
    if (run.set.busy) {
        spin(run.start + length(0));
    }
    sleep(run.start + length(run.set.rest_ms));
    run.end = last_open;
    interrupts_off();
    pic_mask_all();
    pit_stop();
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    rtc_periodic(0);
    if (run.hpet_fs != 0) {
        hpet_write64(HPET_TIMER_CONFIG(0), 0);
    }
}

static void on_wake(struct trap_frame *frame)
{
    (void)frame;
    pic_eoi(IRQ_PIT);
}

void record_settle(void)
{
    if (run.set.rest_ms == 0) {
        return;
    }
    pic_init();
    traps_set(PIC_VECTOR_BASE + IRQ_PIT, on_wake);
    pic_unmask(IRQ_PIT);
    pit_start(PIT_WAKE_DIVISOR);
    interrupts_on();
    sleep(clock_tsc() + mul_div(run.set.rest_ms, run.tsc_hz, 1000));
    interrupts_off();
    pit_stop();
}
