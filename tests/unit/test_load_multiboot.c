/* vmm/load_multiboot.c, vmm/load_mbinfo.c, vmm/load_elf.c: multiboot 1 kernels (Multiboot specification
 * 0.6.96: 3.1 the header, 3.2 the machine's state, 3.3 the information structure). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/load_vm.h"

#define MIB (1ull << 20)

static uint8_t image[65536];
static uint8_t text[4096];

static void put_header(uint8_t *p, uint32_t flags)
{
    put_u32(p, 0x1BADB002);
    put_u32(p + 4, flags);
    put_u32(p + 8, 0 - (0x1BADB002 + flags));
}

/* An ELF kernel of one segment at 1 MiB with 16 KiB of memory, its header at the segment's start. */
static size_t elf_kernel(bool is64, uint32_t flags, uint64_t vaddr, uint64_t entry)
{
    const struct test_segment s = {1, vaddr, MIB, 0x4000, text, sizeof(text)};

    memset(text, 0xCC, sizeof(text));
    put_header(text, flags);
    return build_elf(image, sizeof(image), is64, entry, &s, 1);
}

/* The same in an image without ELF, by the addresses in its header, which is at offset 16. */
static size_t kludge_kernel(uint32_t load_end, uint32_t bss_end)
{
    memset(image, 0xCC, 4096);
    put_header(image + 16, 0x10003);
    put_u32(image + 28, MIB + 16);
    put_u32(image + 32, MIB);
    put_u32(image + 36, load_end);
    put_u32(image + 40, bss_end);
    put_u32(image + 44, MIB + 64);
    return 4096;
}

static uint32_t info_of(struct vm *vm)
{
    return (uint32_t)vm->vcpus[0]->regs.gpr[GPR_RBX];
}

static void check_state(struct vm *vm, uint64_t entry)
{
    struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);
    struct vcpu_regs *r = &vm->vcpus[0]->regs;

    assert_int_equal(r->rip, entry);
    assert_int_equal(r->gpr[GPR_RAX], 0x2BADB002);
    assert_int_equal(r->rflags, 2);
    assert_int_equal(f->regs[REG_CR0] & 0x80000001u, 1);
    assert_int_equal(f->regs[REG_CR4], 0);
    assert_int_equal(f->regs[REG_EFER], 0);
    assert_int_equal(f->regs[REG_IDTR_BASE], 0); /* for a guest that goes back to real mode */
    assert_int_equal(f->regs[REG_IDTR_LIMIT], 0x3FF);
    assert_int_equal(f->segs[SEG_CS].base, 0);
    assert_int_equal(f->segs[SEG_CS].limit, 0xFFFFFFFF);
    assert_int_equal(f->segs[SEG_CS].attr, 0xC09B);
    assert_int_equal(f->segs[SEG_SS].attr, 0xC093);
    assert_int_equal(f->segs[SEG_GS].limit, 0xFFFFFFFF);
    /* Reloading a segment gives the same: the table holds what the registers do. */
    assert_true(guest_u64(vm, f->regs[REG_GDTR_BASE] + f->segs[SEG_CS].selector) == 0x00CF9B000000FFFFull);
    assert_true(guest_u64(vm, f->regs[REG_GDTR_BASE] + f->segs[SEG_DS].selector) == 0x00CF93000000FFFFull);
}

static void elf_kernels_load(void **state)
{
    int is64;

    (void)state;
    for (is64 = 0; is64 < 2; is64++) {
        struct vm *vm = load_vm_new(8 * MIB);

        assert_true(load_vm_load(vm, image, elf_kernel(is64 == 1, 3, MIB, MIB + 0x40)));
        check_state(vm, MIB + 0x40);
        assert_memory_equal(vm->ram.base + MIB, text, sizeof(text));
        assert_int_equal(guest_u8(vm, MIB + sizeof(text)), 0); /* bss */
        assert_int_equal(guest_u8(vm, MIB + 0x3FFF), 0);
        load_vm_free(vm);
    }
}

/* A higher-half kernel: the entry point is a virtual address of the segment that loads at 1 MiB; or a
 * physical one. */
