/* Works all the time while three timers interrupt it, reads no clock, and so exits for its ticks only. Words:
 * seconds=N (1-60, by the RTC's ticks). */
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/io.h"
#include "guests/lib/traps.h"

#define PIT_DIVISOR  11932u /* 100 Hz */
#define RTC_HZ       128u
#define LAPIC_COUNT  312500u /* 200 Hz where the timer's clock, divided by 16, is 62.5 MHz */
#define LAPIC_VECTOR 0x50
#define MAX_SECONDS  60

static volatile unsigned int pit, rtc, lapic;

static void on_pit(struct trap_frame *frame)
{
    (void)frame;
    pit++;
    pic_eoi(IRQ_PIT);
}

static void on_rtc(struct trap_frame *frame)
{
    (void)frame;
    rtc++;
    rtc_read(RTC_C);
    pic_eoi(IRQ_RTC);
}

static void on_lapic(struct trap_frame *frame)
{
    (void)frame;
    lapic++;
    lapic_write(LAPIC_EOI, 0);
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"seconds", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    uint64_t seconds = word_number(words, "seconds", 1, &bad);

    if (bad || seconds == 0 || seconds > MAX_SECONDS) {
        printf("busy: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    pic_init();
    lapic_init();
    traps_set(PIC_VECTOR_BASE + IRQ_PIT, on_pit);
    traps_set(PIC_VECTOR_BASE + IRQ_RTC, on_rtc);
    traps_set(LAPIC_VECTOR, on_lapic);
    pic_unmask(IRQ_PIT);
    pic_unmask(IRQ_RTC);
    pit_start(PIT_DIVISOR);
    rtc_periodic(rtc_rate_select(RTC_HZ));
    lapic_timer_start(LVT_PERIODIC | LAPIC_VECTOR, LAPIC_COUNT);
    interrupts_on();
    while (rtc < RTC_HZ * seconds) {
    }
    interrupts_off();
    printf("busy: ticks pit=%u rtc=%u lapic=%u\n", pit, rtc, lapic);
    return EXIT_OK;
}
