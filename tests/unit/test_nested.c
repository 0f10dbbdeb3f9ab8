/* links: arch/x86/nested.c */
/* Nested page tables, extended ones (SDM vol. 3, 29.3) and AMD's (APM vol. 2, 15.25): leaf sizes, rights,
 * splitting, what must be invalidated. Every test runs on both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86/nested.h"
#include "arch/x86/svm/npt.h"
#include "arch/x86/vmx/ept.h"
#include "vmm/backend.h"

#define M2  0x200000ull
#define K4  0x1000ull
#define RWX (NPT_READ | NPT_WRITE | NPT_EXEC)

static struct nested nested;

static int setup_ept(void **state)
{
    (void)state;
    return nested_init(&nested, true, ept_leaf_flags) ? 0 : -1;
}

static int setup_npt(void **state)
{
    (void)state;
    return nested_init(&nested, true, npt_leaf_flags) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    nested_destroy(&nested); /* the leak checker holds that all tables are given back */
    return 0;
}

static void expect(uint64_t gpa, uint64_t hpa, uint64_t size, uint64_t rights)
{
    uint64_t page_size;
    const uint64_t entry = nested_lookup(&nested, gpa, &page_size);
    assert_int_equal(page_size, size);
    assert_int_equal(entry & ~(NESTED_ADDRESS | NESTED_LARGE), nested.leaf_flags((unsigned int)rights));
    assert_int_equal((entry & NESTED_LARGE) != 0, size == M2);
    assert_int_equal((entry & NESTED_ADDRESS) + gpa % size, hpa);
}

static void expect_none(uint64_t gpa)
{
    uint64_t page_size;
    assert_int_equal(nested_lookup(&nested, gpa, &page_size), 0);
}

static void nothing_is_mapped_at_first(void **state)
{
    (void)state;
    expect_none(0);
    expect_none(0xfee00000);
    expect_none((1ull << 48) - K4);
}

static void large_pages_where_alignment_allows(void **state)
{
    (void)state;
    bool stale = false;
    /* 4 KiB up to the first 2 MiB boundary, two large pages, and a rest of one small one. */
    assert_true(nested_map(&nested, M2 - 2 * K4, 64 * M2 - 2 * K4, 2 * K4 + 2 * M2 + K4, RWX, &stale));
    assert_false(stale);
    expect_none(M2 - 3 * K4);
    expect(M2 - 2 * K4, 64 * M2 - 2 * K4, K4, RWX);
    expect(M2 - K4, 64 * M2 - K4, K4, RWX);
    expect(M2, 64 * M2, M2, RWX);
    expect(3 * M2 - K4, 66 * M2 - K4, M2, RWX);
    expect(3 * M2, 66 * M2, K4, RWX);
    expect_none(3 * M2 + K4);
}

static void unequal_alignment_takes_small_pages(void **state)
{
    (void)state;
    bool stale = false;
    assert_true(nested_map(&nested, M2, 10 * M2 + K4, M2, RWX, &stale));
    expect(M2, 10 * M2 + K4, K4, RWX);
    expect(2 * M2 - K4, 11 * M2, K4, RWX);
}

static void no_large_pages_without_the_capability(void **state)
{
    (void)state;
    bool stale = false;
    nested.allow_2m = false;
    assert_true(nested_map(&nested, 0, 0, M2, RWX, &stale));
    expect(0, 0, K4, RWX);
    expect(M2 - K4, M2 - K4, K4, RWX);
}

/* Write without read is a misconfiguration (29.3.3.1). */
static void extended_flags(void **state)
{
    (void)state;
    assert_int_equal(ept_leaf_flags(RWX), 0x37);
    assert_int_equal(ept_leaf_flags(NPT_WRITE), 0x33);
    assert_int_equal(ept_leaf_flags(NPT_READ), 0x31);
    assert_int_equal(ept_leaf_flags(NPT_READ | NPT_EXEC), 0x35);
}