static void entry_points_are_translated(void **state)
{
    struct vm *vm = load_vm_new(8 * MIB);

    (void)state;
    assert_true(load_vm_load(vm, image, elf_kernel(true, 3, 0xFFFFFFFF80000000, 0xFFFFFFFF80000100)));
    check_state(vm, MIB + 0x100);
    assert_true(load_vm_load(vm, image, elf_kernel(false, 3, 0xC0100000, MIB + 0x80)));
    check_state(vm, MIB + 0x80);
    assert_false(load_vm_load(vm, image, elf_kernel(true, 3, MIB, MIB + 0x4000)));
    assert_string_equal(load_vm_why,
                        "module 3 (image) is a corrupt ELF file: its entry point is in no segment");
    load_vm_free(vm);
}

static void address_fields_stand_above_elf(void **state)
{
    struct vm *vm = load_vm_new(8 * MIB);
    size_t size;

    (void)state;
    assert_true(load_vm_load(vm, image, kludge_kernel(MIB + 2048, MIB + 0x3000)));
    check_state(vm, MIB + 64);
    assert_memory_equal(vm->ram.base + MIB, image, 2048);
    assert_int_equal(guest_u8(vm, MIB + 2048), 0);
    assert_int_equal(guest_u8(vm, MIB + 0x2FFF), 0);
    /* 0: the whole file, no bss. */
    assert_true(load_vm_load(vm, image, kludge_kernel(0, 0)));
    assert_memory_equal(vm->ram.base + MIB, image, 4096);
    /* An ELF file with bit 16 goes by the addresses. */
    size = elf_kernel(false, 0x10003, 5 * MIB, 5 * MIB);
    put_u32(image + 96 + 12, 2 * MIB + 96);
    put_u32(image + 96 + 16, 2 * MIB);
    put_u32(image + 96 + 20, 0);
    put_u32(image + 96 + 24, 0);
    put_u32(image + 96 + 28, 2 * MIB + 0x200);
    assert_true(load_vm_load(vm, image, size));
    check_state(vm, 2 * MIB + 0x200);
    assert_memory_equal(vm->ram.base + 2 * MIB, image, size);
    assert_int_equal(guest_u32(vm, info_of(vm)) & 0x20, 0);
    load_vm_free(vm);
}

static void the_information_is_complete(void **state)
{
    static uint8_t one[5000], two[1];
    struct vm *vm = load_vm_new(8 * MIB);
    uint32_t info, mods, map, at, end;
    unsigned int entries = 0;

    (void)state;
    memset(one, 1, sizeof(one));
    two[0] = 2;
    vm->config.image_name = "kernel.elf";
    vm->config.cmdline = "x=1 y";
    vm->config.modules[0] = (struct guest_module){one, sizeof(one), "first module"};
    vm->config.modules[1] = (struct guest_module){two, sizeof(two), ""};
    vm->config.nmodules = 2;
    assert_true(load_vm_load(vm, image, elf_kernel(false, 3, MIB, MIB)));
    info = info_of(vm);
    assert_int_equal(guest_u32(vm, info), 0x24D | 0); /* memory, cmdline, modules, map, loader name */
    assert_int_equal(guest_u32(vm, info + 4), 639);
    assert_int_equal(guest_u32(vm, info + 8), 7 * 1024);
    assert_string_equal(guest_string(vm, guest_u32(vm, info + 16)), "kernel.elf x=1 y");
    assert_string_equal(guest_string(vm, guest_u32(vm, info + 64)), "Escapement");

    assert_int_equal(guest_u32(vm, info + 20), 2);
    mods = guest_u32(vm, info + 24);
    assert_int_equal(guest_u32(vm, mods) % 4096, 0);
    assert_true(guest_u32(vm, mods) >= MIB + 0x4000); /* behind the bss */
    assert_int_equal(guest_u32(vm, mods + 4) - guest_u32(vm, mods), sizeof(one));
    assert_memory_equal(vm->ram.base + guest_u32(vm, mods), one, sizeof(one));
    assert_string_equal(guest_string(vm, guest_u32(vm, mods + 8)), "first module");
    assert_int_equal(guest_u32(vm, mods + 16) % 4096, 0);
    assert_true(guest_u32(vm, mods + 16) >= guest_u32(vm, mods + 4));
    assert_int_equal(guest_u8(vm, guest_u32(vm, mods + 16)), 2);
    assert_string_equal(guest_string(vm, guest_u32(vm, mods + 24)), "");

    map = guest_u32(vm, info + 48);
    end = map + guest_u32(vm, info + 44);
    for (at = map; at < end; at += guest_u32(vm, at) + 4, entries++) {
        if (guest_u64(vm, at + 4) == MIB) {
            assert_int_equal(guest_u64(vm, at + 12), 7 * MIB);
            assert_int_equal(guest_u32(vm, at + 20), 1);
        }
    }
    assert_int_equal(at, end);
    assert_int_equal(entries, 6);
    vm->config.cmdline = "";
    assert_true(load_vm_load(vm, image, elf_kernel(false, 3, MIB, MIB)));
    assert_string_equal(guest_string(vm, guest_u32(vm, info_of(vm) + 16)), "kernel.elf");
    load_vm_free(vm);
}

