/* Words: mode=NAME (see `modes`), seconds=N, exit=N, seed=N. */
#include "guests/hostile/hostile.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"

#define NOWHERE       0xB0000000u /* in the hole between RAM and the devices */
#define RESET_CONTROL 0xCF9
#define RESET_FULL    0x06
#define CMOS_MARK     0x40 /* a byte of CMOS RAM that no firmware uses; the battery keeps it through a reset */
#define MARK          0xE5

static int triple(const struct plan *plan)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = {0, 0};

    (void)plan;
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
    return EXIT_FAIL;
}

static int jump(const struct plan *plan)
{
    (void)plan;
    __asm__ volatile("jmp *%0" : : "r"((uint64_t)NOWHERE));
    return EXIT_FAIL;
}

static int cli(const struct plan *plan)
{
    uint64_t end = rdtsc() + plan->seconds * plan->tsc_hz;

    interrupts_off();
    while (rdtsc() < end) {
    }
    return (int)plan->exit;
}

/* Without a clock read: only the host's timer can take this one out. */
static int blind(const struct plan *plan)
{
    uint64_t loops = plan->seconds * plan->tsc_hz / 2;

    interrupts_off();
    __asm__ volatile("1: decq %0; jnz 1b" : "+r"(loops) : : "cc");
    return (int)plan->exit;
}

static int clihlt(const struct plan *plan)
{
    (void)plan;
    __asm__ volatile("cli; hlt");
    return EXIT_FAIL;
}

static int storm(const struct plan *plan)
{
    uint64_t end = rdtsc() + plan->seconds * plan->tsc_hz, exits = 0;

    while (rdtsc() < end) {
        (void)cpuid((uint32_t)exits, 0);
        outb(0x80, (uint8_t)exits);
        exits += 2;
    }
    printf("hostile: storm of %lu exits\n", exits);
    return (int)plan->exit;
}

static int reset(const struct plan *plan)
{
    if (rtc_read(CMOS_MARK) == MARK) {
        rtc_write(CMOS_MARK, 0);
        printf("hostile: after the reset\n");
        return (int)plan->exit;
    }
    rtc_write(CMOS_MARK, MARK);
    printf("hostile: resetting\n");
    outb(RESET_CONTROL, RESET_FULL);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

static int poweroff(const struct plan *plan)
{
    (void)plan;
    machine_poweroff();
}

static int end(const struct plan *plan)
{
    return (int)plan->exit;
}

static const struct {
    const char *name;
    int (*run)(const struct plan *plan);
} modes[] = {
    {"triple", triple},
    {"ports", hostile_ports},
    {"msrs", hostile_msrs},
    {"memory", hostile_memory},
    {"jump", jump},
    {"cli", cli},
    {"blind", blind},
    {"clihlt", clihlt},
    {"storm", storm},
    {"ticks", hostile_ticks},
    {"deaf-ticks", hostile_deaf_ticks},
    {"reset", reset},
    {"poweroff", poweroff},
    {"exit", end},
    {"registers", hostile_registers},
    {"storms", hostile_storms},
    {"edges", hostile_edges},
    {"leak", hostile_leak},
    {"tables-self", hostile_tables_self},
    {"tables-device", hostile_tables_device},
    {"tables-nowhere", hostile_tables_nowhere},
    {"tables-reserved", hostile_tables_reserved},
    {"gdt", hostile_gdt},
    {"stack", hostile_stack},
    {"code-device", hostile_code_device},
    {"idt-device", hostile_idt_device},
    {"terminal", hostile_terminal},
};

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"mode", "seconds", "exit", "seed", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    struct plan plan = {word_number(words, "seconds", 1, &bad), word_number(words, "exit", 0, &bad), 0,
                        word_number(words, "seed", 1, &bad)};

    pic_init();
    pic_mask_all();
    lapic_init();
    plan.tsc_hz = calibrate().tsc_hz;
    for (unsigned int i = 0; !bad && i < sizeof(modes) / sizeof(modes[0]); i++) {
        if (word_is(words, "mode", modes[i].name)) {
            printf("hostile: %s\n", modes[i].name);
            return modes[i].run(&plan);
        }
    }
    printf("hostile: FAIL unusable words: %s\n", words);
    return EXIT_FAIL;
}
