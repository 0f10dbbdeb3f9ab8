/* vmm/load_flat.c, vmm/load.c, vmm/firmware.c: flat real-mode images at 0x7C00, images of no known kind, and
 * what the firmware leaves in memory (DESIGN.md section 4, "Guests"). */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/load_vm.h"
#include "vmm/firmware.h"

#define FLAT_MAX (FW_EBDA - 0x7C00u)

static uint8_t sector[1024];

static void make_sector(void)
{
    memset(sector, 0x90, sizeof(sector));
    sector[510] = 0x55;
    sector[511] = 0xAA;
}

static void boot_sector_starts_in_real_mode(void **state)
{
    struct vm *vm = load_vm_new(4 << 20);
    struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);

    (void)state;
    make_sector();
    assert_true(load_vm_load(vm, sector, sizeof(sector)));
    assert_memory_equal(vm->ram.base + 0x7C00, sector, sizeof(sector));
    assert_int_equal(vm->vcpus[0]->regs.rip, 0x7C00);
    assert_int_equal(vm->vcpus[0]->regs.rflags, 2);
    assert_int_equal(vm->vcpus[0]->regs.gpr[GPR_RDX] & 0xFF, 0x80);
    assert_int_equal(vm->vcpus[0]->regs.gpr[GPR_RSP], 0x7C00);
    assert_int_equal(f->regs[REG_CR0] & 0x80000001u, 0);
    assert_int_equal(f->regs[REG_IDTR_LIMIT], 0x3FF);
    assert_int_equal(f->segs[SEG_CS].selector, 0);
    assert_int_equal(f->segs[SEG_CS].base, 0);
    assert_int_equal(f->segs[SEG_CS].limit, 0xFFFF);
    assert_int_equal(f->segs[SEG_CS].attr, 0x9B);
    assert_int_equal(f->segs[SEG_SS].attr, 0x93);
    assert_int_equal(f->segs[SEG_DS].base, 0);
    load_vm_free(vm);
}

static void short_images_need_no_signature(void **state)
{
    static const uint8_t code[] = {0xF4};
    struct vm *vm = load_vm_new(4 << 20);

    (void)state;
    assert_true(load_vm_load(vm, code, sizeof(code)));
    assert_int_equal(vm->ram.base[0x7C00], 0xF4);
    load_vm_free(vm);
}

static void flat_images_have_a_greatest_size(void **state)
{
    uint8_t *big = calloc(1, FLAT_MAX + 1);
    struct vm *vm = load_vm_new(4 << 20);

    (void)state;
    big[510] = 0x55;
    big[511] = 0xAA;
    assert_true(load_vm_load(vm, big, FLAT_MAX));
    assert_false(load_vm_load(vm, big, FLAT_MAX + 1));
    assert_string_equal(load_vm_why,
                        "module 3 (image) is a flat image of 622593 bytes; at most 622592 fit at 0x7c00");
    load_vm_free(vm);
    free(big);
}

static void unknown_images_are_refused(void **state)
{
    static const char unknown[] =
        "module 3 (image) is not a Linux bzImage, multiboot, PVH ELF or boot sector image";
    struct vm *vm = load_vm_new(4 << 20);

    (void)state;
    make_sector();
    sector[511] = 0;
    assert_false(load_vm_load(vm, sector, sizeof(sector)));
    assert_string_equal(load_vm_why, unknown);
    assert_false(load_vm_load(vm, sector, 512));
    /* The beginning of a bzImage that was cut off. */
    make_sector();
    memcpy(sector, "MZ", 2);
    assert_false(load_vm_load(vm, sector, 512));
    assert_string_equal(load_vm_why, unknown);
    assert_false(load_vm_load(vm, sector, 0));
    assert_string_equal(load_vm_why, "module 3 (image) is empty");
    load_vm_free(vm);
}

/* They are the operator's words, and go to a terminal (vmm/words.h). */
static void names_are_cut_and_made_harmless(void **state)
{
    char name[200];
    struct vm *vm = load_vm_new(4 << 20);

    (void)state;
    memset(name, 'n', sizeof(name));
    name[199] = '\0';
    vm->config.image_name = name;
    assert_false(load_vm_load(vm, sector, 0));
    assert_non_null(strstr(load_vm_why, "module 3 (nnnn"));
    assert_non_null(strstr(load_vm_why, "nnnn...) is empty"));
    vm->config.image_name = "/boot/\x1b[2Jimage\n";
    assert_false(load_vm_load(vm, sector, 0));
    assert_string_equal(load_vm_why, "module 3 (?[2Jimage?) is empty");
    vm->config.image_name = "";
    assert_false(load_vm_load(vm, sector, 0));
    assert_string_equal(load_vm_why, "module 3 () is empty");
    load_vm_free(vm);
}

