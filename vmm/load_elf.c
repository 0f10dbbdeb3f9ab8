#include "vmm/load_elf.h"

#include "vmm/host.h"
#include "vmm/string.h"

#define EI_CLASS    4u
#define EI_DATA     5u
#define ELFCLASS32  1u
#define ELFCLASS64  2u
#define ELFDATA2LSB 1u
#define ET_EXEC     2u
#define ET_DYN      3u
#define EM_386      3u
#define EM_X86_64   62u

#define EHDR32_SIZE 52u
#define EHDR64_SIZE 64u
#define PHDR32_SIZE 32u
#define PHDR64_SIZE 56u
#define SHDR32_SIZE 40u
#define SHDR64_SIZE 64u

bool elf_is(const struct load *l)
{
    return l->size >= 4 && memcmp(l->image,
                                  "\x7F"
                                  "ELF",
                                  4) == 0;
}

static bool corrupt(struct load *l, const char *what)
{
    host_snprintf(l->why, l->n, "%s is a corrupt ELF file: %s", l->name, what);
    return false;
}

static bool truncated(struct load *l, const char *what, uint64_t end)
{
    host_snprintf(l->why, l->n, "%s is truncated: its %s end at byte %llu, the file has %llu", l->name, what,
                  (unsigned long long)end, (unsigned long long)l->size);
    return false;
}

static void read_header(struct elf *e, const uint8_t *h)
{
    const uint8_t *tail = h + (e->is64 ? 52 : 40); /* from e_ehsize on both are alike */

    e->entry = e->is64 ? get_u64(h + 24) : get_u32(h + 24);
    e->phoff = e->is64 ? get_u64(h + 32) : get_u32(h + 28);
    e->shoff = e->is64 ? get_u64(h + 40) : get_u32(h + 32);
    e->phentsize = get_u16(tail + 2);
    e->phnum = get_u16(tail + 4);
    e->shentsize = get_u16(tail + 6);
    e->shnum = get_u16(tail + 8);
    e->shstrndx = get_u16(tail + 10);
}

bool elf_open(struct elf *e, struct load *l)
{
    const uint8_t *h = l->image;
    uint64_t table;

    *e = (struct elf){.load = l};
    if (l->size < EHDR32_SIZE || (h[EI_CLASS] == ELFCLASS64 && l->size < EHDR64_SIZE))
        return truncated(l, "ELF header", EHDR64_SIZE);
    if (h[EI_CLASS] != ELFCLASS32 && h[EI_CLASS] != ELFCLASS64)
        return corrupt(l, "neither 32 nor 64 bits");
    if (h[EI_DATA] != ELFDATA2LSB || (get_u16(h + 18) != EM_386 && get_u16(h + 18) != EM_X86_64))
        return corrupt(l, "not for x86");
    if (get_u16(h + 16) != ET_EXEC && get_u16(h + 16) != ET_DYN)
        return corrupt(l, "not an executable");
    e->is64 = h[EI_CLASS] == ELFCLASS64;
    read_header(e, h);
    if (e->phnum == 0)
        return corrupt(l, "no program headers");
    if (e->phentsize < (e->is64 ? PHDR64_SIZE : PHDR32_SIZE))
        return corrupt(l, "its program headers are too short");
    table = (uint64_t)e->phentsize * e->phnum;
    if (e->phoff > UINT64_MAX - table)
        return corrupt(l, "its program headers are nowhere");
    if (!load_in_image(l, e->phoff, table))
        return truncated(l, "program headers", e->phoff + table);
    return true;
}

void elf_segment(const struct elf *e, unsigned int i, struct elf_segment *out)
{
    const uint8_t *p = e->load->image + e->phoff + (uint64_t)e->phentsize * i;

    out->type = get_u32(p);
    out->offset = e->is64 ? get_u64(p + 8) : get_u32(p + 4);
    out->vaddr = e->is64 ? get_u64(p + 16) : get_u32(p + 8);
    out->paddr = e->is64 ? get_u64(p + 24) : get_u32(p + 12);
    out->filesz = e->is64 ? get_u64(p + 32) : get_u32(p + 16);
    out->memsz = e->is64 ? get_u64(p + 40) : get_u32(p + 20);
}

static bool load_segment(struct load *l, const struct elf_segment *s)
{
    if (s->filesz > s->memsz)
        return corrupt(l, "a segment is longer in the file than in memory");
    if (s->filesz > UINT64_MAX - s->offset)
        return corrupt(l, "a segment is nowhere in the file");
    if (!load_in_image(l, s->offset, s->filesz))
        return truncated(l, "segments", s->offset + s->filesz);
    return load_piece(l, s->paddr, l->image + s->offset, s->filesz, s->memsz);
}

bool elf_load(const struct elf *e, struct load *l, uint64_t *end)
{
    unsigned int i;

    *end = 0;
    for (i = 0; i < e->phnum; i++) {
        struct elf_segment s;

        elf_segment(e, i, &s);
        if (s.type != PT_LOAD || s.memsz == 0)
            continue;
        if (!load_segment(l, &s))
            return false;
        if (s.paddr + s.memsz > *end)
            *end = s.paddr + s.memsz;
    }
    if (*end == 0)
        return corrupt(l, "nothing in it is to be loaded");
    return true;
}

/* The physical address of v, looked up among the virtual or among the physical addresses of the segments. */
static bool lookup(const struct elf *e, uint64_t v, bool virtual, uint64_t *out)
{
    unsigned int i;

    for (i = 0; i < e->phnum; i++) {
        struct elf_segment s;
        uint64_t base;

        elf_segment(e, i, &s);
        base = virtual ? s.vaddr : s.paddr;
        if (s.type != PT_LOAD || v < base || v - base >= s.memsz)
            continue;
        *out = s.paddr + (v - base);
        return true;
    }
    return false;
}

static bool entry_found(struct load *l, bool found, uint64_t physical, uint32_t *out)
{
    if (!found)
        return corrupt(l, "its entry point is in no segment");
    if (physical > UINT32_MAX)
        return corrupt(l, "its entry point is above 4 GiB");
    *out = (uint32_t)physical;
    return true;
}

bool elf_entry(const struct elf *e, struct load *l, uint32_t *out)
{
    uint64_t physical = 0;
    bool found = lookup(e, e->entry, true, &physical) || lookup(e, e->entry, false, &physical);

    return entry_found(l, found, physical, out);
}

bool elf_physical_entry(const struct elf *e, struct load *l, uint64_t p, uint32_t *out)
{
    uint64_t physical = 0;
    bool found = lookup(e, p, false, &physical);

    return entry_found(l, found, physical, out);
}

bool elf_has_sections(const struct elf *e)
{
    uint64_t table = (uint64_t)e->shentsize * e->shnum;

    return e->shnum != 0 && e->shentsize >= (e->is64 ? SHDR64_SIZE : SHDR32_SIZE) &&
           load_in_image(e->load, e->shoff, table);
}

void elf_section(const struct elf *e, unsigned int i, struct elf_section *out)
{
    const uint8_t *p = e->load->image + e->shoff + (uint64_t)e->shentsize * i;

    out->type = get_u32(p + 4);
    out->addr = e->is64 ? get_u64(p + 16) : get_u32(p + 12);
    out->offset = e->is64 ? get_u64(p + 24) : get_u32(p + 16);
    out->size = e->is64 ? get_u64(p + 32) : get_u32(p + 20);
}

void elf_set_section_addr(const struct elf *e, uint8_t *header, uint64_t addr)
{
    if (e->is64)
        memcpy(header + 16, &addr, 8);
    else
        memcpy(header + 12, &addr, 4);
}