/* Present, writable, user; no-execute. Every nested access is a user access (15.25.5). */
static void amd_flags(void **state)
{
    (void)state;
    assert_int_equal(npt_leaf_flags(RWX), 7);
    assert_int_equal(npt_leaf_flags(NPT_WRITE), 7 | 1ull << 63);
    assert_int_equal(npt_leaf_flags(NPT_READ), 5 | 1ull << 63);
    assert_int_equal(npt_leaf_flags(NPT_READ | NPT_EXEC), 5);
}

static void rights_reach_the_leaf(void **state)
{
    (void)state;
    bool stale = false;
    assert_true(nested_map(&nested, 0, 0, K4, NPT_WRITE, &stale));
    expect(0, 0, K4, NPT_READ | NPT_WRITE);
    assert_true(nested_map(&nested, K4, K4, K4, NPT_READ, &stale));
    expect(K4, K4, K4, NPT_READ);
    assert_true(nested_map(&nested, M2, M2, M2, NPT_READ | NPT_EXEC, &stale));
    expect(M2, M2, M2, NPT_READ | NPT_EXEC);
    assert_false(stale);
}

static void high_addresses(void **state)
{
    (void)state;
    bool stale = false;
    const uint64_t gpa = 4ull << 30;
    assert_true(nested_map(&nested, gpa, 0x12340000000ull, M2, RWX, &stale));
    expect(gpa + 5 * K4, 0x12340000000ull + 5 * K4, M2, RWX);
    assert_true(nested_map(&nested, (1ull << 48) - K4, K4, K4, RWX, &stale));
    expect((1ull << 48) - K4, K4, K4, RWX);
}

static void unmapping_a_part_splits_the_page(void **state)
{
    (void)state;
    bool stale = false;
    assert_true(nested_map(&nested, 0, 8 * M2, 2 * M2, RWX, &stale));
    assert_true(nested_unmap(&nested, 0xa0000, 0x18000)); /* the hole of the VGA page */
    expect(0x9f000, 8 * M2 + 0x9f000, K4, RWX);
    expect_none(0xa0000);
    expect_none(0xb7000);
    expect(0xb8000, 8 * M2 + 0xb8000, K4, RWX);
    expect(M2, 9 * M2, M2, RWX);
}

static void unmapping_whole_pages_and_nothing(void **state)
{
    (void)state;
    bool stale = false;
    assert_true(nested_map(&nested, 0, 0, 4 * M2, RWX, &stale));
    assert_true(nested_unmap(&nested, M2, 2 * M2));
    expect(0, 0, M2, RWX);
    expect_none(M2);
    expect_none(3 * M2 - K4);
    expect(3 * M2, 3 * M2, M2, RWX);
    /* What was not there needs no invalidation; a range of 1 TiB of nothing is quick. */
    assert_false(nested_unmap(&nested, M2, 2 * M2));
    assert_false(nested_unmap(&nested, 1ull << 40, 1ull << 40));
}

static void remapping_tells_of_stale_translations(void **state)
{
    (void)state;
    bool stale = false;
    assert_true(nested_map(&nested, 0, 0, M2, RWX, &stale));
    assert_false(stale);
    assert_true(nested_map(&nested, 5 * K4, 99 * K4, K4, NPT_READ, &stale));
    assert_true(stale);
    expect(4 * K4, 4 * K4, K4, RWX);
    expect(5 * K4, 99 * K4, K4, NPT_READ);
    /* A large page over a table of small ones frees the table. */
    stale = false;
    assert_true(nested_map(&nested, 0, 4 * M2, M2, RWX, &stale));
    assert_true(stale);
    expect(5 * K4, 4 * M2 + 5 * K4, M2, RWX);
}

int main(void)
{
#define T(f)                                                                                                 \
    cmocka_unit_test_setup_teardown(f, setup_ept, teardown),                                                 \
        cmocka_unit_test_setup_teardown(f, setup_npt, teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extended_flags),
        cmocka_unit_test(amd_flags),
        T(nothing_is_mapped_at_first),
        T(large_pages_where_alignment_allows),
        T(unequal_alignment_takes_small_pages),
        T(no_large_pages_without_the_capability),
        T(rights_reach_the_leaf),
        T(high_addresses),
        T(unmapping_a_part_splits_the_page),
        T(unmapping_whole_pages_and_nothing),
        T(remapping_tells_of_stale_translations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
