/* vmm/load_linux.c: bzImages by the 64-bit boot protocol (Linux Documentation/arch/x86/boot.rst and
 * zero-page.rst), on images made up here and on the Debian kernel, if it has been fetched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/support/load_vm.h"

#define MIB   (1ull << 20)
#define SETUP 1024u /* two sectors */
#define BODY  8192u
#define PREF  (2 * MIB)
#define NEEDS (1 * MIB) /* init_size */

static const char debian_kernel[] = "build/debian/vmlinuz";
static uint8_t image[SETUP + BODY];

static size_t bzimage(void)
{
    memset(image, 0, SETUP);
    memset(image + SETUP, 0xCC, BODY);
    image[0x1F1] = 1; /* setup_sects */
    put_u32(image + 0x1F4, BODY / 16);
    put_u16(image + 0x1FE, 0xAA55);
    image[0x200] = 0xEB;
    image[0x201] = 0x6A; /* the header ends at 26Ch */
    memcpy(image + 0x202, "HdrS", 4);
    put_u16(image + 0x206, 0x20F);
    image[0x211] = 1;                   /* LOADED_HIGH */
    put_u32(image + 0x218, 0xDEADBEEF); /* ramdisk: to be overwritten */
    put_u32(image + 0x22C, 0x7FFFFFFF); /* initrd_addr_max */
    put_u32(image + 0x230, 0x200000);   /* alignment */
    image[0x234] = 1;                   /* relocatable */
    put_u16(image + 0x236, 0x3F);       /* XLF_KERNEL_64 among others */
    put_u32(image + 0x238, 100);        /* cmdline_size */
    put_u64(image + 0x258, PREF);
    put_u32(image + 0x260, NEEDS);
    put_u32(image + 0x26C, 0x11111111); /* code: not to be copied */
    return sizeof(image);
}

static uint64_t pref_address(const uint8_t *file)
{
    uint64_t v;

    memcpy(&v, file + 0x258, sizeof(v));
    return v;
}

static uint64_t zero_page(struct vm *vm)
{
    return vm->vcpus[0]->regs.gpr[GPR_RSI];
}

/* boot.rst, "64-bit boot protocol". */
static void check_state(struct vm *vm, uint64_t entry)
{
    struct fake_vcpu *f = fake_vcpu(vm->vcpus[0]);
    uint64_t pml4 = f->regs[REG_CR3], pdpt, va;

    assert_int_equal(vm->vcpus[0]->regs.rip, entry);
    assert_int_equal(vm->vcpus[0]->regs.rflags, 2);
    assert_true((f->regs[REG_CR0] & 0x80000001u) == 0x80000001u);
    assert_int_equal(f->regs[REG_CR4], 0x20);
    assert_int_equal(f->regs[REG_EFER], 0x500);
    assert_int_equal(f->segs[SEG_CS].selector, 0x10);
    assert_int_equal(f->segs[SEG_CS].attr, 0xA09B);
    assert_int_equal(f->segs[SEG_DS].selector, 0x18);
    assert_int_equal(f->segs[SEG_DS].attr, 0xC093);
    assert_int_equal(f->segs[SEG_TR].attr, 0x8B);
    assert_true(guest_u64(vm, f->regs[REG_GDTR_BASE] + 0x10) == 0x00AF9B000000FFFFull);
    assert_true(guest_u64(vm, f->regs[REG_GDTR_BASE] + 0x18) == 0x00CF93000000FFFFull);
    /* Identity: walked for the first and the last page and some between. */
    for (va = 0; va < 1ull << 32; va += va < 8 * MIB ? 2 * MIB : 509 * MIB) {
        uint64_t pd, pde;

        pdpt = guest_u64(vm, pml4 + (va >> 39) * 8);
        assert_int_equal(pdpt & 0xFFF, 3);
        pd = guest_u64(vm, (pdpt & ~0xFFFull) + (va >> 30 & 511) * 8);
        assert_int_equal(pd & 0xFFF, 3);
        pde = guest_u64(vm, (pd & ~0xFFFull) + (va >> 21 & 511) * 8);
        assert_int_equal(pde & 0x83, 0x83);
        assert_true((pde & ~0x1FFFFFull) == (va & ~0x1FFFFFull));
    }
}

