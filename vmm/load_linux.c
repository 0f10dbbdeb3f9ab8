/* Linux bzImages, entered at their 64-bit entry point (Documentation/arch/x86/boot.rst, "64-bit boot
 * protocol"; zero-page.rst). */
#include "vmm/blob.h"
#include "vmm/host.h"
#include "vmm/load_kinds.h"
#include "vmm/string.h"
#include "vmm/vm.h"

/* The setup header: offsets in the file and in the zero page alike. */
#define HDR_BEGIN          0x1F1u /* setup_sects */
#define HDR_SYSSIZE        0x1F4u
#define HDR_JUMP           0x201u /* the header ends this many bytes behind 202h */
#define HDR_MAGIC          0x202u
#define HDR_VERSION        0x206u
#define HDR_TYPE_OF_LOADER 0x210u
#define HDR_RAMDISK_IMAGE  0x218u
#define HDR_RAMDISK_SIZE   0x21Cu
#define HDR_CMD_LINE_PTR   0x228u
#define HDR_INITRD_MAX     0x22Cu
#define HDR_XLOADFLAGS     0x236u
#define HDR_CMDLINE_SIZE   0x238u
#define HDR_SETUP_DATA     0x250u
#define HDR_PREF_ADDRESS   0x258u
#define HDR_INIT_SIZE      0x260u
#define HDR_LEAST          0x264u /* what version 2.12 has at least */
#define HDR_END            0x290u /* the zero page has room for it up to here */

#define VERSION_2_12     0x020Cu
#define XLF_KERNEL_64    1u
#define LOADER_UNDEFINED 0xFFu
#define ENTRY_64         0x200u /* behind the start of the protected-mode part */

/* The zero page (struct boot_params). */
#define ZP_SCREEN_INFO  0x000u
#define ZP_ACPI_RSDP    0x070u
#define ZP_E820_ENTRIES 0x1E8u
#define ZP_E820_TABLE   0x2D0u
#define ZP_SIZE         0x1000u
#define E820_ENTRY      20u

#define PAGE 4096u

struct linux_image {
    uint64_t setup_size;  /* of the real-mode part */
    uint64_t kernel_size; /* of the protected-mode part, */
    uint64_t file_size;   /* and how much of it is in the file */
    uint64_t address;     /* where that goes, */
    uint64_t memory;      /* and what it needs there before it looks at the memory map */
    uint64_t header_end;
    uint32_t cmdline_max;  /* without the closing 0 */
    uint64_t initrd_limit; /* exclusive */
};

bool linux_is(const struct load *l)
{
    return l->size >= HDR_VERSION && memcmp(l->image + HDR_MAGIC, "HdrS", 4) == 0;
}

static bool truncated(struct load *l, uint64_t need)
{
    host_snprintf(l->why, l->n, "%s is truncated: its setup header says %llu bytes, the file has %llu",
                  l->name, (unsigned long long)need, (unsigned long long)l->size);
    return false;
}

/* A relocatable kernel that is loaded below its preferred address moves itself up to there (head_64.S), and
 * one that is loaded above gains nothing: so pref_address it is, for both kinds. */
static bool read_header(struct load *l, struct linux_image *k)
{
    const uint8_t *h = l->image;
    unsigned int sectors;

    if (l->size < HDR_LEAST)
        return truncated(l, HDR_LEAST);
    if (get_u16(h + HDR_VERSION) < VERSION_2_12 || !(get_u16(h + HDR_XLOADFLAGS) & XLF_KERNEL_64)) {
        host_snprintf(l->why, l->n, "%s has no 64-bit entry point (boot protocol %u.%02u, 2.12 is needed)",
                      l->name, h[HDR_VERSION + 1], h[HDR_VERSION]);
        return false;
    }
    sectors = h[HDR_BEGIN] != 0 ? h[HDR_BEGIN] : 4;
    k->setup_size = (sectors + 1) * 512ull;
    k->kernel_size = get_u32(h + HDR_SYSSIZE) * 16ull;
    k->address = get_u64(h + HDR_PREF_ADDRESS);
    k->memory = get_u32(h + HDR_INIT_SIZE);
    if (k->memory < k->kernel_size)
        k->memory = k->kernel_size;
    k->header_end = HDR_MAGIC + (uint64_t)h[HDR_JUMP];
    k->cmdline_max = get_u32(h + HDR_CMDLINE_SIZE);
    k->initrd_limit = get_u32(h + HDR_INITRD_MAX) + 1ull;
    if (k->header_end < HDR_LEAST || k->header_end > HDR_END || k->kernel_size <= ENTRY_64) {
        host_snprintf(l->why, l->n, "%s is a corrupt bzImage: its setup header makes no sense", l->name);
        return false;
    }
    /* It is counted in paragraphs of 16 bytes: the last one need not be whole in the file. */
    if (!load_in_image(l, k->setup_size, k->kernel_size - 15))
        return truncated(l, k->setup_size + k->kernel_size);
    k->file_size = l->size - k->setup_size < k->kernel_size ? l->size - k->setup_size : k->kernel_size;
    return true;
}