/* DESIGN.md section 4: none of it lies where the image loads, wherever that is. */
static void nothing_lies_in_the_image(void **state)
{
    static const uint8_t module[3] = {7, 7, 7};
    static const struct {
        uint64_t base, memsz;
    } segments[] = {
        {0x1000, 0x9EC00}, {0x10000, 0x1000}, {MIB, 6 * MIB}, {MIB + 0x1000, 0x100}, {7 * MIB, MIB}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
        uint64_t base = segments[i].base, end = base + segments[i].memsz;
        struct test_segment s = {1, base, base, segments[i].memsz, text, 64};
        struct vm *vm = load_vm_new(8 * MIB);
        uint32_t info, mods, start;

        memset(text, 0xCC, sizeof(text));
        put_header(text, 3);
        vm->config.modules[0] = (struct guest_module){module, sizeof(module), "m"};
        vm->config.nmodules = 1;
        assert_true(load_vm_load(vm, image, build_elf(image, sizeof(image), false, base, &s, 1)));
        assert_memory_equal(vm->ram.base + base, text, 64);
        assert_int_equal(guest_u8(vm, base + 64), 0);
        assert_int_equal(guest_u8(vm, end - 1), 0);
        info = info_of(vm);
        mods = guest_u32(vm, info + 24);
        start = guest_u32(vm, mods);
        assert_true(info + 116 <= base || info >= end);
        assert_true(mods + 16 <= base || mods >= end);
        assert_true(start + 3 <= base || start >= end);
        assert_memory_equal(vm->ram.base + start, module, 3);
        load_vm_free(vm);
    }
}

static void video_information_is_the_text_screen(void **state)
{
    struct vm *vm = load_vm_new(8 * MIB);
    uint32_t info;

    (void)state;
    assert_true(load_vm_load(vm, image, elf_kernel(false, 7, MIB, MIB)));
    info = info_of(vm);
    assert_int_equal(guest_u32(vm, info) & 0x1000, 0x1000);
    assert_int_equal(guest_u64(vm, info + 88), 0xB8000);
    assert_int_equal(guest_u32(vm, info + 96), 160);
    assert_int_equal(guest_u32(vm, info + 100), 80);
    assert_int_equal(guest_u32(vm, info + 104), 25);
    assert_int_equal(guest_u8(vm, info + 109), 2);
    load_vm_free(vm);
}

/* 3.3, flag 5: the section headers, and where the sections that no segment holds are. */
static void elf_sections_are_told(void **state)
{
    struct vm *vm = load_vm_new(8 * MIB);
    size_t size = elf_kernel(false, 3, MIB, MIB);
    uint32_t info, table;

    (void)state;
    /* Behind the segment: 16 bytes of symbols, then three section headers: none, .text (loaded), .symtab
     * (not). */
    memset(image + size, 0, 16 + 3 * 40);
    memcpy(image + size, "symbols symbols!", 16);
    put_u32(image + size + 16 + 40 + 4, 1);
    put_u32(image + size + 16 + 40 + 12, MIB);
    put_u32(image + size + 16 + 80 + 4, 2);
    put_u32(image + size + 16 + 80 + 16, (uint32_t)size);
    put_u32(image + size + 16 + 80 + 20, 16);
    put_u32(image + 32, (uint32_t)size + 16);
    put_u16(image + 46, 40);
    put_u16(image + 48, 3);
    put_u16(image + 50, 2);
    size += 16 + 3 * 40;
    assert_true(load_vm_load(vm, image, size));
    info = info_of(vm);
    assert_int_equal(guest_u32(vm, info) & 0x20, 0x20);
    assert_int_equal(guest_u32(vm, info + 28), 3);
    assert_int_equal(guest_u32(vm, info + 32), 40);
    assert_int_equal(guest_u32(vm, info + 40), 2);
    table = guest_u32(vm, info + 36);
    assert_int_equal(guest_u32(vm, table + 40 + 12), MIB);
    assert_memory_equal(vm->ram.base + guest_u32(vm, table + 80 + 12), "symbols symbols!", 16);
    /* A section that is not in the file: told, but nowhere in memory. */
    put_u32(image + size - 40 + 20, 0x7FFFFFFF);
    assert_true(load_vm_load(vm, image, size));
    assert_int_equal(guest_u32(vm, guest_u32(vm, info_of(vm) + 36) + 80 + 12), 0);
    /* A table that is not in the file: the flag is not set, the kernel starts without. */
    assert_true(load_vm_load(vm, image, size - 1));
    assert_int_equal(guest_u32(vm, info_of(vm)) & 0x20, 0);
    load_vm_free(vm);
}