static void check_zero_page(struct vm *vm, const uint8_t *file)
{
    uint64_t zp = zero_page(vm);
    uint8_t n = guest_u8(vm, zp + 0x1E8);
    uint64_t last = 0;
    uint8_t i;

    assert_int_equal(zp % 4096, 0);
    assert_int_equal(guest_u8(vm, zp + 0x1EF), 0); /* sentinel */
    assert_int_equal(guest_u8(vm, zp + 0x210), 0xFF);
    assert_memory_equal(vm->ram.base + zp + 0x202, file + 0x202, 14);
    assert_int_equal(guest_u64(vm, zp + 0x250), 0); /* setup_data */
    assert_int_equal(guest_u64(vm, zp + 0x258), pref_address(file));
    assert_memory_equal(vm->ram.base + guest_u64(vm, zp + 0x70), "RSD PTR ", 8);
    assert_int_equal(guest_u8(vm, zp + 7), 80);
    assert_int_equal(guest_u8(vm, zp + 0xE), 25);
    assert_int_equal(guest_u8(vm, zp + 0xF), 1);
    assert_int_equal(n, 6);
    for (i = 0; i < n; i++) {
        uint64_t base = guest_u64(vm, zp + 0x2D0 + i * 20u);

        assert_true(base >= last);
        last = base + guest_u64(vm, zp + 0x2D0 + i * 20u + 8);
        if (guest_u32(vm, zp + 0x2D0 + i * 20u + 16) == 1)
            assert_non_null(vm_ram(vm, base, last - base));
    }
}

static void bzimage_loads(void **state)
{
    struct vm *vm = load_vm_new(16 * MIB);

    (void)state;
    vm->config.cmdline = "console=ttyS0,115200 quiet";
    assert_true(load_vm_load(vm, image, bzimage()));
    check_state(vm, PREF + 0x200);
    check_zero_page(vm, image);
    assert_memory_equal(vm->ram.base + PREF, image + SETUP, BODY);
    assert_string_equal(guest_string(vm, guest_u32(vm, zero_page(vm) + 0x228)), "console=ttyS0,115200 quiet");
    assert_int_equal(guest_u32(vm, zero_page(vm) + 0x218), 0);
    assert_int_equal(guest_u32(vm, zero_page(vm) + 0x21C), 0);
    assert_int_equal(guest_u32(vm, zero_page(vm) + 0x26C), 0);
    load_vm_free(vm);
}

/* boot.rst, syssize: in paragraphs of 16 bytes. The files of memtest86+ 6.10 end within their last one. */
static void the_last_paragraph_need_not_be_whole(void **state)
{
    struct vm *vm = load_vm_new(16 * MIB);

    (void)state;
    assert_true(load_vm_load(vm, image, bzimage() - 15));
    assert_memory_equal(vm->ram.base + PREF, image + SETUP, BODY - 15);
    assert_int_equal(guest_u8(vm, PREF + BODY - 15), 0);
    load_vm_free(vm);
}

static void the_initrd_lies_high(void **state)
{
    static uint8_t initrd[12288];
    struct vm *vm = load_vm_new(16 * MIB);
    uint64_t zp;

    (void)state;
    memset(initrd, 0x77, sizeof(initrd));
    vm->config.initrd = initrd;
    vm->config.initrd_size = sizeof(initrd);
    assert_true(load_vm_load(vm, image, bzimage()));
    zp = zero_page(vm);
    assert_int_equal(guest_u32(vm, zp + 0x218), 16 * MIB - 12288);
    assert_int_equal(guest_u32(vm, zp + 0x21C), sizeof(initrd));
    assert_memory_equal(vm->ram.base + 16 * MIB - 12288, initrd, sizeof(initrd));
    /* initrd_addr_max is the highest address of its last byte. */
    bzimage();
    put_u32(image + 0x22C, 8 * MIB - 1);
    assert_true(load_vm_load(vm, image, sizeof(image)));
    assert_int_equal(guest_u32(vm, zero_page(vm) + 0x218), 8 * MIB - 12288);
    /* Not in the kernel's memory: below it, if there is no other place. */
    bzimage();
    put_u32(image + 0x22C, PREF + NEEDS - 1);
    assert_true(load_vm_load(vm, image, sizeof(image)));
    assert_int_equal(guest_u32(vm, zero_page(vm) + 0x218), PREF - 12288);
    load_vm_free(vm);
}

static void refuse(struct vm *vm, size_t size, const char *why)
{
    assert_false(load_vm_load(vm, image, size));
    assert_string_equal(load_vm_why, why);
}

static void bad_images_are_refused_clearly(void **state)
{
    static const char nonsense[] = "module 3 (image) is a corrupt bzImage: its setup header makes no sense";
    struct vm *vm = load_vm_new(16 * MIB);

    (void)state;
    refuse(vm, bzimage() - 16,
           "module 3 (image) is truncated: its setup header says 9216 bytes, the file has 9200");
    refuse(vm, 0x263, "module 3 (image) is truncated: its setup header says 612 bytes, the file has 611");
    bzimage();
    image[0x1F1] = 0; /* means 4 */
    refuse(vm, sizeof(image),
           "module 3 (image) is truncated: its setup header says 10752 bytes, the file has 9216");
    bzimage();
    put_u16(image + 0x206, 0x20B);
    refuse(vm, sizeof(image),
           "module 3 (image) has no 64-bit entry point (boot protocol 2.11, 2.12 is needed)");
    bzimage();
    put_u16(image + 0x236, 0x3E);
    refuse(vm, sizeof(image),
           "module 3 (image) has no 64-bit entry point (boot protocol 2.15, 2.12 is needed)");
    bzimage();
    put_u32(image + 0x1F4, 0);
    refuse(vm, sizeof(image), nonsense);
    bzimage();
    image[0x201] = 0x10;
    refuse(vm, sizeof(image), nonsense);
    bzimage();
    image[0x201] = 0xFF;
    refuse(vm, sizeof(image), nonsense);
    bzimage();
    put_u32(image + 0x260, 0xFFFFFFFF);
    refuse(vm, sizeof(image), "module 3 (image) needs 4096M of memory from 2M on; 'mem=16M' is too little");
    bzimage();
    put_u64(image + 0x258, 16 * MIB);
    refuse(vm, sizeof(image), "module 3 (image) needs 1M of memory from 16M on; 'mem=16M' is too little");
    bzimage();
    put_u64(image + 0x258, UINT64_MAX - 0xFFF);
    assert_false(load_vm_load(vm, image, sizeof(image)));
    load_vm_free(vm);
}

