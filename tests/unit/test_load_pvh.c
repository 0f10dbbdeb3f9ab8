/* vmm/load_pvh.c: PVH images (Xen's x86/HVM direct boot ABI, docs/misc/pvh.pandoc). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/load_vm.h"

#define MIB (1ull << 20)

static uint8_t image[65536];
static uint8_t text[4096];
static uint8_t notes[64];

static size_t put_note(uint8_t *p, uint32_t type, const char *name, const void *desc, uint32_t size)
{
    uint32_t namesz = (uint32_t)strlen(name) + 1;

    put_u32(p, namesz);
    put_u32(p + 4, size);
    put_u32(p + 8, type);
    memset(p + 12, 0, (namesz + 3) & ~3u);
    memcpy(p + 12, name, namesz);
    memcpy(p + 12 + ((namesz + 3) & ~3u), desc, size);
    return 12 + ((namesz + 3) & ~3u) + ((size + 3) & ~3u);
}

/* A kernel at 1 MiB, entered at +20h; before its note another one, of an odd size. notes_first: they come
 * before the text in the file. */
static size_t kernel_of(bool is64, bool notes_first)
{
    const uint64_t entry = MIB + 0x20;
    size_t n = put_note(notes, 18, "GNU", "odd", 3);
    struct test_segment s[2] = {{1, 0xFFFFFFFF81000000, MIB, 0x4000, text, sizeof(text)},
                                {4, 0, 0, 0, notes, 0}};

    memset(text, 0xCC, sizeof(text));
    n += put_note(notes + n, 18, "Xen", &entry, is64 ? 8 : 4);
    s[1].size = n;
    s[0].vaddr = is64 ? 0xFFFFFFFF81000000 : 0xC0000000;
    if (notes_first) {
        const struct test_segment swapped[2] = {s[1], s[0]};

        return build_elf(image, sizeof(image), is64, s[0].vaddr, swapped, 2);
    }
    return build_elf(image, sizeof(image), is64, s[0].vaddr, s, 2);
}

static size_t kernel(bool is64)
{
    return kernel_of(is64, false);
}

static void check_state(struct vm *vm)
{
    struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);

    assert_int_equal(vm->vcpus[0]->regs.rip, MIB + 0x20);
    assert_int_equal(vm->vcpus[0]->regs.rflags, 2);
    assert_int_equal(f->regs[REG_CR0] & 0x80000001u, 1);
    assert_int_equal(f->regs[REG_CR4], 0);
    assert_int_equal(f->segs[SEG_CS].attr, 0xC09B);
    assert_int_equal(f->segs[SEG_DS].attr, 0xC093);
    assert_int_equal(f->segs[SEG_TR].attr, 0x8B);
    assert_int_equal(f->segs[SEG_TR].limit, 0x67);
}

static void pvh_kernels_load(void **state)
{
    static const uint8_t initrd[5000] = {1, 2, 3}, module[2] = {9, 9};
    int is64;

    (void)state;
    for (is64 = 0; is64 < 2; is64++) {
        struct vm *vm = load_vm_new(8 * MIB);
        uint64_t info, list, map;

        vm->config.cmdline = "console=ttyS0";
        vm->config.initrd = initrd;
        vm->config.initrd_size = sizeof(initrd);
        vm->config.modules[0] = (struct guest_module){module, 2, "words"};
        vm->config.nmodules = 1;
        assert_true(load_vm_load(vm, image, kernel(is64 == 1)));
        check_state(vm);
        assert_memory_equal(vm->ram.base + MIB, text, sizeof(text));
        assert_int_equal(guest_u8(vm, MIB + 0x3FFF), 0);
        info = vm->vcpus[0]->regs.gpr[GPR_RBX];
        assert_int_equal(guest_u32(vm, info), 0x336EC578);
        assert_int_equal(guest_u32(vm, info + 4), 1);
        assert_int_equal(guest_u32(vm, info + 8), 0);
        assert_int_equal(guest_u32(vm, info + 12), 2);
        assert_string_equal(guest_string(vm, guest_u64(vm, info + 24)), "console=ttyS0");
        assert_memory_equal(vm->ram.base + guest_u64(vm, info + 32), "RSD PTR ", 8);
        list = guest_u64(vm, info + 16);
        assert_true(guest_u64(vm, list) >= MIB + 0x4000);
        assert_memory_equal(vm->ram.base + guest_u64(vm, list), initrd, sizeof(initrd));
        assert_int_equal(guest_u64(vm, list + 8), sizeof(initrd));
        assert_string_equal(guest_string(vm, guest_u64(vm, list + 16)), "");
        assert_memory_equal(vm->ram.base + guest_u64(vm, list + 32), module, 2);
        assert_string_equal(guest_string(vm, guest_u64(vm, list + 48)), "words");
        map = guest_u64(vm, info + 40);
        assert_int_equal(guest_u32(vm, info + 48), 6);
        assert_int_equal(guest_u64(vm, map + 3 * 24), MIB);
        assert_int_equal(guest_u64(vm, map + 3 * 24 + 8), 7 * MIB);
        assert_int_equal(guest_u32(vm, map + 3 * 24 + 16), 1);
        load_vm_free(vm);
    }
}

