#include "vmm/firmware.h"

#include "vmm/acpi_tables.h"
#include "vmm/cpuid.h"
#include "vmm/host.h"
#include "vmm/ioapic.h"
#include "vmm/lapic.h"
#include "vmm/mptable.h"
#include "vmm/no_bios.h"
#include "vmm/string.h"
#include "vmm/vm.h"

static void add(struct memmap *map, uint64_t base, uint64_t end, uint32_t type)
{
    if (base >= end)
        return;
    ASSERT(map->n < MEMMAP_MAX);
    map->entry[map->n++] = (struct memmap_entry){.base = base, .length = end - base, .type = type};
}

void firmware_memmap(const struct vm *vm, struct memmap *out)
{
    out->n = 0;
    add(out, 0, FW_EBDA, MEMMAP_RAM);
    add(out, FW_EBDA, FW_HOLE, MEMMAP_RESERVED);
    add(out, FW_ACPI, FW_HIGH, MEMMAP_RESERVED);
    add(out, FW_HIGH, vm->ram.low, MEMMAP_RAM);
    add(out, IOAPIC_BASE, IOAPIC_BASE + IOAPIC_LENGTH, MEMMAP_RESERVED);
    add(out, LAPIC_DEFAULT_BASE, LAPIC_DEFAULT_BASE + LAPIC_LENGTH, MEMMAP_RESERVED);
    add(out, FW_4G, FW_4G + vm->ram.high, MEMMAP_RAM);
}

/* What a PC's power-on self test finds: offset in segment 40h, value. All else there is 0. */
static const struct bda_word {
    uint16_t offset;
    uint16_t value;
} bda_words[] = {
    {0x00, 0x03F8},         /* COM1's port */
    {0x0E, FW_EBDA >> 4},   /* segment of the EBDA */
    {0x10, 0x0222},         /* equipment: FPU, 80x25 colour text, one serial port */
    {0x13, FW_EBDA / 1024}, /* conventional memory, KiB */
    {0x49, 0x5003},         /* video mode 3; 4Ah: 80 columns */
    {0x4C, 4000},           /* bytes in the text page */
    {0x60, 0x0607},         /* cursor's lines */
    {0x63, 0x03D4},         /* CRTC's port */
    {0x84, 0x1018},         /* rows less 1; 85h: 16 lines a character */
};
#define BDA_SIZE 0x100u

static void write_bda(struct vm *vm)
{
    uint8_t *bda = vm_ram(vm, FW_BDA, BDA_SIZE);
    uint8_t *ebda = vm_ram(vm, FW_EBDA, FW_HOLE - FW_EBDA);
    size_t i;

    ASSERT(bda != NULL && ebda != NULL);
    memset(bda, 0, BDA_SIZE);
    for (i = 0; i < sizeof(bda_words) / sizeof(bda_words[0]); i++) {
        bda[bda_words[i].offset] = (uint8_t)bda_words[i].value;
        bda[bda_words[i].offset + 1] = (uint8_t)(bda_words[i].value >> 8);
    }
    memset(ebda, 0, FW_HOLE - FW_EBDA);
    ebda[0] = (FW_HOLE - FW_EBDA) / 1024;
}

static void write_acpi(struct vm *vm)
{
    const struct acpi_config config = {
        .cpus = vm->nvcpus, .ioapic_id = vm->platform.ioapic.id, .hpet = !vm->config.no_hpet};
    uint8_t *area = vm_ram(vm, FW_ACPI, FW_ACPI_END - FW_ACPI);
    size_t used;

    ASSERT(area != NULL);
    memset(area, 0, FW_ACPI_END - FW_ACPI);
    used = acpi_tables_write(area, FW_ACPI_END - FW_ACPI, FW_ACPI, &config);
    ASSERT(used != 0);
    (void)used;
}

static void write_mptable(struct vm *vm)
{
    struct mptable_config config = {.cpus = vm->nvcpus, .ioapic_id = vm->platform.ioapic.id};
    uint8_t *area = vm_ram(vm, FW_MPTABLE, FW_MPTABLE_END - FW_MPTABLE);
    uint32_t leaf[4];
    size_t used;

    ASSERT(area != NULL);
    cpuid_read(vm->vcpus[0], 1, 0, leaf);
    config.cpu_signature = leaf[CPUID_EAX];
    config.cpu_features = leaf[CPUID_EDX];
    memset(area, 0, FW_MPTABLE_END - FW_MPTABLE);
    used = mptable_write(area, FW_MPTABLE_END - FW_MPTABLE, FW_MPTABLE, &config);
    ASSERT(used != 0);
    (void)used;
}

void firmware_write(struct vm *vm)
{
    no_bios_write(vm);
    write_bda(vm);
    write_acpi(vm);
    write_mptable(vm);
}