static void bad_settings_are_refused_clearly(void **state)
{
    static uint8_t big[14 * MIB];
    char words[102];
    struct vm *vm = load_vm_new(16 * MIB);

    (void)state;
    memset(words, 'w', 101);
    words[101] = '\0';
    vm->config.cmdline = words;
    refuse(vm, bzimage(), "the command line has 101 characters, module 3 (image) takes 100");
    words[100] = '\0';
    assert_true(load_vm_load(vm, image, bzimage()));
    vm->config.initrd = big;
    vm->config.initrd_size = sizeof(big);
    refuse(vm, bzimage(),
           "an initrd of 14680064 bytes does not fit beside module 3 (image); 'mem=16M' is too little");
    vm->config.initrd_size = 0;
    refuse(vm, bzimage(), "its initrd is empty");
    vm->config.initrd = NULL;
    vm->config.nmodules = 1;
    refuse(vm, bzimage(), "'module': module 3 (image) is a Linux image, which takes none");
    load_vm_free(vm);
}

static void spoilt_images(void **state)
{
    size_t size = bzimage();

    (void)state;
    load_vm_fuzz(4 * MIB, image, size, 0x270, 4000);
}

/* Before its header the image is code, where flips change nothing: here they hit only the header. */
static void spoilt_headers(void **state)
{
    struct vm *vm = load_vm_new(4 * MIB);
    unsigned int at, bit, loaded = 0, refused = 0;

    (void)state;
    for (at = 0x1F1; at < 0x268; at++) {
        for (bit = 0; bit < 8; bit++) {
            bzimage();
            image[at] ^= (uint8_t)(1u << bit);
            if (load_vm_load(vm, image, sizeof(image)))
                loaded++;
            else
                refused++;
        }
    }
    assert_true(loaded > 100 && refused > 50);
    load_vm_free(vm);
}

static uint8_t *read_file(const char *name, size_t *size)
{
    FILE *f = fopen(name, "rb");
    uint8_t *p;

    if (f == NULL)
        return NULL;
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    *size = (size_t)ftell(f);
    rewind(f);
    p = malloc(*size);
    assert_non_null(p);
    assert_int_equal(fread(p, 1, *size, f), *size);
    fclose(f);
    return p;
}

static void the_debian_kernel_loads(void **state)
{
    static const uint8_t initrd[4096] = {1};
    size_t size = 0;
    uint8_t *file = read_file(debian_kernel, &size);
    struct vm *vm;

    (void)state;
    if (file == NULL) {
        print_message("skipped: there is no %s (`make debian` fetches it)\n", debian_kernel);
        skip();
    }
    vm = load_vm_new(192 * MIB);
    vm->config.cmdline = "console=ttyS0,115200 quiet";
    vm->config.initrd = initrd;
    vm->config.initrd_size = sizeof(initrd);
    assert_true(load_vm_load(vm, file, size));
    check_state(vm, 16 * MIB + 0x200);
    check_zero_page(vm, file);
    assert_memory_equal(vm->ram.base + 16 * MIB, file + (file[0x1F1] + 1u) * 512u, MIB);
    assert_int_equal(guest_u32(vm, zero_page(vm) + 0x218), 192 * MIB - 4096);
    assert_false(load_vm_load(vm, file, size / 2));
    assert_non_null(strstr(load_vm_why, "is truncated: its setup header says"));
    load_vm_free(vm);
    vm = load_vm_new(32 * MIB);
    assert_false(load_vm_load(vm, file, size));
    assert_non_null(strstr(load_vm_why, "'mem=32M' is too little"));
    load_vm_free(vm);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bzimage_loads),
        cmocka_unit_test(the_last_paragraph_need_not_be_whole),
        cmocka_unit_test(the_initrd_lies_high),
        cmocka_unit_test(bad_images_are_refused_clearly),
        cmocka_unit_test(bad_settings_are_refused_clearly),
        cmocka_unit_test(spoilt_images),
        cmocka_unit_test(spoilt_headers),
        cmocka_unit_test(the_debian_kernel_loads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
