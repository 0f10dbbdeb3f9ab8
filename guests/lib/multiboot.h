/* What a multiboot 1 loader leaves (Multiboot Specification 0.6.96, 3.3). */
#ifndef GUESTS_LIB_MULTIBOOT_H
#define GUESTS_LIB_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_LOADER_MAGIC 0x2BADB002

#define MB_MEMORY  (1u << 0)
#define MB_CMDLINE (1u << 2)
#define MB_MODULES (1u << 3)
#define MB_MAP     (1u << 6)
#define MB_LOADER  (1u << 9)
#define MB_MAP_RAM 1

struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower, mem_upper; /* KiB below 640 KiB, KiB from 1 MiB */
    uint32_t boot_device;
    uint32_t cmdline;
    uint32_t mods_count, mods_addr;
    uint32_t syms[4];
    uint32_t mmap_length, mmap_addr;
    uint32_t drives_length, drives_addr;
    uint32_t config_table;
    uint32_t boot_loader_name;
};
_Static_assert(sizeof(struct multiboot_info) == 68, "Multiboot 3.3");

struct multiboot_module {
    uint32_t start, end, words, reserved;
};

struct multiboot_map_entry {
    uint32_t size; /* of the entry, without this field */
    uint64_t base, length;
    uint32_t type;
} __attribute__((packed));

/* Every multiboot guest's main. Its value is the machine's exit code. */
int guest_main(uint64_t magic, uint64_t info);

/* The command line, "" where there is none. */
const char *multiboot_cmdline(const struct multiboot_info *mb);

/* Sets up the serial port and the traps; checks the magic and answers the information, or ends the machine.
 */
const struct multiboot_info *guest_init(uint64_t magic, uint64_t info);

#endif
