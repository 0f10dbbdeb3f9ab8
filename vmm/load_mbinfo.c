#include "vmm/load_mbinfo.h"

#include "vmm/blob.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"

/* What is there (3.3). No boot device (the image comes from no disk), drives, configuration table, APM or
 * VBE. */
#define INFO_MEMORY      (1u << 0)
#define INFO_CMDLINE     (1u << 2)
#define INFO_MODULES     (1u << 3)
#define INFO_ELF         (1u << 5)
#define INFO_MEMMAP      (1u << 6)
#define INFO_LOADER_NAME (1u << 9)
#define INFO_FRAMEBUFFER (1u << 12)

#define INFO_SIZE   116u
#define MODULE_SIZE 16u
#define MEMMAP_SIZE 24u

#define TEXT_SCREEN  0xB8000u
#define TEXT_COLUMNS 80u
#define TEXT_ROWS    25u
#define TEXT_TYPE    2u /* EGA text */

static const char loader_name[] = "Escapement";

struct sections {
    bool there;
    uint32_t gpa;
};

/* Everything in one piece of memory: structure, modules, memory map, strings. Offsets in it. */
struct layout {
    uint64_t modules, memmap, name, cmdline, strings, size;
};

struct info {
    struct load *load;
    const struct elf *elf;
    bool video;
    struct sections sections;
    uint64_t modules[VM_MAX_MODULES]; /* where they are */
    struct layout at;
    uint64_t gpa;
};

/* ---- ELF section headers and the sections that no segment holds: symbols, strings, debug information ----
 */

static bool is_loose(const struct elf *e, const struct elf_section *s)
{
    return s->type != SHT_NULL && s->type != SHT_NOBITS && s->addr == 0 && s->size != 0 &&
           load_in_image(e->load, s->offset, s->size);
}

static uint64_t align16(uint64_t v)
{
    return (v + 15) & ~15ull;
}

/* Bytes for the header table and the loose sections. At most 65535 pieces of a file: no sum of them wraps. */
static uint64_t sections_size(const struct elf *e)
{
    uint64_t size = align16((uint64_t)e->shentsize * e->shnum);
    unsigned int i;

    for (i = 0; i < e->shnum; i++) {
        struct elf_section s;

        elf_section(e, i, &s);
        if (is_loose(e, &s))
            size += align16(s.size);
    }
    return size;
}

/* What a kernel can do without is left out when it does not fit. */
static void load_sections(struct load *l, uint64_t image_end, const struct elf *e, struct sections *out)
{
    uint64_t gpa, size, at;
    unsigned int i;
    uint8_t *to;

    if (e == NULL || !elf_has_sections(e))
        return;
    size = sections_size(e);
    if (!space_take_low(&l->space, image_end, FW_4G, size, 4096, &gpa))
        return;
    to = memset(vm_ram(l->vm, gpa, size), 0, size);
    memcpy(to, l->image + e->shoff, (uint64_t)e->shentsize * e->shnum);
    at = align16((uint64_t)e->shentsize * e->shnum);
    for (i = 0; i < e->shnum; i++) {
        struct elf_section s;

        elf_section(e, i, &s);
        if (!is_loose(e, &s))
            continue;
        memcpy(to + at, l->image + s.offset, s.size);
        elf_set_section_addr(e, to + (uint64_t)e->shentsize * i, gpa + at);
        at += align16(s.size);
    }
    *out = (struct sections){.there = true, .gpa = (uint32_t)gpa};
}

/* ---- the structure ---- */

static void lay_out(struct info *info)
{
    const struct vm_config *c = &info->load->vm->config;
    struct layout *at = &info->at;
    unsigned int i;

    at->modules = (INFO_SIZE + 7) & ~7u;
    at->memmap = at->modules + (uint64_t)c->nmodules * MODULE_SIZE;
    at->name = at->memmap + (uint64_t)info->load->space.map.n * MEMMAP_SIZE;
    at->cmdline = at->name + sizeof(loader_name);
    at->strings = at->cmdline + strlen(c->image_name) + 1 + strlen(c->cmdline) + 1;
    at->size = at->strings;
    for (i = 0; i < c->nmodules; i++)
        at->size += strlen(c->modules[i].cmdline) + 1;
}

static uint32_t flags(const struct info *info)
{
    uint32_t f = INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MEMMAP | INFO_LOADER_NAME;

    if (info->sections.there)
        f |= INFO_ELF;
    if (info->video)
        f |= INFO_FRAMEBUFFER;
    return f;
}

