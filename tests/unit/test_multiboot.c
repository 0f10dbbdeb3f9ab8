/* links: kernel/multiboot.c */
/* The loader's information: Multiboot 0.6.96, 3.3; Multiboot 2 2.0, 3.6; DESIGN.md section 4, "Start". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/multiboot.h"

#define MEMORY (1u << 20) /* the fake machine has one MiB, and nothing above it */
#define INFO   0x1000u
#define MMAP   0x2000u
#define MODS   0x3000u
#define TEXT   0x4000u

static uint8_t memory[MEMORY];
static struct boot_info info;

static const void *map(uint64_t phys, uint64_t length)
{
    return phys <= MEMORY && length <= MEMORY - phys ? memory + phys : NULL;
}

static void put32(uint32_t at, uint32_t v)
{
    memcpy(memory + at, &v, sizeof v);
}

static void put64(uint32_t at, uint64_t v)
{
    memcpy(memory + at, &v, sizeof v);
}

static uint32_t put_text(uint32_t at, const char *s)
{
    memcpy(memory + at, s, strlen(s) + 1);
    return at;
}

static bool parse(uint32_t magic)
{
    return boot_parse(&info, magic, INFO, map);
}

/* What QEMU -kernel leaves. */
static void build1(void)
{
    memset(memory, 0, sizeof memory);
    put32(INFO, 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9);
    put32(INFO + 16, put_text(TEXT, "kernel.elf slice=5ms"));
    put32(INFO + 20, 2);
    put32(INFO + 24, MODS);
    put32(INFO + 44, 2 * 24);
    put32(INFO + 48, MMAP);
    put32(INFO + 64, put_text(TEXT + 0x100, "qemu"));
    put32(MMAP, 20);
    put64(MMAP + 4, 0);
    put64(MMAP + 12, 0x9fc00);
    put32(MMAP + 20, BOOT_MEM_RAM);
    put32(MMAP + 24, 20);
    put64(MMAP + 28, 0xf0000);
    put64(MMAP + 36, 0x10000);
    put32(MMAP + 44, BOOT_MEM_RESERVED);
    put32(MODS, 0x10000);
    put32(MODS + 4, 0x10100);
    put32(MODS + 8, put_text(TEXT + 0x200, "vmlinuz vm=a -- quiet"));
    put32(MODS + 16, 0x20000);
    put32(MODS + 20, 0x20000);
    put32(MODS + 24, 0); /* no words at all */
}

static void multiboot1(void **state)
{
    (void)state;
    build1();
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_null(info.trouble);
    assert_true(info.qemu);
    assert_false(info.multiboot2);
    assert_string_equal(info.cmdline, "kernel.elf slice=5ms");
    assert_string_equal(info.loader, "qemu");
    assert_int_equal(info.nranges, 2);
    assert_int_equal(info.ranges[0].length, 0x9fc00);
    assert_int_equal(info.ranges[1].base, 0xf0000);
    assert_int_equal(info.ranges[1].type, BOOT_MEM_RESERVED);
    assert_int_equal(info.nmodules, 2);
    assert_ptr_equal(info.modules[0].data, memory + 0x10000);
    assert_int_equal(info.modules[0].size, 0x100);
    assert_int_equal(info.module_phys[0], 0x10000);
    assert_string_equal(info.modules[0].words, "vmlinuz vm=a -- quiet");
    assert_int_equal(info.modules[1].size, 0);
    assert_string_equal(info.modules[1].words, "");
    assert_false(info.graphics);
    put32(INFO, 1u << 2 | 1u << 6 | 1u << 12);
    memory[INFO + 109] = 1; /* RGB */
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_true(info.graphics);
    memory[INFO + 109] = 2; /* text */
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_false(info.graphics);
    build1();
    assert_true(parse(MULTIBOOT1_MAGIC));
    /* Copies: the loader's memory may be used again. */
    memset(memory, 0xee, sizeof memory);
    assert_string_equal(info.modules[0].words, "vmlinuz vm=a -- quiet");
}

static void multiboot1_without_a_map(void **state)
{
    (void)state;
    build1();
    put32(INFO, 1u << 0);
    put32(INFO + 8, 2048);
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_int_equal(info.nranges, 1);
    assert_int_equal(info.ranges[0].base, 0x100000);
    assert_int_equal(info.ranges[0].length, 2048 * 1024);
    assert_string_equal(info.cmdline, "");
    put32(INFO, 0);
    assert_false(parse(MULTIBOOT1_MAGIC));
    assert_non_null(strstr(info.trouble, "memory map (multiboot 1 flag 6"));
}

