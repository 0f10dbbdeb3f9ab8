/* Prints its multiboot information and checks it (Multiboot Specification 3.3). Words: exit=N. */
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"

#define SHOWN_BYTES 16

extern uint8_t image_start[], image_end[]; /* guest.ld */

static bool outside_image(uint64_t start, uint64_t length)
{
    return start + length <= (uintptr_t)image_start || start >= (uintptr_t)image_end;
}

static void show_memory(const struct multiboot_info *mb)
{
    uint64_t best = 0;

    report((mb->flags & MB_MEMORY) != 0, "memory sizes given");
    printf("hello: memory lower=%uK upper=%uK\n", mb->mem_lower, mb->mem_upper);
    if (!report((mb->flags & MB_MAP) != 0, "memory map given")) {
        return;
    }
    report(outside_image(mb->mmap_addr, mb->mmap_length), "memory map lies outside the image");
    for (uint32_t at = 0; at < mb->mmap_length;) {
        const struct multiboot_map_entry *e = (const void *)(uintptr_t)(mb->mmap_addr + at);

        printf("hello: map %016lx-%016lx type=%u\n", (unsigned long)e->base,
               (unsigned long)(e->base + e->length), e->type);
        if (e->type == MB_MAP_RAM && e->base == 0x100000) {
            best = e->length;
        }
        at += e->size + 4;
    }
    report(best >> 10 == mb->mem_upper, "the map's RAM at 1 MiB is mem_upper");
}

static void show_module(unsigned int i, const struct multiboot_module *m)
{
    const uint8_t *data = (const uint8_t *)(uintptr_t)m->start;
    uint32_t size = m->end - m->start, sum = 0;

    for (uint32_t k = 0; k < size; k++) {
        sum += data[k];
    }
    printf("hello: module %u size=%u sum=%u words='%s' begins '", i, size, sum,
           m->words != 0 ? (const char *)(uintptr_t)m->words : "");
    for (uint32_t k = 0; k < size && k < SHOWN_BYTES; k++) {
        printf("%c", data[k] >= ' ' && data[k] < 0x7F ? data[k] : '.');
    }
    printf("'\n");
    report((m->start & 0xFFF) == 0, "module %u on a page boundary", i);
    report(outside_image(m->start, size), "module %u lies outside the image", i);
}

static void show_modules(const struct multiboot_info *mb)
{
    const struct multiboot_module *m = (const void *)(uintptr_t)mb->mods_addr;

    if (!(mb->flags & MB_MODULES)) {
        printf("hello: no modules\n");
        return;
    }
    printf("hello: %u modules\n", mb->mods_count);
    for (unsigned int i = 0; i < mb->mods_count; i++) {
        show_module(i, &m[i]);
    }
}

int guest_main(uint64_t magic, uint64_t info)
{
    const struct multiboot_info *mb = guest_init(magic, info);
    bool bad = false;

    printf("hello: flags=%x\n", mb->flags);
    report(outside_image(info, sizeof(*mb)), "information lies outside the image");
    report((mb->flags & MB_CMDLINE) != 0, "command line given");
    printf("hello: cmdline '%s'\n", multiboot_cmdline(mb));
    report((mb->flags & MB_LOADER) != 0, "loader's name given");
    if (mb->flags & MB_LOADER) {
        printf("hello: loader '%s'\n", (const char *)(uintptr_t)mb->boot_loader_name);
    }
    show_memory(mb);
    show_modules(mb);

    int code = report_summary();
    uint64_t wanted = word_number(multiboot_cmdline(mb), "exit", 0, &bad);

    printf("hello: done\n");
    return code != EXIT_OK ? code : (int)wanted;
}
