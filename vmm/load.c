#include "vmm/load.h"

#include "vmm/host.h"
#include "vmm/load_kinds.h"
#include "vmm/string.h"
#include "vmm/vm.h"
#include "vmm/words.h"

/* Boot loaders leave what lies below to the guest's own trampolines and tables; so do we. */
#define SCRATCH 0x10000u

_Static_assert(VM_CPUS_MAX == VM_MAX_VCPUS, "as many as a VM can have");

static const struct kind {
    bool (*is)(const struct load *l);
    bool (*load)(struct load *l);
} kinds[] = {
    {linux_is, linux_load},
    {multiboot_is, multiboot_load},
    {pvh_is, pvh_load},
    {flat_is, flat_load},
};

static bool load_any(struct load *l)
{
    size_t i;

    if (l->size == 0) {
        host_snprintf(l->why, l->n, "%s is empty", l->name);
        return false;
    }
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].is(l))
            return kinds[i].load(l);
    }
    host_snprintf(l->why, l->n, "%s is not a Linux bzImage, multiboot, PVH ELF or boot sector image",
                  l->name);
    return false;
}

/* "module 3 (vmlinuz)": what stands on the command line, and the file's name where the loader has told it. */
static void name_image(struct load *l)
{
    const char *path = l->vm->config.image_name;
    const char *name = path;
    char shown[WORD_SHOWN + 4];

    for (; *path != '\0'; path++) {
        if (*path == '/' && path[1] != '\0')
            name = path + 1;
    }
    words_shown(shown, name);
    host_snprintf(l->name, sizeof(l->name), "module %u (%s)", l->vm->config.image_module, shown);
}

bool load_images(struct vm *vm, char *why, size_t n)
{
    struct load l = {
        .vm = vm,
        .image = vm->config.image,
        .size = vm->config.image_size,
        .why = why,
        .n = n,
    };

    name_image(&l);
    firmware_write(vm);
    space_init(&l.space, vm);
    return load_any(&l);
}

uint16_t get_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

uint32_t get_u32(const uint8_t *p)
{
    return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

uint64_t get_u64(const uint8_t *p)
{
    return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

bool load_in_image(const struct load *l, uint64_t offset, uint64_t size)
{
    return offset <= l->size && size <= l->size - offset;
}

bool load_piece(struct load *l, uint64_t gpa, const uint8_t *data, uint64_t size, uint64_t memory)
{
    uint8_t *to = vm_ram(l->vm, gpa, memory);

    ASSERT(size <= memory);
    if (!space_is_ram(&l->space, gpa, memory) || to == NULL) {
        host_snprintf(l->why, l->n, "%s needs 0x%llx bytes at 0x%llx, which is not RAM with mem=%lluK",
                      l->name, (unsigned long long)memory, (unsigned long long)gpa,
                      (unsigned long long)(l->vm->config.mem / 1024));
        return false;
    }
    if (!space_mark(&l->space, gpa, memory)) {
        host_snprintf(l->why, l->n, "%s has too many segments", l->name);
        return false;
    }
    memcpy(to, data, size);
    memset(to + size, 0, memory - size);
    return true;
}

bool load_module(struct load *l, uint64_t from, const uint8_t *data, uint64_t size, uint64_t *gpa)
{
    if (!space_take_low(&l->space, from, FW_4G, size, 4096, gpa) &&
        !space_take_low(&l->space, FW_HIGH, FW_4G, size, 4096, gpa)) {
        host_snprintf(l->why, l->n, "a module of %llu bytes does not fit beside %s into mem=%lluK",
                      (unsigned long long)size, l->name, (unsigned long long)(l->vm->config.mem / 1024));
        return false;
    }
    if (size != 0)
        memcpy(vm_ram(l->vm, *gpa, size), data, size);
    return true;
}

uint8_t *load_scratch(struct load *l, uint64_t size, uint64_t *gpa)
{
    if (!space_take_low(&l->space, SCRATCH, FW_HOLE, size, 4096, gpa) &&
        !space_take_low(&l->space, FW_HIGH, FW_4G, size, 4096, gpa)) {
        host_snprintf(l->why, l->n, "%s leaves no room for its boot information in mem=%lluK", l->name,
                      (unsigned long long)(l->vm->config.mem / 1024));
        return NULL;
    }
    return memset(vm_ram(l->vm, *gpa, size), 0, size);
}

bool load_no_initrd(struct load *l, const char *kind)
{
    if (l->vm->config.initrd == NULL)
        return true;
    host_snprintf(l->why, l->n, "'initrd': %s is a %s image, which takes none", l->name, kind);
    return false;
}

bool load_no_modules(struct load *l, const char *kind)
{
    if (l->vm->config.nmodules == 0)
        return true;
    host_snprintf(l->why, l->n, "'module': %s is a %s image, which takes none", l->name, kind);
    return false;
}
