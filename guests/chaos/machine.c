/* A machine that random instructions cannot easily take away: exceptions come on stacks of their own, in any
 * mode, and an NMI ends what would never end. */
#include "guests/chaos/chaos.h"

#include "guests/lib/io.h"
#include "guests/lib/irq.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"
#include "guests/lib/traps.h"

#define STACK              4096u
#define IST_STACKS         3u
#define MOST_FAULTS        16u  /* in one attempt: after each the next byte is tried */
#define WATCHDOG_PIT       600u /* counts: half a millisecond */
#define MSR_EFER           0xC0000080u
#define PAGE_USER          0x4u
#define PAGE_PRESENT_WRITE 0x3u
#define ALIAS              0x0000120000000000ull
#define RAM                0x1000000u /* the tests give it as much */
#define LARGE_PAGE         0x200000u
#define NMI                2
#define DOUBLE_FAULT       8
#define IOAPIC_SELECT      0xFEC00000u
#define IOAPIC_WINDOW      0xFEC00010u
#define IOAPIC_NMI         0x400u
#define RFLAGS_TF          0x100u

struct tally tally;
extern uint64_t chaos_rsp; /* enter.asm */

static uint8_t *code;
static volatile bool running;
static unsigned int faults;
static uint64_t cr0, cr3, cr4, efer;

static uint64_t alias[512] __attribute__((aligned(4096)));
static uint64_t devices[512] __attribute__((aligned(4096)));
static uint64_t low[512] __attribute__((aligned(4096)));

static uint8_t stacks[IST_STACKS][STACK] __attribute__((aligned(16)));

static struct {
    uint32_t reserved0;
    uint64_t rsp[3], reserved1, ist[7], reserved2;
    uint16_t reserved3, iomap;
} __attribute__((packed)) tss;

static uint64_t gdt[] = {
    0,
    0x00AF9B000000FFFF, /* 08: code, 64 bits */
    0x00CF93000000FFFF, /* 10: data */
    0x00CF9B000000FFFF, /* 18: code, 32 bits */
    0x00009B000000FFFF, /* 20: code, 16 bits, its base is the code's */
    0x000093000000FFFF, /* 28: data, 16 bits */
    0x00AFFB000000FFFF, /* 30: the same five for ring 3 */
    0x00CFFB000000FFFF,
    0x0000FB000000FFFF,
    0x00CFF3000000FFFF,
    0x0000F3000000FFFF,
    0, /* 58: TSS */
    0,
};

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

static struct pointer idtr;

static void set_base(unsigned int entry, uint64_t base)
{
    gdt[entry] = (gdt[entry] & 0x00FFFF000000FFFF) | (base & 0xFFFFFF) << 16 | (base >> 24 & 0xFF) << 56;
}

static void load_gdt(void)
{
    const struct pointer gdtr = {sizeof(gdt) - 1, (uint64_t)(uintptr_t)gdt};

    gdt[SEL_TSS / 8] = (gdt[SEL_TSS / 8] & ~(0xFull << 40)) | 9ull << 40; /* not busy */
    __asm__ volatile("lgdt %0; ltr %w1" : : "m"(gdtr), "r"(SEL_TSS) : "memory");
}

static void make_gdt(void)
{
    const uint64_t base = (uint64_t)(uintptr_t)&tss;

    gdt[SEL_TSS / 8] = (sizeof(tss) - 1) | 0x89ull << 40;
    set_base(SEL_TSS / 8, base);
    gdt[SEL_TSS / 8 + 1] = base >> 32;
    for (unsigned int i = 0; i < 2; i++) {
        set_base((i ? SEL_CODE16_USER : SEL_CODE16) / 8, (uint64_t)(uintptr_t)code);
        set_base((i ? SEL_DATA16_USER : SEL_DATA16) / 8, (uint64_t)(uintptr_t)code);
    }
    for (unsigned int i = 0; i < IST_STACKS; i++) {
        tss.ist[i] = (uint64_t)(uintptr_t)(stacks[i] + STACK);
    }
    tss.rsp[0] = tss.ist[0];
    tss.iomap = sizeof(tss);
}

static uint64_t *table_at(uint64_t entry)
{
    return (uint64_t *)(uintptr_t)(entry & 0x000FFFFFFFFFF000);
}

/* This program's own view of the devices, where no random address leads. */
static void alias_devices(uint64_t *pml4, const uint64_t *directory)
{
    memcpy(devices, directory, sizeof(devices));
    alias[3] = (uint64_t)(uintptr_t)devices | PAGE_PRESENT_WRITE;
    pml4[ALIAS >> 39 & 511] = (uint64_t)(uintptr_t)alias | PAGE_PRESENT_WRITE;
}

/* The first MiB is not mapped, the second, where this program is, is the supervisor's; the rest is the user's
 * too, as far as it is RAM, or, with `all`, everything. */