/* 3.1: the header is found at any aligned offset up to the end of the first 8192 bytes; its sum must be 0. */
static void the_header_is_searched_for(void **state)
{
    struct vm *vm = load_vm_new(8 * MIB);
    struct test_segment s = {1, MIB, MIB, 0x4000, text, sizeof(text)};
    static uint8_t padded[16384];

    (void)state;
    memset(padded, 0, sizeof(padded));
    put_header(padded + 8192 - 12 - 96, 3);
    s.data = padded;
    s.size = 0x4000;
    assert_true(load_vm_load(vm, image, build_elf(image, sizeof(image), false, MIB, &s, 1)));
    memset(padded, 0, sizeof(padded));
    put_header(padded + 8192 - 8 - 96, 3);
    assert_false(load_vm_load(vm, image, build_elf(image, sizeof(image), false, MIB, &s, 1)));
    memset(padded, 0, sizeof(padded));
    put_header(padded, 3);
    padded[8]++;
    assert_false(load_vm_load(vm, image, build_elf(image, sizeof(image), false, MIB, &s, 1)));
    assert_string_equal(
        load_vm_why, "module 3 (image) is an ELF image with neither a multiboot header nor a PVH entry note");
    load_vm_free(vm);
}

static void refuse(struct vm *vm, size_t size, const char *why)
{
    assert_false(load_vm_load(vm, image, size));
    assert_string_equal(load_vm_why, why);
}

static void bad_images_are_refused_clearly(void **state)
{
    struct vm *vm = load_vm_new(8 * MIB);
    const struct test_segment too_big = {1, MIB, MIB, 8 * MIB, text, sizeof(text)};
    size_t size;

    (void)state;
    refuse(vm, elf_kernel(false, 0x9, MIB, MIB),
           "module 3 (image) asks for unknown multiboot features (header flags 0x9)");
    size = elf_kernel(false, 3, MIB, MIB);
    refuse(vm, size - 1, "module 3 (image) is truncated: its segments end at byte 4192, the file has 4191");
    put_u16(image + 44, 200);
    refuse(vm, size,
           "module 3 (image) is truncated: its program headers end at byte 6452, the file has 4192");
    size = elf_kernel(false, 3, MIB, MIB);
    put_u16(image + 18, 40);
    refuse(vm, size, "module 3 (image) is a corrupt ELF file: not for x86");
    size = elf_kernel(false, 3, MIB, MIB);
    put_u32(image + 52 + 16, 0x5000);
    refuse(vm, size,
           "module 3 (image) is a corrupt ELF file: a segment is longer in the file than in memory");
    size = elf_kernel(true, 3, MIB, MIB);
    put_u64(image + 64 + 8, UINT64_MAX - 4);
    refuse(vm, size, "module 3 (image) is a corrupt ELF file: a segment is nowhere in the file");
    put_header(text, 3);
    refuse(vm, build_elf(image, sizeof(image), false, MIB, &too_big, 1),
           "module 3 (image) needs 0x800000 bytes at 0x100000, which is not RAM with mem=8192K");
    memset(image, 0, 4096);
    put_header(image, 3);
    refuse(vm, 4096,
           "module 3 (image) is a multiboot image that is not ELF and has no load addresses (flag 16)");
    vm->config.initrd = text;
    vm->config.initrd_size = 1;
    refuse(vm, elf_kernel(false, 3, MIB, MIB),
           "'initrd': module 3 (image) is a multiboot image, which takes none");
    load_vm_free(vm);
}

