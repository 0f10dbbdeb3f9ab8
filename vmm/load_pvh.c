/* PVH: an ELF image with a note that names its 32-bit entry point; information about the machine in a
 * hvm_start_info structure (Xen's "x86/HVM direct boot ABI", docs/misc/pvh.pandoc; version 1 has the memory
 * map). */
#include "vmm/blob.h"
#include "vmm/host.h"
#include "vmm/load_elf.h"
#include "vmm/load_kinds.h"
#include "vmm/string.h"
#include "vmm/vm.h"

#define NOTE_HEADER       12u
#define NOTE_PHYS32_ENTRY 18u /* XEN_ELFNOTE_PHYS32_ENTRY */

#define START_MAGIC   0x336EC578u
#define START_VERSION 1u
#define START_SIZE    56u
#define MODULE_SIZE   32u
#define MEMMAP_SIZE   24u

/* Every ELF image comes here that is not multiboot: one without the note gets its error text here. */
bool pvh_is(const struct load *l)
{
    return elf_is(l);
}

static uint64_t align4(uint64_t v)
{
    return (v + 3) & ~3ull;
}

/* Looks through the notes in [p, p + size). */
static bool find_in_notes(const uint8_t *p, uint64_t size, uint64_t *entry)
{
    while (size >= NOTE_HEADER) {
        uint32_t namesz = get_u32(p);
        uint32_t descsz = get_u32(p + 4);
        uint64_t desc = NOTE_HEADER + align4(namesz);
        uint64_t next = desc + align4(descsz);

        if (desc > size || descsz > size - desc)
            return false;
        if (get_u32(p + 8) == NOTE_PHYS32_ENTRY && namesz == 4 && memcmp(p + NOTE_HEADER, "Xen", 4) == 0 &&
            (descsz == 4 || descsz == 8)) {
            *entry = descsz == 8 ? get_u64(p + desc) : get_u32(p + desc);
            return true;
        }
        if (next > size)
            return false;
        p += next;
        size -= next;
    }
    return false;
}

static bool find_entry(const struct elf *e, const struct load *l, uint64_t *entry)
{
    unsigned int i;

    for (i = 0; i < e->phnum; i++) {
        struct elf_segment s;

        elf_segment(e, i, &s);
        if (s.type == PT_NOTE && load_in_image(l, s.offset, s.filesz) &&
            find_in_notes(l->image + s.offset, s.filesz, entry))
            return true;
    }
    return false;
}

/* The initrd, if there is one, is the first module; then those of `module` lines. */
static unsigned int module_list(const struct vm_config *c, struct guest_module out[VM_MAX_MODULES + 1])
{
    unsigned int n = 0;
    unsigned int i;

    if (c->initrd != NULL)
        out[n++] = (struct guest_module){.data = c->initrd, .size = c->initrd_size, .cmdline = ""};
    for (i = 0; i < c->nmodules; i++)
        out[n++] = c->modules[i];
    return n;
}

/* What the start information consists of, and where. */
struct start {
    struct guest_module modules[VM_MAX_MODULES + 1];
    uint64_t at[VM_MAX_MODULES + 1];
    unsigned int nmodules;
    const char *cmdline;
    uint64_t gpa;
};

static uint64_t start_size(const struct start *s, const struct memmap *map)
{
    uint64_t size = START_SIZE + (uint64_t)s->nmodules * MODULE_SIZE + (uint64_t)map->n * MEMMAP_SIZE;
    unsigned int i;

    for (i = 0; i < s->nmodules; i++)
        size += strlen(s->modules[i].cmdline) + 1;
    return size + strlen(s->cmdline) + 1;
}

/* Structure, modules, memory map, strings: one behind the other. */
static void write_start(struct blob *b, const struct start *s, const struct memmap *map)
{
    uint64_t modules = s->gpa + START_SIZE;
    uint64_t memmap = modules + (uint64_t)s->nmodules * MODULE_SIZE;
    uint64_t string = memmap + (uint64_t)map->n * MEMMAP_SIZE;
    unsigned int i;

    blob_u32(b, START_MAGIC);
    blob_u32(b, START_VERSION);
    blob_u32(b, 0); /* flags */
    blob_u32(b, s->nmodules);
    blob_u64(b, s->nmodules != 0 ? modules : 0);
    blob_u64(b, string);
    blob_u64(b, FW_ACPI); /* RSDP */
    blob_u64(b, memmap);
    blob_u32(b, map->n);
    blob_u32(b, 0);
    string += strlen(s->cmdline) + 1;
    for (i = 0; i < s->nmodules; i++) {
        blob_u64(b, s->at[i]);
        blob_u64(b, s->modules[i].size);
        blob_u64(b, string);
        blob_u64(b, 0);
        string += strlen(s->modules[i].cmdline) + 1;
    }
    for (i = 0; i < map->n; i++) {
        blob_u64(b, map->entry[i].base);
        blob_u64(b, map->entry[i].length);
        blob_u32(b, map->entry[i].type);
        blob_u32(b, 0);
    }
    blob_bytes(b, s->cmdline, strlen(s->cmdline) + 1);
    for (i = 0; i < s->nmodules; i++)
        blob_bytes(b, s->modules[i].cmdline, strlen(s->modules[i].cmdline) + 1);
}

/* Modules above the image, and the start information. */
static bool place_start(struct load *l, uint64_t image_end, uint64_t *gpa)
{
    struct start s = {.cmdline = l->vm->config.cmdline};
    struct blob b = {0};
    unsigned int i;

    s.nmodules = module_list(&l->vm->config, s.modules);
    for (i = 0; i < s.nmodules; i++) {
        if (!load_module(l, image_end, s.modules[i].data, s.modules[i].size, &s.at[i]))
            return false;
    }
    b.size = start_size(&s, &l->space.map);
    b.mem = load_scratch(l, b.size, &s.gpa);
    if (b.mem == NULL)
        return false;
    write_start(&b, &s, &l->space.map);
    ASSERT(!b.full);
    *gpa = s.gpa;
    return true;
}

bool pvh_load(struct load *l)
{
    uint64_t entry, end, info;
    struct elf e;
    uint32_t eip;

    if (!elf_open(&e, l))
        return false;
    if (!find_entry(&e, l, &entry)) {
        host_snprintf(l->why, l->n, "%s is an ELF image with neither a multiboot header nor a PVH entry note",
                      l->name);
        return false;
    }
    if (!elf_load(&e, l, &end) || !elf_physical_entry(&e, l, entry, &eip) || !place_start(l, end, &info))
        return false;
    load_cpu_flat32(l->vm, eip, 0, (uint32_t)info);
    return true;
}