static void multiboot1_odd(void **state)
{
    (void)state;
    build1();
    put32(MODS, 0xfffff000u); /* outside of memory */
    put32(MODS + 4, 0xfffff100u);
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_int_equal(info.nmodules, 1);
    assert_non_null(strstr(info.trouble, "module"));

    build1();
    put32(MODS, 0x10100); /* ends before it starts */
    put32(MODS + 4, 0x10000);
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_int_equal(info.nmodules, 1);

    build1();
    put32(MODS, 0xa0000); /* memory that the map does not know */
    put32(MODS + 4, 0xa1000);
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_int_equal(info.nmodules, 1);

    build1();
    put32(INFO + 20, UINT32_MAX); /* as many modules as nobody has */
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_true(info.nmodules <= BOOT_MAX_MODULES);
    assert_non_null(info.trouble);

    build1();
    put32(MMAP, 4); /* an entry too short */
    assert_false(parse(MULTIBOOT1_MAGIC));

    build1();
    put32(MMAP + 24, 0xfffffff0u);
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_int_equal(info.nranges, 1);
    assert_non_null(strstr(info.trouble, "memory map"));

    build1();
    memset(memory + TEXT, 'x', MEMORY - TEXT); /* a string without end */
    assert_true(parse(MULTIBOOT1_MAGIC));
    assert_string_equal(info.cmdline, "");
    assert_non_null(info.trouble);
}

/* ---- multiboot 2: tags one after the other, each aligned to 8 ---- */

static uint32_t next_tag;

static uint32_t tag(uint32_t type, uint32_t size)
{
    uint32_t at = next_tag;

    put32(at, type);
    put32(at + 4, size);
    next_tag += (size + 7) & ~7u;
    return at + 8;
}

static void text_tag(uint32_t type, const char *s)
{
    put_text(tag(type, 8 + (uint32_t)strlen(s) + 1), s);
}

static void end_tags(void)
{
    tag(0, 8);
    put32(INFO, next_tag - INFO);
}

static void mmap_tag(uint32_t entry)
{
    uint32_t at = tag(6, 16 + 2 * entry);

    put32(at, entry);
    put64(at + 8, 0);
    put64(at + 16, 0x9f000);
    put32(at + 24, BOOT_MEM_RAM);
    put64(at + 8 + entry, 0x9f000);
    put64(at + 16 + entry, 0x1000);
    put32(at + 24 + entry, BOOT_MEM_ACPI);
}

static void module_tag(uint32_t start, uint32_t end, const char *words)
{
    uint32_t at = tag(3, 16 + (uint32_t)strlen(words) + 1);

    put32(at, start);
    put32(at + 4, end);
    put_text(at + 8, words);
}

static void start2(void)
{
    memset(memory, 0, sizeof memory);
    next_tag = INFO + 8;
}

static void multiboot2(void **state)
{
    (void)state;
    start2();
    text_tag(1, "slice=10ms");
    module_tag(0x10000, 0x10345, "vm=a mem=64M"); /* before the map: the order is free */
    text_tag(2, "GRUB 2.06");
    memcpy(memory + tag(15, 8 + 36), "RSD PTR 0123456789abcdef", 24);
    memcpy(memory + tag(14, 8 + 20), "RSD PTR old.........", 20);
    tag(4, 16);                  /* basic memory: nothing of ours */
    memory[tag(8, 32) + 29] = 1; /* a screen in a graphics mode */
    tag(12, 16);                 /* UEFI's system table */
    mmap_tag(24);
    end_tags();
    assert_true(parse(MULTIBOOT2_MAGIC));
    assert_null(info.trouble);
    assert_true(info.multiboot2);
    assert_true(info.graphics && info.efi);
    assert_false(info.qemu);
    assert_string_equal(info.cmdline, "slice=10ms");
    assert_string_equal(info.loader, "GRUB 2.06");
    assert_int_equal(info.nmodules, 1);
    assert_int_equal(info.modules[0].size, 0x345);
    assert_string_equal(info.modules[0].words, "vm=a mem=64M");
    assert_int_equal(info.nranges, 2);
    assert_int_equal(info.ranges[1].type, BOOT_MEM_ACPI);
    assert_int_equal(info.rsdp_length, 36);
    assert_memory_equal(info.rsdp, "RSD PTR 0123456789abcdef", 24);
}

static void multiboot2_longer_entries(void **state)
{
    (void)state;
    start2();
    mmap_tag(40);
    end_tags();
    assert_true(parse(MULTIBOOT2_MAGIC));
    assert_int_equal(info.nranges, 2);
    assert_int_equal(info.ranges[1].base, 0x9f000);
}

static void multiboot2_odd(void **state)
{
    (void)state;
    start2();
    mmap_tag(16); /* entries too short to be any */
    end_tags();
    assert_false(parse(MULTIBOOT2_MAGIC));

    start2();
    mmap_tag(24);
    put32(tag(3, 12), 0x10000); /* half a module */
    end_tags();
    assert_true(parse(MULTIBOOT2_MAGIC));
    assert_int_equal(info.nmodules, 0);
    assert_non_null(info.trouble);

    start2();
    mmap_tag(24);
    put32(next_tag, 1);
    put32(next_tag + 4, 0); /* a tag of no size would be read for ever */
    next_tag += 8;
    end_tags();
    assert_true(parse(MULTIBOOT2_MAGIC));
    assert_non_null(info.trouble);

    start2();
    mmap_tag(24);
    put32(INFO, 0xffffffffu);
    assert_false(parse(MULTIBOOT2_MAGIC));

    start2();
    mmap_tag(24);
    memset(memory + tag(1, 8 + 16), 'x', 16); /* no zero in it */
    end_tags();
    assert_true(parse(MULTIBOOT2_MAGIC));
    assert_string_equal(info.cmdline, "");
}