static void without_modules_the_list_is_absent(void **state)
{
    struct vm *vm = load_vm_new(8 * MIB);
    uint64_t info;

    (void)state;
    assert_true(load_vm_load(vm, image, kernel(true)));
    info = vm->vcpus[0]->regs.gpr[GPR_RBX];
    assert_int_equal(guest_u32(vm, info + 12), 0);
    assert_int_equal(guest_u64(vm, info + 16), 0);
    load_vm_free(vm);
}

static void bad_notes_are_no_notes(void **state)
{
    static const char none[] =
        "module 3 (image) is an ELF image with neither a multiboot header nor a PVH entry note";
    struct vm *vm = load_vm_new(8 * MIB);
    size_t size = kernel(true);
    uint8_t *note = image + size - 24; /* header, name, 8 bytes */

    (void)state;
    put_u32(note + 8, 17);
    assert_false(load_vm_load(vm, image, size));
    assert_string_equal(load_vm_why, none);
    put_u32(note + 8, 18);
    put_u32(note + 4, 0xFFFFFFFF);
    assert_false(load_vm_load(vm, image, size));
    assert_string_equal(load_vm_why, none);
    put_u32(note + 4, 8);
    put_u32(note, 0xFFFFFFFF);
    assert_false(load_vm_load(vm, image, size));
    assert_string_equal(load_vm_why, none);
    put_u32(note, 4);
    put_u64(note + 16, 5 * MIB); /* an entry point in no segment */
    assert_false(load_vm_load(vm, image, size));
    assert_string_equal(load_vm_why,
                        "module 3 (image) is a corrupt ELF file: its entry point is in no segment");
    put_u64(note + 16, MIB + 0x20);
    assert_true(load_vm_load(vm, image, size));
    load_vm_free(vm);
}

/* A note segment that ends with the file, anywhere in a note. */
static void cut_notes_are_no_notes(void **state)
{
    struct vm *vm = load_vm_new(8 * MIB);
    size_t cut;

    (void)state;
    for (cut = 1; cut <= 40; cut++) {
        const uint32_t entry = MIB;
        size_t n = put_note(notes, 1, "GNU", "odd", 3);
        struct test_segment s[2] = {{1, MIB, MIB, 0x1000, text, 64}, {4, 0, 0, 0, notes, 0}};

        n += put_note(notes + n, 18, "Xen", &entry, 4);
        assert_int_equal(n, 40);
        s[1].size = n;
        assert_true(load_vm_load(vm, image, build_elf(image, sizeof(image), true, 0, s, 2)));
        s[1].size = n - cut;
        assert_false(load_vm_load(vm, image, build_elf(image, sizeof(image), true, 0, s, 2)));
    }
    load_vm_free(vm);
}

/* A note holds a physical address, even where another segment has it as a virtual one (Linux's per-CPU data,
 * at 0). */
static void the_entry_is_physical(void **state)
{
    struct vm *vm = load_vm_new(8 * MIB);
    const uint32_t entry = 2 * MIB + 0x10;
    size_t n = put_note(notes, 18, "Xen", &entry, 4);
    const struct test_segment s[3] = {
        {1, 2 * MIB, MIB, 0x1000, text, 64}, {1, MIB, 2 * MIB, 0x1000, text, 64}, {4, 0, 0, 0, notes, n}};

    (void)state;
    assert_true(load_vm_load(vm, image, build_elf(image, sizeof(image), true, 0, s, 3)));
    assert_int_equal(vm->vcpus[0]->regs.rip, entry);
    load_vm_free(vm);
}

static void spoilt_images(void **state)
{
    size_t size = kernel_of(true, true);

    (void)state;
    load_vm_fuzz(4 * MIB, image, size, 256, 4000);
    size = kernel_of(false, true);
    load_vm_fuzz(4 * MIB, image, size, 192, 4000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pvh_kernels_load),       cmocka_unit_test(without_modules_the_list_is_absent),
        cmocka_unit_test(bad_notes_are_no_notes), cmocka_unit_test(the_entry_is_physical),
        cmocka_unit_test(cut_notes_are_no_notes), cmocka_unit_test(spoilt_images),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