static void give_pages(bool all)
{
    uint64_t *pml4 = table_at(cr3), *pdpt = table_at(pml4[0]);

    alias_devices(pml4, table_at(pdpt[3]));
    pml4[0] |= PAGE_USER;
    for (unsigned int g = 0; g < 4; g++) {
        uint64_t *directory = table_at(pdpt[g]);

        pdpt[g] |= PAGE_USER;
        for (unsigned int i = g == 0; i < 512; i++) {
            directory[i] = all || (g == 0 && i < RAM / LARGE_PAGE) ? directory[i] | PAGE_USER : 0;
        }
    }
    for (uint64_t i = 256; i < 512; i++) {
        low[i] = i << 12 | PAGE_PRESENT_WRITE;
    }
    table_at(pdpt[0])[0] = (uint64_t)(uintptr_t)low | PAGE_PRESENT_WRITE;
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

static void device_write(uint64_t at, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)(ALIAS + at) = value;
}

/* Each gate gets a stack of its own (SDM vol. 3, 6.14.5): NMI, double fault, the rest. */
static void set_stacks(void)
{
    for (unsigned int v = 0; v < 256; v++) {
        uint8_t *gate = (uint8_t *)(uintptr_t)(idtr.base + 16 * v);

        gate[4] = v == NMI ? 2 : v == DOUBLE_FAULT ? 3 : 1;
    }
}

static void watchdog(void)
{
    device_write(IOAPIC_SELECT, 0x10 + 2 * GSI_PIT + 1);
    device_write(IOAPIC_WINDOW, 0);
    device_write(IOAPIC_SELECT, 0x10 + 2 * GSI_PIT);
    device_write(IOAPIC_WINDOW, IOAPIC_NMI);
    pit_start(WATCHDOG_PIT);
}

/* Each write that is not needed would be an exit. */
static void restore_cr(void)
{
    uint64_t now;

    __asm__ volatile("mov %%cr0, %0" : "=r"(now));
    if (now != cr0) {
        __asm__ volatile("mov %0, %%cr0" : : "r"(cr0));
    }
    __asm__ volatile("mov %%cr4, %0" : "=r"(now));
    if (now != cr4) {
        __asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
    }
}

static void leave(struct trap_frame *frame)
{
    running = false;
    frame->rip = (uint64_t)(uintptr_t)chaos_return;
    frame->cs = SEL_CODE64;
    frame->ss = SEL_DATA;
    frame->rflags = 2;
    frame->rsp = chaos_rsp;
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull));
    restore_cr();
}

/* Where the attempt is, from the start of its code; too far if it is elsewhere. */
static uint64_t offset_of(const struct trap_frame *frame)
{
    const bool in16 = (frame->cs | 3) == (SEL_CODE16 | 3) || frame->cs == SEL_CODE16_USER;

    return frame->rip - (in16 ? 0 : (uint64_t)(uintptr_t)code);
}

static void on_any(struct trap_frame *frame)
{
    tally.vectors[frame->vector]++;
    if (frame->vector >= 32) {
        device_write(LAPIC_BASE + LAPIC_EOI, 0);
    }
    if (!running && frame->vector < 32) {
        printf("chaos: FAIL this program's own fault %lu at %lx\n", frame->vector, frame->rip);
        machine_exit(EXIT_TRAP);
    }
    if (!running) {
        return;
    }
    frame->rflags &= ~(uint64_t)RFLAGS_TF;
    __asm__ volatile("mov %0, %%dr7" : : "r"(0x400ull));
    if (++faults == MOST_FAULTS || offset_of(frame) + 1 >= CODE_BYTES) {
        leave(frame);
        return;
    }
    frame->rip++;
}

/* Half a millisecond is enough for any attempt; most of those that it ends are loops, or HLT with interrupts
 * off. */
static void on_nmi(struct trap_frame *frame)
{
    tally.vectors[NMI]++;
    if (running) {
        leave(frame);
    }
}

void machine_restore(void)
{
    load_gdt();
    __asm__ volatile("lidt %0" : : "m"(idtr));
    __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
    wrmsr(MSR_EFER, efer);
    pic_init();
    pic_mask_all();
    watchdog();
}

void machine_take(uint8_t *where, bool all)
{
    code = where;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    cr4 |= 0x640;               /* MCE, OSFXSR and OSXMMEXCPT: they are there */
    efer = rdmsr(MSR_EFER) | 1; /* SYSCALL is there */
    __asm__ volatile("sidt %0" : "=m"(idtr));
    for (unsigned int v = 0; v < 256; v++) {
        traps_set((uint8_t)v, on_any);
    }
    traps_set(NMI, on_nmi);
    make_gdt();
    give_pages(all);
    load_gdt();
    set_stacks();
    machine_restore();
}

void machine_try(const struct start *start)
{
    faults = 0;
    tally.attempts++;
    running = true;
    chaos_enter(start);
}
