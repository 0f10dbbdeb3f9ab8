/* links: kernel/multiboot.c */
/* The information that a loader leaves, multiboot 1 and 2, in a machine of 8 KiB: whatever stands there, what
 * comes out lies in that memory, strings end, ranges do not wrap (kernel/multiboot.h). */
#include "kernel/multiboot.h"
#include "tests/fuzz/bytes.h"

#define MEMORY 8192u
#define INFO   0x100u

static uint8_t *memory;

static const void *map(uint64_t phys, uint64_t length)
{
    return phys <= MEMORY && length <= MEMORY - phys ? memory + phys : NULL;
}

/* What is said of the machine is kept: the RAM of a map of one range, all of it. */
static void put_map(void)
{
    static const uint32_t map_of_all[] = {20, 0, 0, MEMORY, 0, 1};

    memcpy(memory + 0x800, map_of_all, sizeof(map_of_all));
}

static bool is_string(const struct boot_info *info, const char *s)
{
    const char *first = info->strings, *end = info->strings + info->strings_used;

    if (!s || *s == 0)
        return s != NULL;
    return s >= first && s < end && memchr(s, 0, (size_t)(end - s));
}

static void judge(const struct boot_info *info)
{
    CHECK(info->nranges > 0 && info->nranges <= BOOT_MAX_RANGES, "%u ranges", info->nranges);
    CHECK(info->nmodules <= BOOT_MAX_MODULES, "%u modules", info->nmodules);
    CHECK(info->strings_used <= BOOT_STRINGS, "%zu bytes of strings", info->strings_used);
    CHECK(info->rsdp_length <= BOOT_RSDP_MAX, "an RSDP of %u bytes", info->rsdp_length);
    for (unsigned int i = 0; i < info->nranges; i++)
        CHECK(info->ranges[i].base + info->ranges[i].length >= info->ranges[i].base, "range %u wraps", i);
    for (unsigned int i = 0; i < info->nmodules; i++) {
        const struct boot_module *m = &info->modules[i];

        CHECK(m->size == 0 || map(info->module_phys[i], m->size) == m->data, "module %u is elsewhere", i);
        CHECK(is_string(info, m->words), "module %u's words", i);
    }
    CHECK(is_string(info, info->cmdline), "the command line");
    CHECK(is_string(info, info->loader), "the loader's name");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;
    struct bytes in = {data, size};
    uint8_t what = take8(&in);
    uint32_t at = what & 2 ? (uint32_t)take(&in, 4) : INFO;

    if (!memory)
        memory = malloc(MEMORY);
    CHECK(memory, "no memory");
    memset(memory, what & 4 ? 0xff : 0, MEMORY);
    put_map();
    /* Pieces: the information itself first. */
    for (uint32_t to = INFO; in.left > 0; to = (uint32_t)take(&in, 2) % MEMORY) {
        size_t n;
        const uint8_t *bytes = take_bytes(&in, 1 + take8(&in), &n);

        memcpy(memory + to, bytes, n < MEMORY - to ? n : MEMORY - to);
    }
    if (boot_parse(&info, what & 1 ? MULTIBOOT1_MAGIC : MULTIBOOT2_MAGIC, at, map))
        judge(&info);
    else
        CHECK(info.trouble && *info.trouble, "no word of what is wrong");
    return 0;
}
