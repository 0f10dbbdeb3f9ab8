/* States in which no instruction can be fetched, no exception delivered, or both. Each ends its machine. */
#include "guests/hostile/hostile.h"

#include "guests/lib/io.h"
#include "guests/lib/power.h"
#include "guests/lib/string.h"

#define LAPIC   0xFEE00000ull
#define IOAPIC  0xFEC00000ull
#define NOWHERE 0xB0000000ull
#define PRESENT 0x3ull
#define ENTRIES 512

static uint64_t *tables(void)
{
    uint64_t cr3;

    __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
    return (uint64_t *)(uintptr_t)cr3;
}

static void load_cr3(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

/* Every entry of the top is the top itself: each address is a page of page tables. */
int hostile_tables_self(const struct plan *plan)
{
    uint64_t *top = tables();

    (void)plan;
    for (unsigned int i = 1; i < ENTRIES; i++) {
        top[i] = (uint64_t)(uintptr_t)top | PRESENT;
    }
    load_cr3((uint64_t)(uintptr_t)top);
    *(volatile uint64_t *)(0xFFFFFFFFFFFFF000) = 0; /* the top's first entry */
    load_cr3((uint64_t)(uintptr_t)top);
    return EXIT_FAIL;
}

/* The second level is a device's registers, and the processor writes its accessed bits there. */
int hostile_tables_device(const struct plan *plan)
{
    (void)plan;
    tables()[1] = IOAPIC | PRESENT;
    load_cr3((uint64_t)(uintptr_t)tables());
    (void)*(volatile uint64_t *)(1ull << 39);
    return EXIT_FAIL;
}

int hostile_tables_nowhere(const struct plan *plan)
{
    (void)plan;
    load_cr3(NOWHERE);
    return EXIT_FAIL;
}

/* All bits set, present and reserved ones: #PF with RSVD, also for the handler's own page. */
int hostile_tables_reserved(const struct plan *plan)
{
    (void)plan;
    memset(tables(), 0xFF, ENTRIES * sizeof(uint64_t));
    load_cr3((uint64_t)(uintptr_t)tables());
    return EXIT_FAIL;
}

struct pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

/* The next load of a segment, and every gate, looks there. */
int hostile_gdt(const struct plan *plan)
{
    static const struct pointer device = {0xFFFF, LAPIC};

    (void)plan;
    __asm__ volatile("lgdt %0; movl $0x10, %%eax; mov %%eax, %%ds; int3" : : "m"(device) : "eax", "memory");
    return EXIT_FAIL;
}

int hostile_idt_device(const struct plan *plan)
{
    static const struct pointer device = {0xFFFF, LAPIC};

    (void)plan;
    __asm__ volatile("lidt %0; ud2" : : "m"(device));
    return EXIT_FAIL;
}

/* Exceptions are to be pushed on a device. */
int hostile_stack(const struct plan *plan)
{
    (void)plan;
    __asm__ volatile("mov %0, %%rsp; ud2" : : "r"(IOAPIC + 0x800) : "memory");
    return EXIT_FAIL;
}

int hostile_code_device(const struct plan *plan)
{
    (void)plan;
    __asm__ volatile("jmp *%0" : : "r"(LAPIC + 0x20));
    return EXIT_FAIL;
}