static void flat_images_take_no_further_modules(void **state)
{
    struct vm *vm = load_vm_new(4 << 20);

    (void)state;
    make_sector();
    vm->config.initrd = sector;
    vm->config.initrd_size = 4;
    assert_false(load_vm_load(vm, sector, sizeof(sector)));
    assert_string_equal(load_vm_why, "'initrd': module 3 (image) is a flat image, which takes none");
    vm->config.initrd = NULL;
    vm->config.modules[0] = (struct guest_module){.data = sector, .size = 4, .cmdline = ""};
    vm->config.nmodules = 1;
    assert_false(load_vm_load(vm, sector, sizeof(sector)));
    assert_string_equal(load_vm_why, "'module': module 3 (image) is a flat image, which takes none");
    load_vm_free(vm);
}

static void firmware_data_areas(void **state)
{
    struct vm *vm = load_vm_new(4 << 20);

    (void)state;
    make_sector();
    assert_true(load_vm_load(vm, sector, sizeof(sector)));
    assert_int_equal(guest_u16(vm, 0x400), 0x3F8);
    assert_int_equal(guest_u16(vm, 0x40E), 0x9FC0);
    assert_int_equal(guest_u16(vm, 0x413), 639);
    assert_int_equal(guest_u8(vm, 0x449), 3);
    assert_int_equal(guest_u16(vm, 0x44A), 80);
    assert_int_equal(guest_u16(vm, 0x463), 0x3D4);
    assert_int_equal(guest_u8(vm, 0x484), 24);
    assert_int_equal(guest_u16(vm, 0x485), 16);
    assert_int_equal(guest_u32(vm, 0x46C), 0);
    assert_int_equal(guest_u8(vm, 0x9FC00), 1);
    assert_int_equal(guest_u8(vm, 0x9FFFF), 0);
    assert_memory_equal(vm->ram.base + 0xE0000, "RSD PTR ", 8);
    assert_memory_equal(vm->ram.base + 0xF0000, "_MP_", 4);
    load_vm_free(vm);
}

static void memory_map_covers_ram_and_holes(void **state)
{
    static const struct memmap_entry expected[] = {
        {0, 0x9FC00, 1},
        {0x9FC00, 0x400, 2},
        {0xE0000, 0x20000, 2},
        {0x100000, 0xBFF00000, 1},
        {0xFEC00000, 0x1000, 2},
        {0xFEE00000, 0x1000, 2},
        {0x100000000, 0x40000000, 1},
    };
    struct vm *vm = calloc(1, sizeof(*vm));
    struct memmap map;
    unsigned int i;

    (void)state;
    vm->ram.low = 3ull << 30;
    vm->ram.high = 1ull << 30;
    firmware_memmap(vm, &map);
    assert_int_equal(map.n, 7);
    for (i = 0; i < 7; i++) {
        assert_int_equal(map.entry[i].base, expected[i].base);
        assert_int_equal(map.entry[i].length, expected[i].length);
        assert_int_equal(map.entry[i].type, expected[i].type);
    }
    vm->ram.low = 2 << 20;
    vm->ram.high = 0;
    firmware_memmap(vm, &map);
    assert_int_equal(map.n, 6);
    assert_int_equal(map.entry[3].length, 1 << 20);
    free(vm);
}

static void restart_gives_the_same_memory(void **state)
{
    struct vm *vm = load_vm_new(4 << 20);
    uint8_t *first = malloc(4 << 20);

    (void)state;
    make_sector();
    assert_true(load_vm_load(vm, sector, sizeof(sector)));
    memcpy(first, vm->ram.base, 4 << 20);
    memset(vm->ram.base + 0xE0000, 0x11, 0x20000); /* the guest has been there */
    memset(vm->ram.base + 0x400, 0x11, 0x100);
    assert_true(load_vm_load(vm, sector, sizeof(sector)));
    assert_memory_equal(vm->ram.base + 0x400, first + 0x400, 0x100);
    assert_memory_equal(vm->ram.base + FW_ACPI, first + FW_ACPI, FW_ACPI_END - FW_ACPI);
    assert_memory_equal(vm->ram.base + FW_MPTABLE, first + FW_MPTABLE, FW_MPTABLE_END - FW_MPTABLE);
    free(first);
    load_vm_free(vm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boot_sector_starts_in_real_mode),
        cmocka_unit_test(short_images_need_no_signature),
        cmocka_unit_test(flat_images_have_a_greatest_size),
        cmocka_unit_test(unknown_images_are_refused),
        cmocka_unit_test(names_are_cut_and_made_harmless),
        cmocka_unit_test(flat_images_take_no_further_modules),
        cmocka_unit_test(firmware_data_areas),
        cmocka_unit_test(memory_map_covers_ram_and_holes),
        cmocka_unit_test(restart_gives_the_same_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
