/* links: arch/x86/vmx/ept.c */
/* Extended page tables (SDM vol. 3, 29.3): leaf sizes, rights, splitting, what must be invalidated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "arch/x86/vmx/ept.h"
#include "vmm/backend.h"

#define M2  0x200000ull
#define K4  0x1000ull
#define RWX (NPT_READ | NPT_WRITE | NPT_EXEC)

static struct ept ept;

static int setup(void **state)
{
    (void)state;
    return ept_init(&ept, true) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    ept_destroy(&ept); /* the leak checker holds that all tables are given back */
    return 0;
}

static void expect(uint64_t gpa, uint64_t hpa, uint64_t size, uint64_t rights)
{
    uint64_t page_size;
    const uint64_t entry = ept_lookup(&ept, gpa, &page_size);
    assert_int_equal(page_size, size);
    assert_int_equal(entry & EPT_RIGHTS, rights);
    assert_int_equal(entry & (7ull << 3), EPT_TYPE_WB);
    assert_int_equal((entry & EPT_LARGE) != 0, size == M2);
    assert_int_equal((entry & EPT_ADDRESS) + gpa % size, hpa);
}

static void expect_none(uint64_t gpa)
{
    uint64_t page_size;
    assert_int_equal(ept_lookup(&ept, gpa, &page_size), 0);
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
    assert_true(ept_map(&ept, M2 - 2 * K4, 64 * M2 - 2 * K4, 2 * K4 + 2 * M2 + K4, RWX, &stale));
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
    assert_true(ept_map(&ept, M2, 10 * M2 + K4, M2, RWX, &stale));
    expect(M2, 10 * M2 + K4, K4, RWX);
    expect(2 * M2 - K4, 11 * M2, K4, RWX);
}

static void no_large_pages_without_the_capability(void **state)
{
    (void)state;
    bool stale = false;
    ept.allow_2m = false;
    assert_true(ept_map(&ept, 0, 0, M2, RWX, &stale));
    expect(0, 0, K4, RWX);
    expect(M2 - K4, M2 - K4, K4, RWX);
}

/* Write without read is a misconfiguration (29.3.3.1). */
static void writable_is_readable(void **state)
{
    (void)state;
    bool stale = false;
    assert_true(ept_map(&ept, 0, 0, K4, NPT_WRITE, &stale));
    expect(0, 0, K4, NPT_READ | NPT_WRITE);
    assert_true(ept_map(&ept, K4, K4, K4, NPT_READ, &stale));
    expect(K4, K4, K4, NPT_READ);
    assert_false(stale);
}

static void high_addresses(void **state)
{
    (void)state;
    bool stale = false;
    const uint64_t gpa = 4ull << 30;
    assert_true(ept_map(&ept, gpa, 0x12340000000ull, M2, RWX, &stale));
    expect(gpa + 5 * K4, 0x12340000000ull + 5 * K4, M2, RWX);
    assert_true(ept_map(&ept, (1ull << 48) - K4, K4, K4, RWX, &stale));
    expect((1ull << 48) - K4, K4, K4, RWX);
}

static void unmapping_a_part_splits_the_page(void **state)
{
    (void)state;
    bool stale = false;
    assert_true(ept_map(&ept, 0, 8 * M2, 2 * M2, RWX, &stale));
    assert_true(ept_unmap(&ept, 0xa0000, 0x18000)); /* the hole of the VGA page */
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
    assert_true(ept_map(&ept, 0, 0, 4 * M2, RWX, &stale));
    assert_true(ept_unmap(&ept, M2, 2 * M2));
    expect(0, 0, M2, RWX);
    expect_none(M2);
    expect_none(3 * M2 - K4);
    expect(3 * M2, 3 * M2, M2, RWX);
    /* What was not there needs no invalidation; a range of 1 TiB of nothing is quick. */
    assert_false(ept_unmap(&ept, M2, 2 * M2));
    assert_false(ept_unmap(&ept, 1ull << 40, 1ull << 40));
}

static void remapping_tells_of_stale_translations(void **state)
{
    (void)state;
    bool stale = false;
    assert_true(ept_map(&ept, 0, 0, M2, RWX, &stale));
    assert_false(stale);
    assert_true(ept_map(&ept, 5 * K4, 99 * K4, K4, NPT_READ, &stale));
    assert_true(stale);
    expect(4 * K4, 4 * K4, K4, RWX);
    expect(5 * K4, 99 * K4, K4, NPT_READ);
    /* A large page over a table of small ones frees the table. */
    stale = false;
    assert_true(ept_map(&ept, 0, 4 * M2, M2, RWX, &stale));
    assert_true(stale);
    expect(5 * K4, 4 * M2 + 5 * K4, M2, RWX);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(nothing_is_mapped_at_first),
        T(large_pages_where_alignment_allows),
        T(unequal_alignment_takes_small_pages),
        T(no_large_pages_without_the_capability),
        T(writable_is_readable),
        T(high_addresses),
        T(unmapping_a_part_splits_the_page),
        T(unmapping_whole_pages_and_nothing),
        T(remapping_tells_of_stale_translations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