/* A UEFI loader without a memory map, or one that is not yet done: the line says what to do (issue: bad
 * input). */
static void uefi_loaders_that_are_not_done(void **state)
{
    (void)state;
    start2();
    text_tag(1, "slice=10ms");
    tag(12, 16); /* EFI 64-bit system table */
    end_tags();
    assert_false(parse(MULTIBOOT2_MAGIC));
    assert_non_null(strstr(info.trouble, "no memory map (multiboot 2 tag 6)"));
    assert_non_null(strstr(info.trouble, "GRUB 2"));

    start2();
    mmap_tag(24);
    tag(18, 8); /* EFI boot services not terminated */
    end_tags();
    assert_false(parse(MULTIBOOT2_MAGIC));
    assert_non_null(strstr(info.trouble, "boot services"));
}

static void ranges_do_not_wrap(void **state)
{
    uint32_t at;

    (void)state;
    start2();
    at = tag(6, 16 + 24);
    put32(at, 24);
    put64(at + 8, 0x1000);
    put64(at + 16, UINT64_MAX);
    put32(at + 24, BOOT_MEM_RAM);
    end_tags();
    assert_true(parse(MULTIBOOT2_MAGIC));
    assert_true(info.ranges[0].length == UINT64_MAX - 0x1000);
}

static void many_modules(void **state)
{
    (void)state;
    start2();
    mmap_tag(24);
    for (unsigned int i = 0; i < BOOT_MAX_MODULES + 3; i++)
        module_tag(0x10000, 0x10001, "vm=x");
    end_tags();
    assert_true(parse(MULTIBOOT2_MAGIC));
    assert_int_equal(info.nmodules, BOOT_MAX_MODULES);
    assert_string_equal(info.trouble, "too many modules");
}

static void no_loader(void **state)
{
    (void)state;
    build1();
    assert_false(parse(0x12345678));
    assert_non_null(info.trouble);
    assert_false(boot_parse(&info, MULTIBOOT1_MAGIC, MEMORY - 4, map));
    assert_false(boot_parse(&info, MULTIBOOT2_MAGIC, MEMORY - 4, map));
}

/* Whatever lies there, everything taken out of it is inside memory, and the strings end. */
static void check_sanity(void)
{
    assert_true(info.nranges <= BOOT_MAX_RANGES && info.nmodules <= BOOT_MAX_MODULES);
    assert_true(info.strings_used <= BOOT_STRINGS);
    assert_true(strlen(info.cmdline) < BOOT_STRINGS && strlen(info.loader) < BOOT_STRINGS);
    for (unsigned int i = 0; i < info.nranges; i++)
        assert_true(info.ranges[i].length <= UINT64_MAX - info.ranges[i].base);
    for (unsigned int i = 0; i < info.nmodules; i++) {
        const struct boot_module *m = &info.modules[i];

        assert_true(m->data >= memory && m->size <= MEMORY);
        assert_true((size_t)(m->data - memory) <= MEMORY - m->size);
        assert_true(strlen(m->words) < BOOT_STRINGS);
    }
}

static void flipped_bits(void **state)
{
    (void)state;
    srand(3);
    for (unsigned int round = 0; round < 3000; round++) {
        bool two = round % 2;

        if (two) {
            start2();
            text_tag(1, "slice=10ms");
            mmap_tag(24);
            module_tag(0x10000, 0x10345, "vm=a mem=64M");
            end_tags();
        } else {
            build1();
        }
        for (unsigned int i = 0; i < 4; i++) {
            uint32_t area = two ? INFO + (uint32_t)rand() % 200 : INFO + (uint32_t)rand() % 0x3400;

            memory[area] = (uint8_t)(rand() % 3 == 0 ? 0xff : rand());
        }
        parse(two ? MULTIBOOT2_MAGIC : MULTIBOOT1_MAGIC);
        check_sanity();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(multiboot1),
        cmocka_unit_test(multiboot1_without_a_map),
        cmocka_unit_test(multiboot1_odd),
        cmocka_unit_test(multiboot2),
        cmocka_unit_test(multiboot2_longer_entries),
        cmocka_unit_test(multiboot2_odd),
        cmocka_unit_test(uefi_loaders_that_are_not_done),
        cmocka_unit_test(ranges_do_not_wrap),
        cmocka_unit_test(many_modules),
        cmocka_unit_test(no_loader),
        cmocka_unit_test(flipped_bits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