static void bad_address_fields_are_refused(void **state)
{
    static const struct {
        unsigned int field;
        uint32_t value;
        const char *why;
    } wrong[] = {
        {12, MIB - 1, "module 3 (image) has a multiboot header with wrong addresses: header_addr"},
        {12, MIB + 17, "module 3 (image) has a multiboot header with wrong addresses: header_addr"},
        {20, MIB - 1, "module 3 (image) has a multiboot header with wrong addresses: load_end_addr"},
        {20, MIB, "module 3 (image) has a multiboot header with wrong addresses: load_end_addr"},
        {20, MIB + 4097, "module 3 (image) is truncated: its header says 4097 bytes, the file has 4096"},
        {24, MIB - 1, "module 3 (image) has a multiboot header with wrong addresses: bss_end_addr"},
        {24, MIB + 4095, "module 3 (image) has a multiboot header with wrong addresses: bss_end_addr"},
        {28, MIB - 1, "module 3 (image) has a multiboot header with wrong addresses: entry_addr"},
        {28, MIB + 0x2000, "module 3 (image) has a multiboot header with wrong addresses: entry_addr"},
        {24, 0xFFFFFFFF,
         "module 3 (image) needs 0xffefffff bytes at 0x100000, which is not RAM with mem=8192K"},
    };
    struct vm *vm = load_vm_new(8 * MIB);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        size_t size = kludge_kernel(MIB + 4096, MIB + 0x2000);

        put_u32(image + 16 + wrong[i].field, wrong[i].value);
        refuse(vm, size, wrong[i].why);
    }
    load_vm_free(vm);
}

/* Segments may not lie in the holes, the firmware's area or the interrupt controllers. */
static void images_load_into_ram_only(void **state)
{
    static const uint64_t wrong[] = {0x9FC00, 0x9F000,    0xA0000, 0xB8000,     0xC0000,           0xE0000,
                                     0xFF000, 0xFEE00000, 8 * MIB, 0x100000000, UINT64_MAX - 0xFFF};
    struct vm *vm = load_vm_new(8 * MIB);
    size_t i;

    (void)state;
    memset(text, 0, sizeof(text));
    put_header(text, 3);
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        const struct test_segment s = {1, wrong[i], wrong[i], 0x1000, text, sizeof(text)};

        assert_false(load_vm_load(vm, image, build_elf(image, sizeof(image), true, wrong[i], &s, 1)));
        assert_non_null(strstr(load_vm_why, "which is not RAM with mem=8192K"));
    }
    load_vm_free(vm);
}

static void modules_that_do_not_fit(void **state)
{
    static uint8_t big[4 * MIB];
    struct vm *vm = load_vm_new(4 * MIB);

    (void)state;
    vm->config.modules[0] = (struct guest_module){big, sizeof(big), ""};
    vm->config.nmodules = 1;
    refuse(vm, elf_kernel(false, 3, MIB, MIB),
           "a module of 4194304 bytes does not fit beside module 3 (image) into mem=4096K");
    vm->config.modules[0].size = 0;
    assert_true(load_vm_load(vm, image, elf_kernel(false, 3, MIB, MIB)));
    load_vm_free(vm);
}

static void spoilt_images(void **state)
{
    size_t size;

    (void)state;
    size = elf_kernel(false, 7, MIB, MIB);
    load_vm_fuzz(4 * MIB, image, size, 128, 4000);
    size = elf_kernel(true, 3, MIB, MIB);
    put_u64(image + 40, 200); /* section headers somewhere */
    put_u16(image + 58, 64);
    put_u16(image + 60, 5);
    load_vm_fuzz(4 * MIB, image, size, 192, 4000);
    size = kludge_kernel(MIB + 2048, MIB + 0x3000);
    load_vm_fuzz(4 * MIB, image, size, 64, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elf_kernels_load),
        cmocka_unit_test(entry_points_are_translated),
        cmocka_unit_test(address_fields_stand_above_elf),
        cmocka_unit_test(the_information_is_complete),
        cmocka_unit_test(nothing_lies_in_the_image),
        cmocka_unit_test(video_information_is_the_text_screen),
        cmocka_unit_test(elf_sections_are_told),
        cmocka_unit_test(the_header_is_searched_for),
        cmocka_unit_test(bad_images_are_refused_clearly),
        cmocka_unit_test(bad_address_fields_are_refused),
        cmocka_unit_test(images_load_into_ram_only),
        cmocka_unit_test(modules_that_do_not_fit),
        cmocka_unit_test(spoilt_images),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
