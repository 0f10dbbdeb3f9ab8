/* The loaders of guests' images (bzImage, multiboot ELF32, ELF64 and by addresses, PVH, flat), with initrd,
 * modules and command lines: a well-formed image of each kind, into which the fuzzer writes; or bytes of its
 * own. What must hold: no access outside image and RAM (ASan), the images untouched, a reason of one line
 * where it is refused; where it is loaded, the entry is RAM, and nothing has overwritten the firmware's
 * tables. */
#include "tests/fuzz/bytes.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/load_vm.h"
#include "vmm/firmware.h"
#include "vmm/load.h"

#define MIB        (1ull << 20)
#define RAM        (3 * MIB)
#define IMAGE_MAX  16384u
#define TEXT_BYTES 600u

static uint8_t image[IMAGE_MAX], text[TEXT_BYTES];

static void put_multiboot(uint8_t *p, uint32_t flags)
{
    put_u32(p, 0x1BADB002);
    put_u32(p + 4, flags);
    put_u32(p + 8, 0u - 0x1BADB002 - flags);
}

static size_t elf(bool is64)
{
    const struct test_segment s[2] = {
        {1, is64 ? 0xFFFFFFFF80100000 : 0xC0100000, MIB, 0x2000, text, sizeof(text)},
        {1, 0x180000, 0x180000, 0x1000, text, 64}};

    put_multiboot(text, 3);
    return build_elf(image, sizeof(image), is64, s[0].vaddr + 0x40, s, 2);
}

static size_t elf32(void)
{
    return elf(false);
}

static size_t elf64(void)
{
    return elf(true);
}

/* Multiboot 0.6.96, 3.1.3. */
static size_t by_addresses(void)
{
    put_multiboot(image, 0x10003);
    put_u32(image + 12, MIB);
    put_u32(image + 16, MIB);
    put_u32(image + 20, MIB + 0x400);
    put_u32(image + 24, MIB + 0x2000);
    put_u32(image + 28, MIB + 0x20);
    return 0x400;
}

static size_t pvh(void)
{
    static uint8_t note[20];
    const struct test_segment s[2] = {{1, 0xC0000000, MIB, 0x4000, text, sizeof(text)},
                                      {4, 0, 0, 0, note, 20}};

    put_u32(note, 4);
    put_u32(note + 4, 4);
    put_u32(note + 8, 18);
    memcpy(note + 12, "Xen", 4);
    put_u32(note + 16, MIB + 0x20);
    return build_elf(image, sizeof(image), false, MIB, s, 2);
}

static size_t bzimage(void)
{
    image[0x1F1] = 1;
    put_u32(image + 0x1F4, 0x1000 / 16);
    image[0x200] = 0xEB;
    image[0x201] = 0x6A;
    memcpy(image + 0x202, "HdrS", 4);
    put_u16(image + 0x206, 0x20F);
    put_u32(image + 0x22C, 0x7FFFFFFF);
    put_u16(image + 0x236, 0x3F);
    put_u32(image + 0x238, 100);
    put_u64(image + 0x258, MIB);
    put_u32(image + 0x260, 0x10000);
    return 0x400 + 0x1000;
}

static size_t flat(void)
{
    put_u16(image + 510, 0xAA55);
    return 1024;
}

static size_t nothing(void)
{
    return 64;
}

/* Writes at places and with values of the fuzzer's choice; cuts or lengthens. */
static size_t spoil(struct bytes *in, size_t size)
{
    for (uint8_t n = take8(in) % 16; n > 0; n--) {
        size_t at = (size_t)take(in, 2) % size, length;
        const uint8_t *bytes = take_bytes(in, 1 + take8(in) % 8, &length);

        memcpy(image + at, bytes, length < size - at ? length : size - at);
    }
    if (take8(in) % 4 == 0)
        size = (size_t)take(in, 2) % (size + 1);
    return size;
}

struct beside {
    char *cmdline, *words[3], *name;
    uint8_t initrd[1200];
};

static void fill_config(struct bytes *in, struct vm *vm, struct beside *b)
{
    struct vm_config *c = &vm->config;
    uint8_t what = take8(in);

    c->cmdline = b->cmdline = take_string(in, 200);
    c->image_name = b->name = take_string(in, 100);
    c->cpus = 1;
    if (what & 1) {
        c->initrd = b->initrd;
        c->initrd_size = take(in, 2) % (sizeof(b->initrd) + 1);
    }
    for (unsigned int i = 0; i < (what >> 1) % 4u; i++) {
        c->modules[i] = (struct guest_module){.data = b->initrd,
                                              .size = take(in, 2) % (sizeof(b->initrd) + 1),
                                              .cmdline = b->words[i] = take_string(in, 60)};
        c->nmodules = i + 1;
    }
}

static void judge(struct vm *vm, bool loaded, const char *why)
{
    uint64_t rip = vm->vcpus[0]->regs.rip;

    if (!loaded) {
        CHECK(strlen(why) > 0 && strlen(why) < VM_REASON_MAX && !strchr(why, '\n'), "the reason: %s", why);
        return;
    }
    CHECK(vm_ram(vm, rip, 1), "the entry %llx is not RAM", (unsigned long long)rip);
    CHECK(memcmp(vm_ram(vm, FW_ACPI, 8), "RSD PTR ", 8) == 0, "the RSDP is gone");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static size_t (*const kinds[])(void) = {elf32, elf64, by_addresses, pvh, bzimage, flat, nothing};
    static struct vm *vm;
    struct bytes in = {data, size};
    struct beside b = {0};
    char why[VM_REASON_MAX] = "";

    fake_host_reset();
    if (!vm)
        vm = load_vm_new(RAM);
    memset(image, 0, sizeof(image));
    memset(text, 0xCC, sizeof(text));
    size_t n = kinds[take8(&in) % (sizeof(kinds) / sizeof(kinds[0]))]();
    n = spoil(&in, n);
    uint8_t *copy = malloc(n ? n : 1); /* of the very size */
    CHECK(copy, "no memory");
    memcpy(copy, image, n);
    vm->config = (struct vm_config){.mem = RAM, .image = copy, .image_size = n, .image_module = 1};
    fill_config(&in, vm, &b);
    hv->vcpu_reset(vm->vcpus[0]);
    bool loaded = load_images(vm, why, sizeof(why));
    judge(vm, loaded, why);
    CHECK(memcmp(copy, image, n) == 0, "the image has been written to");
    free(copy);
    free(b.cmdline);
    free(b.name);
    for (unsigned int i = 0; i < 3; i++)
        free(b.words[i]);
    return 0;
}
