/* ACPI 6.4, 5.2.12.3 and 5.2.12.5 (I/O APIC, interrupt source override); Intel 82093AA, 3.2.4; 8254. */
#include "arch/x86/nmi_tick.h"

#include <stddef.h>
#include <stdint.h>

#include "arch/x86/acpi.h"
#include "arch/x86/apic.h"
#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"
#include "vmm/string.h"

#define MADT_ENTRIES  44
#define MADT_IOAPIC   1
#define MADT_OVERRIDE 2
#define IRQ_PIT       0

#define IOAPIC_SELECT  0x00
#define IOAPIC_WINDOW  0x10
#define IOAPIC_VERSION 0x01
#define IOAPIC_ENTRY   0x10 /* two registers for each input */
#define ENTRY_NMI      (4u << 8)
#define ENTRY_MASKED   (1u << 16)
#define ENTRY_DEST     24

#define PIT_CHANNEL_0 0x40
#define PIT_CONTROL   0x43
#define PIT_MODE_2    0x34 /* channel 0, both bytes, rate generator; a count of 0 is 65536 */

static volatile uint8_t *ioapic;
static uint32_t input;

static uint32_t read32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint32_t ioapic_read(uint32_t reg)
{
    *(volatile uint32_t *)(ioapic + IOAPIC_SELECT) = reg;
    return *(volatile uint32_t *)(ioapic + IOAPIC_WINDOW);
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(ioapic + IOAPIC_SELECT) = reg;
    *(volatile uint32_t *)(ioapic + IOAPIC_WINDOW) = value;
}

/* Where IRQ 0 goes: the override says which GSI, and the IOAPIC with the GSIs from 0 on has it as an input.
 */
static bool find(uint32_t *base)
{
    uint32_t length, gsi = IRQ_PIT;
    const uint8_t *madt = acpi_table("APIC", &length);
    bool found = false;

    for (uint32_t at = MADT_ENTRIES; madt && at + 2 <= length; at += madt[at + 1]) {
        const uint8_t *e = madt + at;

        if (e[1] < 2 || at + e[1] > length)
            return false;
        if (e[0] == MADT_IOAPIC && e[1] >= 12 && read32(e + 8) == 0) {
            *base = read32(e + 4);
            found = true;
        } else if (e[0] == MADT_OVERRIDE && e[1] >= 10 && e[3] == IRQ_PIT) {
            gsi = read32(e + 4);
        }
    }
    input = gsi;
    return found;
}

bool nmi_tick_start(void)
{
    uint32_t base;

    if (!find(&base))
        return false;
    ioapic = map_mmio(base, PAGE_SIZE);
    if (input > (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff))
        return false;
    ioapic_write(IOAPIC_ENTRY + 2 * input + 1, apic_id() << ENTRY_DEST);
    ioapic_write(IOAPIC_ENTRY + 2 * input, ENTRY_NMI);
    outb(PIT_CONTROL, PIT_MODE_2);
    outb(PIT_CHANNEL_0, 0);
    outb(PIT_CHANNEL_0, 0);
    return true;
}

void nmi_tick_stop(void)
{
    if (ioapic)
        ioapic_write(IOAPIC_ENTRY + 2 * input, ENTRY_NMI | ENTRY_MASKED);
}
