/* Multiboot 1 (specification 0.6.96, section 3.3) and 2 (specification 2.0, section 3.6) information, parsed;
 * see multiboot.h. Offsets are the specifications'. */
#include "kernel/multiboot.h"

#include "vmm/string.h"

#define STRING_MAX 8192u /* longest command line taken */

#define MB1_SIZE        116u
#define MB1_HAS_MEM     (1u << 0)
#define MB1_HAS_CMDLINE (1u << 2)
#define MB1_HAS_MODS    (1u << 3)
#define MB1_HAS_MMAP    (1u << 6)
#define MB1_HAS_LOADER  (1u << 9)
#define MB1_HAS_SCREEN  (1u << 12)
enum {
    MB1_FLAGS = 0,
    MB1_MEM_UPPER = 8,
    MB1_CMDLINE = 16,
    MB1_MODS_COUNT = 20,
    MB1_MODS_ADDR = 24,
    MB1_MMAP_LENGTH = 44,
    MB1_MMAP_ADDR = 48,
    MB1_LOADER = 64,
    MB1_SCREEN_TYPE = 109
};
#define MB1_MODULE_SIZE 16u
#define MB1_MMAP_MIN    20u /* the entry's size field does not count itself */
#define MB1_MMAP_MAX    65536u

#define MB2_MAX_SIZE    (16u << 20)
#define MB2_SCREEN_TYPE 29u /* within its tag */
enum mb2_tag {
    MB2_END = 0,
    MB2_CMDLINE = 1,
    MB2_LOADER = 2,
    MB2_MODULE = 3,
    MB2_MMAP = 6,
    MB2_SCREEN = 8,
    MB2_EFI32 = 11,
    MB2_EFI64 = 12,
    MB2_ACPI_OLD = 14,
    MB2_ACPI_NEW = 15,
    MB2_EFI_SERVICES = 18 /* boot services are still on */
};

/* The type of framebuffer that is none (Multiboot 0.6.96, 3.3; Multiboot2 2.0, 3.6.12). */
#define SCREEN_TEXT 2u

#define MIB 0x100000ull

static uint32_t read32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t read64(const uint8_t *p)
{
    return read32(p) | (uint64_t)read32(p + 4) << 32;
}

/* The first trouble is the one that is told. */
static void odd(struct boot_info *info, const char *what)
{
    if (!info->trouble)
        info->trouble = what;
}

/* A copy of at most max bytes up to a zero, of our own; NULL if there is no end or no room. */
static char *copy_string(struct boot_info *info, const char *s, size_t max)
{
    char *copy = info->strings + info->strings_used;
    size_t room = BOOT_STRINGS - info->strings_used;
    size_t n = 0;

    while (n < max && s[n])
        n++;
    if (n == max || n + 1 > room)
        return NULL;
    memcpy(copy, s, n);
    copy[n] = 0;
    info->strings_used += n + 1;
    return copy;
}

/* The zero may come anywhere: memory is asked for in small steps, so that a string just below a hole is fine.
 */
static char *string_at(struct boot_info *info, uint64_t phys, boot_map_fn map)
{
    size_t n = 0;

    for (;; n++) {
        const char *c = map(phys + n, 1);

        if (!c || n == STRING_MAX)
            return NULL;
        if (!*c)
            break;
    }
    return copy_string(info, map(phys, n + 1), n + 1);
}

static void add_range(struct boot_info *info, uint64_t base, uint64_t length, uint32_t type)
{
    if (length == 0)
        return;
    if (length > UINT64_MAX - base)
        length = UINT64_MAX - base;
    if (info->nranges == BOOT_MAX_RANGES) {
        odd(info, "the memory map is too long");
        return;
    }
    info->ranges[info->nranges++] = (struct boot_range){base, length, type};
}

static bool in_ram(const struct boot_info *info, uint64_t base, uint64_t length)
{
    for (unsigned int i = 0; i < info->nranges; i++) {
        const struct boot_range *r = &info->ranges[i];

        if (r->type == BOOT_MEM_RAM && base >= r->base && length <= r->length &&
            base - r->base <= r->length - length)
            return true;
    }
    return false;
}

