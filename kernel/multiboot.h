/* What the loader tells, multiboot 1 or 2, in one neutral form. The parser is pure and takes nothing on
 * trust: it copies what it needs, so that only the modules' data stays where the loader put it. */
#ifndef KERNEL_MULTIBOOT_H
#define KERNEL_MULTIBOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/config.h"

#define MULTIBOOT1_MAGIC 0x2badb002u /* in EAX at entry (Multiboot 0.6.96, 3.2) */
#define MULTIBOOT2_MAGIC 0x36d76289u /* (Multiboot2 2.0, 3.5) */

#define BOOT_MAX_RANGES  128
#define BOOT_MAX_MODULES 64
#define BOOT_STRINGS     32768 /* bytes for all strings together */
#define BOOT_RSDP_MAX    36

enum boot_mem_type { /* the numbers of the memory map (E820) */
                     BOOT_MEM_RAM = 1,
                     BOOT_MEM_RESERVED = 2,
                     BOOT_MEM_ACPI = 3,
                     BOOT_MEM_NVS = 4,
                     BOOT_MEM_BAD = 5,
};

struct boot_range {
    uint64_t base;
    uint64_t length; /* base + length does not overflow */
    uint32_t type;
};

struct boot_info {
    struct boot_range ranges[BOOT_MAX_RANGES];
    unsigned int nranges;
    struct boot_module
        modules[BOOT_MAX_MODULES]; /* data: through the `map` of boot_parse; words: writable copies */
    uint64_t module_phys[BOOT_MAX_MODULES];
    unsigned int nmodules;
    const char *cmdline; /* "" if none */
    const char *loader;
    bool qemu; /* the loader is QEMU's -kernel: file names come first in the strings */
    bool multiboot2;
    bool efi;                    /* the firmware is UEFI's */
    bool efi_services;           /* still on: no memory map is final then */
    bool graphics;               /* the loader has set a graphics mode */
    uint8_t rsdp[BOOT_RSDP_MAX]; /* multiboot 2's copy of it */
    unsigned int rsdp_length;    /* 0: none */
    const char *trouble;         /* what was odd and has been left out, NULL if nothing; one phrase */
    char strings[BOOT_STRINGS];
    size_t strings_used;
};

/* Gives a pointer to physical [phys, phys + length), or NULL if that is nowhere. */
typedef const void *(*boot_map_fn)(uint64_t phys, uint64_t length);

/* Reads the loader's information. False when there is no usable one (wrong magic number, no memory map, the
 * UEFI still in charge): *trouble says why, and what to do. info is about 40 KiB: not for a stack. */
bool boot_parse(struct boot_info *info, uint32_t magic, uint64_t info_phys, boot_map_fn map);

#endif
