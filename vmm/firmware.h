/* What a PC's firmware leaves in memory for an operating system: the memory map, the BIOS data area, the ACPI
 * and MP tables. There is no firmware code: no interrupt service (INT 10h, 13h, 15h) answers a guest
 * (vmm/no_bios.h). */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include <stdint.h>

struct vm;

/* Guest-physical layout below 1 MiB. E0000h-FFFFFh is RAM that the memory map calls reserved. */
#define FW_BDA         0x400u   /* BIOS data area, segment 40h */
#define FW_EBDA        0x9FC00u /* extended BIOS data area, 1 KiB: the end of conventional memory */
#define FW_HOLE        0xA0000u
#define FW_ACPI        0xE0000u /* RSDP first (ACPI 6.4, 5.2.5.1: on a 16-byte boundary in E0000h-FFFFFh) */
#define FW_ACPI_END    0xE8000u
#define FW_PAGE_TABLE  0xE8000u /* identity map of 4 GiB for guests entered in long mode: 6 pages */
#define FW_GDT         0xEF000u /* the loader's descriptor table, for guests that do not bring their own at once */
#define FW_MPTABLE     0xF0000u /* MP floating pointer structure (MP spec 1.4, 4: F0000h-FFFFFh) */
#define FW_MPTABLE_END 0xF1000u
#define FW_HIGH        0x100000u
#define FW_4G          0x100000000u

/* Types of ACPI 6.4, table 15-374; Linux's E820, multiboot and PVH use the same numbers. */
#define MEMMAP_RAM      1u
#define MEMMAP_RESERVED 2u

struct memmap_entry {
    uint64_t base;
    uint64_t length;
    uint32_t type;
};

#define MEMMAP_MAX 8

struct memmap {
    struct memmap_entry entry[MEMMAP_MAX];
    unsigned int n;
};

/* The VM's memory map in order of address: RAM that the guest may use, and what it must keep off. */
void firmware_memmap(const struct vm *vm, struct memmap *out);

/* Writes the vectors, the BIOS data area, the ACPI tables and the MP table into guest RAM. Called at each
 * (re)start, before the images are loaded. Guest RAM reaches to at least 1 MiB (asserted; config.c refuses
 * less). */
void firmware_write(struct vm *vm);

#endif
