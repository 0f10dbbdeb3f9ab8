/* A machine of several processors that resets itself again and again, by whichever processor's turn it is,
 * and in whatever the others are doing: some compute, some wait in HLT, some call the others, some have not
 * come up yet. Counted in CMOS RAM, which a reset leaves alone. Words: resets=N (default 20). */
#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/smp.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define VECTOR     0x50
#define CMOS_LOW   0x40 /* two bytes that no firmware uses */
#define CMOS_HIGH  0x41
#define RESET_PORT 0xCF9
#define RESET_FULL 0x06

static uint64_t life;
static unsigned int cpus;
static volatile unsigned int up = 1;

static void on_call(struct trap_frame *frame)
{
    (void)frame;
    lapic_write(LAPIC_EOI, 0);
}

static _Noreturn void reset(void)
{
    outb(RESET_PORT, RESET_FULL);
    for (;;) {
        cpu_relax();
    }
}

/* The odd lives end as soon as all are up, the even ones with a processor less. */
static _Noreturn void live(unsigned int cpu)
{
    bool ends = life % cpus == cpu;
    unsigned int wanted = cpus - (unsigned int)(life % 2 == 0 && cpu + 1 < cpus);

    interrupts_on();
    for (;;) {
        if (ends && up >= wanted) {
            reset();
        }
        if ((life + cpu) % 3 == 0) {
            smp_ipi(0, ICR_FIXED | ICR_OTHERS | VECTOR);
        } else if ((life + cpu) % 3 == 1 && !ends) {
            __asm__ volatile("hlt");
        }
        cpu_relax();
    }
}

static void other(unsigned int cpu)
{
    lapic_init();
    up++;
    live(cpu);
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"resets", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    uint64_t resets = word_number(words, "resets", 20, &bad);

    if (bad) {
        printf("anew: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    life = rtc_read(CMOS_LOW) | (uint64_t)rtc_read(CMOS_HIGH) << 8;
    if (life == resets) {
        printf("anew: %lu resets\n", life);
        return EXIT_OK;
    }
    rtc_write(CMOS_LOW, (uint8_t)(life + 1));
    rtc_write(CMOS_HIGH, (uint8_t)((life + 1) >> 8));
    pic_init();
    pic_mask_all();
    lapic_init();
    traps_set(VECTOR, on_call);
    cpus = smp_count();
    if (cpus < 2 || smp_start(other) + 1 != cpus) {
        printf("anew: FAIL life %lu: not all processors have started\n", life);
        return EXIT_FAIL;
    }
    live(0);
}