/* words NULL: they could not be copied. The module is kept out, for it could be any VM's. */
static void add_module(struct boot_info *info, uint64_t start, uint64_t end, char *words, boot_map_fn map)
{
    const uint8_t *data = end >= start ? map(start, end - start) : NULL;

    if (info->nmodules == BOOT_MAX_MODULES)
        odd(info, "too many modules");
    else if (!words)
        odd(info, "a module's words are too long");
    else if (!data || (end > start && !in_ram(info, start, end - start)))
        odd(info, "a module does not lie in memory");
    else {
        info->module_phys[info->nmodules] = start;
        info->modules[info->nmodules++] = (struct boot_module){data, end - start, words};
    }
}

static void set_string(struct boot_info *info, const char **to, const char *copy, const char *trouble)
{
    if (copy)
        *to = copy;
    else
        odd(info, trouble);
}

/* ---- multiboot 1 ---- */

static void parse1_mmap(struct boot_info *info, uint32_t phys, uint32_t length, boot_map_fn map)
{
    const uint8_t *p = length <= MB1_MMAP_MAX ? map(phys, length) : NULL;
    uint32_t at = 0;

    if (!p) {
        odd(info, "the memory map is not in memory");
        return;
    }
    while (length - at >= 4 + MB1_MMAP_MIN) {
        uint32_t size = read32(p + at);

        if (size < MB1_MMAP_MIN || size > length - at - 4) {
            odd(info, "an entry of the memory map has a wrong size");
            return;
        }
        add_range(info, read64(p + at + 4), read64(p + at + 12), read32(p + at + 20));
        at += 4 + size;
    }
}

static void parse1_modules(struct boot_info *info, uint32_t phys, uint32_t count, boot_map_fn map)
{
    for (uint32_t i = 0; i < count && i <= BOOT_MAX_MODULES; i++) {
        const uint8_t *m = map(phys + (uint64_t)i * MB1_MODULE_SIZE, MB1_MODULE_SIZE);

        if (!m) {
            odd(info, "the list of modules is not in memory");
            return;
        }
        uint32_t words = read32(m + 8);
        add_module(info, read32(m), read32(m + 4),
                   words ? string_at(info, words, map) : copy_string(info, "", 1), map);
    }
}

static bool parse1(struct boot_info *info, uint64_t phys, boot_map_fn map)
{
    const uint8_t *p = map(phys, MB1_SIZE);
    uint32_t flags;

    if (!p) {
        info->trouble = "the loader's information is not in memory";
        return false;
    }
    flags = read32(p + MB1_FLAGS);
    if (flags & MB1_HAS_MMAP)
        parse1_mmap(info, read32(p + MB1_MMAP_ADDR), read32(p + MB1_MMAP_LENGTH), map);
    else if (flags & MB1_HAS_MEM)
        add_range(info, MIB, (uint64_t)read32(p + MB1_MEM_UPPER) * 1024, BOOT_MEM_RAM);
    info->graphics = (flags & MB1_HAS_SCREEN) && p[MB1_SCREEN_TYPE] != SCREEN_TEXT;
    if (flags & MB1_HAS_CMDLINE)
        set_string(info, &info->cmdline, string_at(info, read32(p + MB1_CMDLINE), map),
                   "the command line is too long");
    if (flags & MB1_HAS_LOADER)
        set_string(info, &info->loader, string_at(info, read32(p + MB1_LOADER), map),
                   "the loader's name is too long");
    if (flags & MB1_HAS_MODS)
        parse1_modules(info, read32(p + MB1_MODS_ADDR), read32(p + MB1_MODS_COUNT), map);
    return true;
}

/* ---- multiboot 2 ---- */

static void parse2_mmap(struct boot_info *info, const uint8_t *tag, uint32_t size)
{
    uint32_t step = size >= 16 ? read32(tag + 8) : 0;

    if (step < 24) {
        odd(info, "the memory map has entries of a wrong size");
        return;
    }
    for (uint32_t at = 16; size - at >= step; at += step)
        add_range(info, read64(tag + at), read64(tag + at + 8), read32(tag + at + 16));
}

static void parse2_rsdp(struct boot_info *info, const uint8_t *tag, uint32_t size)
{
    uint32_t n = size - 8;

    if (n > BOOT_RSDP_MAX)
        n = BOOT_RSDP_MAX;
    if (n <= info->rsdp_length)
        return; /* the new one is the longer one */
    memcpy(info->rsdp, tag + 8, n);
    info->rsdp_length = n;
}

