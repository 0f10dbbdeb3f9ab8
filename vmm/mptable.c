#include "vmm/mptable.h"

#include "vmm/apic_message.h"
#include "vmm/blob.h"
#include "vmm/ioapic.h"
#include "vmm/lapic.h"

#define FLOATING_SIZE 16u
#define SPEC_REVISION 4u /* 1.4 */

/* Entry types (MP spec, table 4-3). */
#define ENTRY_PROCESSOR 0u
#define ENTRY_BUS       1u
#define ENTRY_IOAPIC    2u
#define ENTRY_IO_INT    3u
#define ENTRY_LOCAL_INT 4u

#define CPU_ENABLED   1u
#define CPU_BOOTSTRAP 2u

/* Interrupt types (table 4-11) and flags (table 4-10). */
#define INT_VECTORED   0u
#define INT_NMI        1u
#define INT_EXTINT     3u
#define INT_CONFORMS   0u   /* as the bus has it: ISA is edge-triggered, active high */
#define INT_HIGH_LEVEL 0xDu /* active high, level-triggered */

#define ISA_BUS   0u
#define ISA_IRQS  16u
#define IRQ_TIMER 0u
#define IRQ_PIC2  2u /* the second PIC's: no source of its own */
#define IRQ_SCI   9u
#define ALL_APICS 0xFFu

static void processors(struct blob *b, const struct mptable_config *config)
{
    unsigned int i;

    for (i = 0; i < config->cpus; i++) {
        blob_u8(b, ENTRY_PROCESSOR);
        blob_u8(b, (uint8_t)i);
        blob_u8(b, LAPIC_VERSION & 0xFFu);
        blob_u8(b, i == 0 ? CPU_ENABLED | CPU_BOOTSTRAP : CPU_ENABLED);
        blob_u32(b, config->cpu_signature);
        blob_u32(b, config->cpu_features);
        blob_zeros(b, 8);
    }
}

static void interrupt(struct blob *b, uint8_t entry, uint8_t type, uint16_t flags, uint8_t irq, uint8_t apic,
                      uint8_t input)
{
    blob_u8(b, entry);
    blob_u8(b, type);
    blob_u16(b, flags);
    blob_u8(b, ISA_BUS);
    blob_u8(b, irq);
    blob_u8(b, apic);
    blob_u8(b, input);
}

/* ISA interrupts reach the IOAPIC's inputs of their numbers, IRQ 0 input 2 (as a PC's do). */
static unsigned int interrupts(struct blob *b, uint8_t ioapic)
{
    unsigned int n = 0;
    uint8_t irq;

    for (irq = 0; irq < ISA_IRQS; irq++) {
        if (irq == IRQ_PIC2)
            continue;
        interrupt(b, ENTRY_IO_INT, INT_VECTORED, irq == IRQ_SCI ? INT_HIGH_LEVEL : INT_CONFORMS, irq, ioapic,
                  irq == IRQ_TIMER ? 2 : irq);
        n++;
    }
    interrupt(b, ENTRY_LOCAL_INT, INT_EXTINT, INT_CONFORMS, 0, ALL_APICS, 0);
    interrupt(b, ENTRY_LOCAL_INT, INT_NMI, INT_CONFORMS, 0, ALL_APICS, 1);
    return n + 2;
}

/* 4.2. Entries in the order of their types, as the specification asks. */
static void configuration(struct blob *b, const struct mptable_config *config)
{
    size_t at = b->used;
    unsigned int n = config->cpus + 2;

    blob_bytes(b, "PCMP", 4);
    blob_u16(b, 0); /* length */
    blob_u8(b, SPEC_REVISION);
    blob_u8(b, 0); /* checksum */
    blob_bytes(b, "ESCAPEMT", 8);
    blob_bytes(b, "PLAIN PC    ", 12);
    blob_zeros(b, 6); /* no OEM table */
    blob_u16(b, 0);   /* number of entries */
    blob_u32(b, LAPIC_DEFAULT_BASE);
    blob_zeros(b, 4); /* no extended table */
    processors(b, config);
    blob_u8(b, ENTRY_BUS);
    blob_u8(b, ISA_BUS);
    blob_bytes(b, "ISA   ", 6);
    blob_u8(b, ENTRY_IOAPIC);
    blob_u8(b, config->ioapic_id);
    blob_u8(b, IOAPIC_VERSION);
    blob_u8(b, 1); /* usable */
    blob_u32(b, (uint32_t)IOAPIC_BASE);
    n += interrupts(b, config->ioapic_id);
    blob_patch_u16(b, at + 4, (uint16_t)(b->used - at));
    blob_patch_u16(b, at + 34, (uint16_t)n);
    blob_checksum(b, at, b->used - at, at + 7);
}

size_t mptable_write(uint8_t *mem, size_t size, uint32_t base, const struct mptable_config *config)
{
    struct blob b = {.mem = mem, .size = size};

    blob_bytes(&b, "_MP_", 4);
    blob_u32(&b, base + FLOATING_SIZE);
    blob_u8(&b, 1); /* length, in 16 bytes */
    blob_u8(&b, SPEC_REVISION);
    blob_u8(&b, 0);    /* checksum */
    blob_zeros(&b, 5); /* a configuration table is there; no IMCR: virtual wire mode */
    blob_checksum(&b, 0, FLOATING_SIZE, 10);
    configuration(&b, config);
    return b.full ? 0 : b.used;
}
