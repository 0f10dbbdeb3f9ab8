/* links: kernel/pages.c */
/* Physical pages over a loader's memory map: kernel/pages.h; issue "The machine runs", item 1 (memory map and
 * modules). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/pages.h"

#define KIB  1024ull
#define MIB  (1024 * KIB)
#define PAGE 4096ull

#define KERNEL_START (2 * MIB)
#define KERNEL_END   (2 * MIB + 100 * PAGE)

static struct boot_info boot;

static void range(uint64_t base, uint64_t length, uint32_t type)
{
    boot.ranges[boot.nranges++] = (struct boot_range){base, length, type};
}

static void module(uint64_t start, uint64_t size)
{
    boot.module_phys[boot.nmodules] = start;
    boot.modules[boot.nmodules++].size = size;
}

/* A PC with 16 MiB, as GRUB tells it. */
static int set_up(void **state)
{
    (void)state;
    memset(&boot, 0, sizeof boot);
    range(0, 639 * KIB, BOOT_MEM_RAM);
    range(639 * KIB, KIB, BOOT_MEM_RESERVED);
    range(0xf0000, 64 * KIB, BOOT_MEM_RESERVED);
    range(MIB, 15 * MIB, BOOT_MEM_RAM);
    return 0;
}

static void init(void)
{
    pages_init(&boot, KERNEL_START, KERNEL_END);
}

static void nothing_that_is_taken(void **state)
{
    (void)state;
    module(3 * MIB + 100, 5000); /* parts of two pages */
    module(4 * MIB, 0);
    init();
    assert_int_equal(pages_total(), 15 * MIB - 100 * PAGE - 2 * PAGE);
    for (uint64_t p; (p = pages_alloc(1, PAGE, UINT64_MAX)) != PAGES_NONE;) {
        assert_true(p >= MIB && p < 16 * MIB);
        assert_false(p >= KERNEL_START && p < KERNEL_END);
        assert_false(p >= 3 * MIB && p < 3 * MIB + 2 * PAGE);
    }
    assert_int_equal(pages_free_bytes(), 0);
}

static void lowest_place_aligned(void **state)
{
    uint64_t a, b;

    (void)state;
    init();
    assert_int_equal(pages_alloc(1, PAGE, UINT64_MAX), MIB);
    a = pages_alloc(512, 2 * MIB, UINT64_MAX);
    assert_int_equal(a, 4 * MIB);
    b = pages_alloc(1, 2 * MIB, UINT64_MAX);
    assert_int_equal(b, 6 * MIB);
    assert_int_equal(pages_alloc(1, PAGE, UINT64_MAX), MIB + PAGE);
    pages_free(a, 512);
    assert_int_equal(pages_alloc(512, 2 * MIB, UINT64_MAX), 4 * MIB);
}

static void limit_is_kept(void **state)
{
    (void)state;
    init();
    assert_int_equal(pages_alloc(256, PAGE, 2 * MIB), MIB);
    assert_true(pages_alloc(1, PAGE, 2 * MIB) == PAGES_NONE);
    assert_int_equal(pages_alloc(1, PAGE, UINT64_MAX), KERNEL_END);
}

static void memory_runs_out(void **state)
{
    (void)state;
    init();
    assert_true(pages_alloc(16 * 256, PAGE, UINT64_MAX) == PAGES_NONE);
    assert_true(pages_alloc(SIZE_MAX, PAGE, UINT64_MAX) == PAGES_NONE);
    assert_true(pages_alloc(SIZE_MAX / PAGE + 2, PAGE, UINT64_MAX) == PAGES_NONE);
    assert_int_equal(pages_largest(PAGE), 14 * MIB - 100 * PAGE);
    assert_int_equal(pages_largest(MIB), 13 * MIB);
    assert_int_equal(pages_free_bytes(), pages_total());
}

/* Maps of real firmware: unsorted, overlapping, unaligned, beyond 4 GiB, at the end of the address space. */
static void odd_maps(void **state)
{
    (void)state;
    boot.nranges = 0;
    range(0x100000000ull, 64 * MIB, BOOT_MEM_RAM);
    range(8 * MIB + 1, 4 * MIB - 2, BOOT_MEM_RAM);
    range(4 * MIB, 6 * MIB, BOOT_MEM_RAM);
    range(9 * MIB + 17, 3, BOOT_MEM_ACPI);
    range(5 * MIB, MIB, 0x1234); /* a type nobody knows */
    range(UINT64_MAX - 100, 100, BOOT_MEM_RAM);
    range(UINT64_MAX - 5000, 5000, BOOT_MEM_RESERVED);
    init();
    /* 4..5, 6..12 less the ACPI page and the last, partial one; above 4 GiB */
    assert_int_equal(pages_total(), MIB + 6 * MIB - 2 * PAGE + 64 * MIB);
    assert_int_equal(pages_largest(PAGE), 64 * MIB);
    assert_int_equal(pages_lost(), 0);
}

/* More holes than the array of ranges has room for: memory is given up and counted, never given out twice. */
static void fragments(void **state)
{
    static uint64_t p[3000];
    uint64_t total;

    (void)state;
    init();
    total = pages_total();
    for (unsigned int i = 0; i < 3000; i++) {
        p[i] = pages_alloc(1, PAGE, UINT64_MAX);
        assert_true(p[i] != PAGES_NONE);
    }
    for (unsigned int i = 0; i < 3000; i += 2)
        pages_free(p[i], 1);
    assert_true(pages_lost() > 0);
    assert_int_equal(pages_free_bytes() + pages_lost(), total - 1500 * PAGE);
    for (unsigned int i = 1; i < 3000; i += 2)
        pages_free(p[i], 1);
    assert_int_equal(pages_free_bytes() + pages_lost(), total);
}

/* Against a map of single pages. */
static void random_use(void **state)
{
    static uint8_t owner[4096];
    static struct {
        uint64_t phys;
        size_t n;
    } held[64];

    (void)state;
    memset(owner, 0, sizeof owner);
    memset(held, 0, sizeof held);
    srand(2);
    init();
    for (unsigned int step = 0; step < 20000; step++) {
        unsigned int h = (unsigned int)rand() % 64;

        if (held[h].n) {
            memset(owner + held[h].phys / PAGE, 0, held[h].n);
            pages_free(held[h].phys, held[h].n);
            held[h].n = 0;
        } else {
            size_t n = (size_t)rand() % 80 + 1;
            uint64_t align = PAGE << rand() % 6;
            uint64_t phys = pages_alloc(n, align, UINT64_MAX);

            if (phys == PAGES_NONE)
                continue;
            assert_int_equal(phys % align, 0);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(owner[phys / PAGE + i]++, 0);
            held[h].phys = phys;
            held[h].n = n;
        }
    }
    for (unsigned int h = 0; h < 64; h++)
        pages_free(held[h].phys, held[h].n);
    assert_int_equal(pages_free_bytes(), pages_total());
    assert_int_equal(pages_largest(PAGE), 14 * MIB - 100 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_that_is_taken, set_up),
        cmocka_unit_test_setup(lowest_place_aligned, set_up),
        cmocka_unit_test_setup(limit_is_kept, set_up),
        cmocka_unit_test_setup(memory_runs_out, set_up),
        cmocka_unit_test_setup(odd_maps, set_up),
        cmocka_unit_test_setup(fragments, set_up),
        cmocka_unit_test_setup(random_use, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