static bool load_kernel(struct load *l, const struct linux_image *k)
{
    uint64_t mem = l->vm->config.mem;

    if (!space_is_ram(&l->space, k->address, k->memory)) {
        host_snprintf(l->why, l->n, "%s needs %lluM of memory from %lluM on; 'mem=%lluM' is too little",
                      l->name, (unsigned long long)((k->memory + 0xFFFFF) >> 20),
                      (unsigned long long)(k->address >> 20), (unsigned long long)(mem >> 20));
        return false;
    }
    /* What it needs beyond its file it clears itself. */
    return load_piece(l, k->address, l->image + k->setup_size, k->file_size, k->kernel_size) &&
           space_mark(&l->space, k->address, k->memory);
}

/* As high as it may be: the kernel's own memory grows from below. */
static bool load_initrd(struct load *l, const struct linux_image *k, uint8_t *zero_page)
{
    const struct vm_config *c = &l->vm->config;
    struct blob b = {.mem = zero_page, .size = ZP_SIZE, .used = ZP_SIZE};
    uint64_t gpa;

    if (c->initrd == NULL)
        return true;
    if (c->initrd_size == 0) {
        host_snprintf(l->why, l->n, "its initrd is empty");
        return false;
    }
    if (!space_take_high(&l->space, k->initrd_limit, c->initrd_size, PAGE, &gpa)) {
        host_snprintf(l->why, l->n,
                      "an initrd of %llu bytes does not fit beside %s; 'mem=%lluM' is too little",
                      (unsigned long long)c->initrd_size, l->name, (unsigned long long)(c->mem >> 20));
        return false;
    }
    memcpy(vm_ram(l->vm, gpa, c->initrd_size), c->initrd, c->initrd_size);
    blob_patch_u32(&b, HDR_RAMDISK_IMAGE, (uint32_t)gpa);
    blob_patch_u32(&b, HDR_RAMDISK_SIZE, (uint32_t)c->initrd_size);
    return true;
}

static bool load_cmdline(struct load *l, const struct linux_image *k, uint8_t *zero_page)
{
    const char *cmdline = l->vm->config.cmdline;
    struct blob b = {.mem = zero_page, .size = ZP_SIZE, .used = ZP_SIZE};
    size_t length = strlen(cmdline);
    uint64_t gpa;
    uint8_t *to;

    if (length > k->cmdline_max) {
        host_snprintf(l->why, l->n, "the command line has %zu characters, %s takes %u", length, l->name,
                      k->cmdline_max);
        return false;
    }
    to = load_scratch(l, length + 1, &gpa);
    if (to == NULL)
        return false;
    memcpy(to, cmdline, length + 1);
    blob_patch_u32(&b, HDR_CMD_LINE_PTR, (uint32_t)gpa);
    return true;
}

/* The text screen at B8000h as a PC's firmware would have left it (struct screen_info). */
static void write_screen_info(uint8_t *zero_page)
{
    uint8_t *s = zero_page + ZP_SCREEN_INFO;

    s[0x06] = 3;  /* mode */
    s[0x07] = 80; /* columns */
    s[0x0A] = 3;  /* EGA and better, 256 KiB */
    s[0x0E] = 25; /* lines */
    s[0x0F] = 1;  /* VGA */
    s[0x10] = 16; /* scan lines of a character */
}

static void write_zero_page(const struct load *l, const struct linux_image *k, uint8_t *zero_page)
{
    struct blob rsdp = {.mem = zero_page + ZP_ACPI_RSDP, .size = 8};
    struct blob e820 = {.mem = zero_page + ZP_E820_TABLE, .size = MEMMAP_MAX * E820_ENTRY};
    unsigned int i;

    memcpy(zero_page + HDR_BEGIN, l->image + HDR_BEGIN, k->header_end - HDR_BEGIN);
    zero_page[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
    memset(zero_page + HDR_RAMDISK_IMAGE, 0, 8); /* with the size: until there is one */
    memset(zero_page + HDR_SETUP_DATA, 0, 8);
    write_screen_info(zero_page);
    blob_u64(&rsdp, FW_ACPI);
    for (i = 0; i < l->space.map.n; i++) {
        blob_u64(&e820, l->space.map.entry[i].base);
        blob_u64(&e820, l->space.map.entry[i].length);
        blob_u32(&e820, l->space.map.entry[i].type);
    }
    zero_page[ZP_E820_ENTRIES] = (uint8_t)l->space.map.n;
}

bool linux_load(struct load *l)
{
    struct linux_image k;
    uint8_t *zero_page;
    uint64_t gpa;

    if (!load_no_modules(l, "Linux") || !read_header(l, &k) || !load_kernel(l, &k))
        return false;
    zero_page = load_scratch(l, ZP_SIZE, &gpa);
    if (zero_page == NULL)
        return false;
    write_zero_page(l, &k, zero_page);
    if (!load_cmdline(l, &k, zero_page) || !load_initrd(l, &k, zero_page))
        return false;
    load_cpu_long(l->vm, k.address + ENTRY_64, gpa);
    return true;
}