static void parse2_module(struct boot_info *info, const uint8_t *tag, uint32_t size, boot_map_fn map)
{
    if (size < 17)
        odd(info, "a module's tag is too short");
    else
        add_module(info, read32(tag + 8), read32(tag + 12),
                   copy_string(info, (const char *)tag + 16, size - 16), map);
}

static void parse2_tag(struct boot_info *info, const uint8_t *tag, uint32_t type, uint32_t size,
                       boot_map_fn map)
{
    const char *text = (const char *)tag + 8;

    switch (type) {
    case MB2_CMDLINE:
        set_string(info, &info->cmdline, copy_string(info, text, size - 8), "the command line is too long");
        break;
    case MB2_LOADER:
        set_string(info, &info->loader, copy_string(info, text, size - 8), "the loader's name is too long");
        break;
    case MB2_MMAP:
        parse2_mmap(info, tag, size);
        break;
    case MB2_ACPI_OLD:
    case MB2_ACPI_NEW:
        parse2_rsdp(info, tag, size);
        break;
    case MB2_MODULE:
        parse2_module(info, tag, size, map);
        break;
    case MB2_SCREEN:
        info->graphics = size < MB2_SCREEN_TYPE + 1 || tag[MB2_SCREEN_TYPE] != SCREEN_TEXT;
        break;
    case MB2_EFI32:
    case MB2_EFI64:
        info->efi = true;
        break;
    case MB2_EFI_SERVICES:
        info->efi_services = true;
        break;
    default:
        break;
    }
}

/* All tags of a kind: modules come after the memory map has been read, whatever the order in which they lie.
 */
static void parse2_pass(struct boot_info *info, const uint8_t *p, uint32_t total, bool modules,
                        boot_map_fn map)
{
    uint32_t at = 8;

    while (at <= total && total - at >= 8) {
        uint32_t type = read32(p + at);
        uint32_t size = read32(p + at + 4);

        if (type == MB2_END)
            return;
        if (size < 8 || size > total - at) {
            odd(info, "a tag of the loader's information has a wrong size");
            return;
        }
        if ((type == MB2_MODULE) == modules)
            parse2_tag(info, p + at, type, size, map);
        at += (size + 7) & ~7u;
    }
}

static bool parse2(struct boot_info *info, uint64_t phys, boot_map_fn map)
{
    const uint8_t *p = map(phys, 8);
    uint32_t total = p ? read32(p) : 0;

    if (total < 16 || total > MB2_MAX_SIZE || !(p = map(phys, total))) {
        info->trouble = "the loader's information is not in memory";
        return false;
    }
    info->multiboot2 = true;
    parse2_pass(info, p, total, false, map);
    parse2_pass(info, p, total, true, map);
    return true;
}

static bool has_ram(const struct boot_info *info)
{
    for (unsigned int i = 0; i < info->nranges; i++) {
        if (info->ranges[i].type == BOOT_MEM_RAM)
            return true;
    }
    return false;
}

bool boot_parse(struct boot_info *info, uint32_t magic, uint64_t info_phys, boot_map_fn map)
{
    memset(info, 0, sizeof *info);
    info->cmdline = "";
    info->loader = "";
    if (magic != MULTIBOOT1_MAGIC && magic != MULTIBOOT2_MAGIC) {
        info->trouble = "the loader is no multiboot loader: boot with GRUB 2, `multiboot2 /escapement.elf`";
        return false;
    }
    if (!(magic == MULTIBOOT1_MAGIC ? parse1 : parse2)(info, info_phys, map))
        return false;
    if (info->efi_services) {
        info->trouble =
            "the loader has left the UEFI's boot services on (multiboot 2 tag 18), so memory is not "
            "ours: boot with GRUB 2, `multiboot2 /escapement.elf`";
        return false;
    }
    if (!has_ram(info)) {
        info->trouble = info->multiboot2
                            ? "the loader gives no memory map (multiboot 2 tag 6): boot with one that does, "
                              "as GRUB 2, `multiboot2 /escapement.elf`"
                            : "the loader gives no memory map (multiboot 1 flag 6, or 0 for the sizes): boot "
                              "with one that does, as GRUB 2, `multiboot2 /escapement.elf`";
        return false;
    }
    info->qemu = strcmp(info->loader, "qemu") == 0;
    return true;
}
