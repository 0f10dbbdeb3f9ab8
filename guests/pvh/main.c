/* A PVH guest: checks hvm_start_info (Xen's public/arch-x86/hvm/start_info.h) and prints it. */
#include "guests/lib/acpi.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/traps.h"

#define START_MAGIC 0x336EC578
#define MAP_RAM     1

struct start_info {
    uint32_t magic, version, flags, nr_modules;
    uint64_t modules, cmdline, rsdp;
    uint64_t map; /* from version 1 on */
    uint32_t map_entries, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "start_info.h");

struct map_entry {
    uint64_t base, length;
    uint32_t type, reserved;
};

struct module_entry {
    uint64_t address, size, cmdline, reserved;
};

static void show_map(const struct start_info *s)
{
    const struct map_entry *map = (const void *)(uintptr_t)s->map;
    uint64_t ram = 0;

    for (uint32_t i = 0; i < s->map_entries; i++) {
        printf("pvh: map %016lx-%016lx type=%u\n", (unsigned long)map[i].base,
               (unsigned long)(map[i].base + map[i].length), map[i].type);
        ram += map[i].type == MAP_RAM ? map[i].length : 0;
    }
    report(ram > 0x100000, "the map holds RAM");
}

static void show_modules(const struct start_info *s)
{
    const struct module_entry *m = (const void *)(uintptr_t)s->modules;

    for (uint32_t i = 0; i < s->nr_modules; i++) {
        printf("pvh: module %u size=%lu words='%s'\n", i, (unsigned long)m[i].size,
               m[i].cmdline != 0 ? (const char *)(uintptr_t)m[i].cmdline : "");
    }
}

int guest_main(uint64_t magic, uint64_t info)
{
    const struct start_info *s = (const void *)(uintptr_t)info;

    (void)magic;
    serial_init();
    traps_init();
    if (!report(s->magic == START_MAGIC, "start_info's magic")) {
        return report_summary();
    }
    report(s->version >= 1, "version 1 or later: it has a memory map");
    report(s->cmdline != 0, "command line given");
    printf("pvh: cmdline '%s'\n", s->cmdline != 0 ? (const char *)(uintptr_t)s->cmdline : "");
    report(s->rsdp != 0 && memcmp((const void *)(uintptr_t)s->rsdp, "RSD PTR ", 8) == 0, "RSDP given");
    report(acpi_table("FACP") != NULL, "FADT found");
    show_map(s);
    show_modules(s);
    return report_summary();
}
