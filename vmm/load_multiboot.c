/* Multiboot 1 kernels (Multiboot specification 0.6.96): ELF32, ELF64 and images that bring their addresses in
 * the header ("a.out kludge"). All are entered in 32-bit protected mode. */
#include "vmm/host.h"
#include "vmm/load_elf.h"
#include "vmm/load_kinds.h"
#include "vmm/load_mbinfo.h"

#define SEARCH       8192u /* 3.1: the header lies in the first 8192 bytes, 32-bit aligned */
#define HEADER_MAGIC 0x1BADB002u
#define BOOT_MAGIC   0x2BADB002u

/* Header flags: bits 0 to 15 are requirements. Modules are page-aligned and memory information is there
 * always. */
#define FLAG_PAGE_ALIGN 0x00000001u
#define FLAG_MEMORY     0x00000002u
#define FLAG_VIDEO      0x00000004u
#define FLAG_ADDRESSES  0x00010000u
#define FLAGS_REQUIRED  0x0000FFFFu
#define FLAGS_KNOWN     (FLAG_PAGE_ALIGN | FLAG_MEMORY | FLAG_VIDEO)

#define HEADER_SIZE           12u
#define HEADER_ADDRESSES_SIZE 32u

struct header {
    uint32_t offset; /* in the file */
    uint32_t flags;
};

static bool find_header(const struct load *l, struct header *out)
{
    uint64_t end = l->size < SEARCH ? l->size : SEARCH;
    uint32_t at;

    for (at = 0; at + HEADER_SIZE <= end; at += 4) {
        const uint8_t *p = l->image + at;

        if (get_u32(p) != HEADER_MAGIC || get_u32(p) + get_u32(p + 4) + get_u32(p + 8) != 0)
            continue;
        out->offset = at;
        out->flags = get_u32(p + 4);
        return true;
    }
    return false;
}

bool multiboot_is(const struct load *l)
{
    struct header header;

    return find_header(l, &header);
}

static bool wrong_address(struct load *l, const char *what)
{
    host_snprintf(l->why, l->n, "%s has a multiboot header with wrong addresses: %s", l->name, what);
    return false;
}

/* Bit 16 of the flags: where to load what is in the header (3.1.3). It stands above an ELF header. */
static bool load_by_addresses(struct load *l, const struct header *h, uint64_t *end, uint32_t *entry)
{
    const uint8_t *p = l->image + h->offset;
    uint32_t header_addr, load_addr, load_end, bss_end;
    uint64_t offset, size, memory;

    if (!load_in_image(l, h->offset, HEADER_ADDRESSES_SIZE))
        return wrong_address(l, "the file ends in it");
    header_addr = get_u32(p + 12);
    load_addr = get_u32(p + 16);
    load_end = get_u32(p + 20);
    bss_end = get_u32(p + 24);
    *entry = get_u32(p + 28);
    if (header_addr < load_addr || header_addr - load_addr > h->offset)
        return wrong_address(l, "header_addr");
    offset = h->offset - (header_addr - load_addr);
    if (load_end != 0 && load_end <= load_addr)
        return wrong_address(l, "load_end_addr");
    size = load_end != 0 ? load_end - load_addr : l->size - offset;
    if (!load_in_image(l, offset, size)) {
        host_snprintf(l->why, l->n, "%s is truncated: its header says %llu bytes, the file has %llu", l->name,
                      (unsigned long long)(offset + size), (unsigned long long)l->size);
        return false;
    }
    if (bss_end != 0 && (bss_end < load_addr || bss_end - load_addr < size))
        return wrong_address(l, "bss_end_addr");
    memory = bss_end != 0 ? bss_end - load_addr : size;
    if (*entry < load_addr || *entry - load_addr >= memory)
        return wrong_address(l, "entry_addr");
    *end = load_addr + memory;
    return load_piece(l, load_addr, l->image + offset, size, memory);
}

static bool load_elf(struct load *l, struct elf *e, uint64_t *end, uint32_t *entry)
{
    if (!elf_is(l)) {
        host_snprintf(l->why, l->n,
                      "%s is a multiboot image that is not ELF and has no load addresses (flag 16)", l->name);
        return false;
    }
    return elf_open(e, l) && elf_load(e, l, end) && elf_entry(e, l, entry);
}

bool multiboot_load(struct load *l)
{
    uint32_t entry, info;
    struct header h;
    struct elf elf;
    uint64_t end;
    bool addresses;

    if (!find_header(l, &h) || !load_no_initrd(l, "multiboot"))
        return false;
    if ((h.flags & FLAGS_REQUIRED & ~FLAGS_KNOWN) != 0) {
        host_snprintf(l->why, l->n, "%s asks for unknown multiboot features (header flags 0x%x)", l->name,
                      h.flags);
        return false;
    }
    addresses = (h.flags & FLAG_ADDRESSES) != 0;
    if (!(addresses ? load_by_addresses(l, &h, &end, &entry) : load_elf(l, &elf, &end, &entry)))
        return false;
    if (!mbinfo_write(l, end, addresses ? NULL : &elf, (h.flags & FLAG_VIDEO) != 0, &info))
        return false;
    load_cpu_flat32(l->vm, entry, BOOT_MAGIC, info);
    return true;
}