static void write_section_fields(struct blob *b, const struct info *info)
{
    if (!info->sections.there) {
        blob_zeros(b, 16);
        return;
    }
    blob_u32(b, info->elf->shnum);
    blob_u32(b, info->elf->shentsize);
    blob_u32(b, info->sections.gpa);
    blob_u32(b, info->elf->shstrndx);
}

static void write_screen_fields(struct blob *b, const struct info *info)
{
    if (!info->video)
        return;
    blob_u64(b, TEXT_SCREEN);
    blob_u32(b, TEXT_COLUMNS * 2);
    blob_u32(b, TEXT_COLUMNS);
    blob_u32(b, TEXT_ROWS);
    blob_u8(b, 16);
    blob_u8(b, TEXT_TYPE);
}

static void write_fixed_part(struct blob *b, const struct info *info)
{
    const struct vm *vm = info->load->vm;
    uint32_t base = (uint32_t)info->gpa;

    blob_u32(b, flags(info));
    blob_u32(b, FW_EBDA / 1024);
    blob_u32(b, (uint32_t)((vm->ram.low - FW_HIGH) / 1024));
    blob_u32(b, 0); /* boot_device */
    blob_u32(b, base + (uint32_t)info->at.cmdline);
    blob_u32(b, vm->config.nmodules);
    blob_u32(b, base + (uint32_t)info->at.modules);
    write_section_fields(b, info);
    blob_u32(b, info->load->space.map.n * MEMMAP_SIZE);
    blob_u32(b, base + (uint32_t)info->at.memmap);
    blob_zeros(b, 12); /* drives, config_table */
    blob_u32(b, base + (uint32_t)info->at.name);
    blob_zeros(b, 20); /* apm_table, vbe_* */
    write_screen_fields(b, info);
}

static void write_modules(struct blob *b, const struct info *info)
{
    const struct vm_config *c = &info->load->vm->config;
    uint64_t string = info->gpa + info->at.strings;
    unsigned int i;

    for (i = 0; i < c->nmodules; i++) {
        blob_u32(b, (uint32_t)info->modules[i]);
        blob_u32(b, (uint32_t)(info->modules[i] + c->modules[i].size));
        blob_u32(b, (uint32_t)string);
        blob_u32(b, 0);
        string += strlen(c->modules[i].cmdline) + 1;
    }
}

static void write_memmap(struct blob *b, const struct memmap *map)
{
    unsigned int i;

    for (i = 0; i < map->n; i++) {
        blob_u32(b, MEMMAP_SIZE - 4); /* of what follows */
        blob_u64(b, map->entry[i].base);
        blob_u64(b, map->entry[i].length);
        blob_u32(b, map->entry[i].type);
    }
}

static void write_strings(struct blob *b, const struct vm_config *c)
{
    unsigned int i;

    blob_bytes(b, loader_name, sizeof(loader_name));
    blob_bytes(b, c->image_name, strlen(c->image_name));
    /* Without words of its own the command line is the name alone. */
    blob_u8(b, c->cmdline[0] != '\0' ? ' ' : '\0');
    blob_bytes(b, c->cmdline, strlen(c->cmdline) + 1);
    for (i = 0; i < c->nmodules; i++)
        blob_bytes(b, c->modules[i].cmdline, strlen(c->modules[i].cmdline) + 1);
}

bool mbinfo_write(struct load *l, uint64_t image_end, const struct elf *elf, bool video, uint32_t *gpa)
{
    const struct vm_config *c = &l->vm->config;
    struct info info = {.load = l, .elf = elf, .video = video};
    struct blob b = {0};
    unsigned int i;

    for (i = 0; i < c->nmodules; i++) {
        if (!load_module(l, image_end, c->modules[i].data, c->modules[i].size, &info.modules[i]))
            return false;
    }
    lay_out(&info);
    b.size = info.at.size;
    b.mem = load_scratch(l, b.size, &info.gpa);
    if (b.mem == NULL)
        return false;
    load_sections(l, image_end, elf, &info.sections);
    write_fixed_part(&b, &info);
    blob_zeros(&b, info.at.modules - b.used);
    write_modules(&b, &info);
    write_memmap(&b, &l->space.map);
    write_strings(&b, c);
    ASSERT(!b.full && b.used == b.size);
    *gpa = (uint32_t)info.gpa;
    return true;
}
