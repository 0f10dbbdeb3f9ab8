/* links: arch/x86/nested.c */
/* "No guest-physical address ever maps to memory that is not the guest's", the part that is checked
 * exhaustively within bounds (docs/proof.md): every sequence of two maps and unmaps between the boundaries of
 * pages and tables, with memory that runs out at each place; and the whole 48-bit space of VMs of all kinds
 * of sizes. EPT (SDM vol. 3, 29.3) and NPT (APM vol. 2, 15.25). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/nested_model.h"
#include "vmm/backend.h"
#include "vmm/guest_ram.h"

/* ---- every short sequence ---- */

/* Pages at which something begins or ends: the area's ends, a large page's, and one beside each. */
static const unsigned int edges[] = {0, 1, 511, 512, 513, 1023, 1024};
#define EDGES  7u
#define RANGES (EDGES * (EDGES - 1) / 2)
#define KINDS  3u /* unmap; map on an address of the same alignment; and on one of another */
#define STEPS  (RANGES * KINDS)

static struct nested_model model;

static void range_of(unsigned int number, unsigned int *first, unsigned int *n)
{
    for (unsigned int i = 0; i < EDGES; i++)
        for (unsigned int k = i + 1; k < EDGES; k++)
            if (number-- == 0) {
                *first = edges[i];
                *n = edges[k] - edges[i];
                return;
            }
}

/* Step `number`; `which` of the sequence, so that no two map on the same memory. */
static void do_step(unsigned int number, unsigned int which, bool memory_out)
{
    unsigned int first = 0, n = 0, kind = number % KINDS;
    uint64_t hpa = (1 + which) * (16 * MODEL_LARGE);
    const char *wrong;

    range_of(number / KINDS, &first, &n);
    hpa += first * MODEL_PAGE + (kind == 2 ? MODEL_PAGE : 0);
    if (kind == 0)
        wrong = model_unmap(&model, 0, first, n, memory_out);
    else
        wrong = model_map(&model, 0, first, n, hpa, which ? NPT_READ : NPT_READ | NPT_WRITE | NPT_EXEC);
    if (wrong)
        fail_msg("step %u: %s", number, wrong);
}

/* A sequence of two, with `pages` tables at the most. */
static void do_sequence(unsigned int one, unsigned int two, bool extended, size_t pages)
{
    bool memory_out = pages < 8;
    const char *wrong;

    fake_host.page_limit = pages;
    assert_true(model_init(&model, extended, true));
    do_step(one, 0, memory_out);
    do_step(two, 1, memory_out);
    wrong = model_check(&model);
    if (wrong)
        fail_msg("steps %u and %u with %zu tables: %s", one, two, pages, wrong);
    nested_destroy(&model.nested);
    assert_int_equal(fake_host.pages, 0);
}

static void every_pair_of_steps(void **state)
{
    (void)state;
    fake_host_reset();
    for (unsigned int one = 0; one < STEPS; one++)
        for (unsigned int two = 0; two < STEPS; two++)
            do_sequence(one, two, (one ^ two) & 1, 1000);
}

/* One to six tables: the root and the two below it, and none, one or two of the lowest. */
static void every_pair_with_memory_running_out(void **state)
{
    (void)state;
    fake_host_reset();
    for (unsigned int one = 1; one < STEPS; one += 2)
        for (unsigned int two = 0; two < STEPS; two += 2)
            do_sequence(one, two, one & 2, 1 + (one + two / 2) % 6);
}

/* ---- a whole VM ---- */

#define HOST   0x7f00000000ull /* where its memory lies */
#define BEHIND (1ull << 48)    /* the end of what four levels translate */

/* What a leaf translates is RAM of the VM's own, or one of its holes, all of it; and as vm_ram() has it. */
static void check_leaf(const struct guest_ram *ram, uint64_t gpa, uint64_t size, uint64_t entry)
{
    uint64_t offset = ram_offset(ram, gpa, size), hpa = entry & NESTED_ADDRESS;
    bool writable = entry & NPT_WRITE; /* bit 1 in both formats */

    assert_true(hpa >= HOST && hpa + size <= HOST + ram->low + ram->high);
    if (offset != RAM_NOWHERE) {
        assert_true(hpa == HOST + offset && writable);
        return;
    }
    assert_true(gpa >= 0xa0000 && gpa + size <= 0xe0000 && hpa == HOST + gpa && !writable);
}

/* No byte of [gpa, gpa + size), which no leaf translates, is RAM. */
static void check_nothing(const struct guest_ram *ram, uint64_t gpa, uint64_t size)
{
    for (unsigned int i = 0; i < RAM_PIECES; i++) {
        struct ram_piece p = ram_piece(ram, i);

        assert_true(p.gpa >= gpa + size || p.gpa + p.length <= gpa);
    }
}

static void map_vm(struct nested *nested, const struct guest_ram *ram)
{
    bool stale = false;

    for (unsigned int i = 0; i < RAM_PIECES; i++) {
        struct ram_piece p = ram_piece(ram, i);

        assert_true(p.length == 0 || nested_map(nested, p.gpa, HOST + p.offset, p.length,
                                                p.hole ? NPT_READ : NPT_READ | NPT_WRITE | NPT_EXEC, &stale));
    }
    assert_false(stale); /* no piece lies over another */
}

static void check_vm(uint64_t bytes, bool extended, bool large)
{
    struct guest_ram ram = {0};
    struct nested nested;
    uint64_t size, mapped = 0;

    fake_host_reset();
    ram_divide(&ram, bytes);
    assert_true(nested_init(&nested, large, extended ? ept_leaf_flags : npt_leaf_flags));
    map_vm(&nested, &ram);
    for (uint64_t gpa = 0; gpa < BEHIND; gpa += size) {
        uint64_t entry = nested_lookup(&nested, gpa, &size);

        assert_true(gpa % size == 0);
        if (entry)
            check_leaf(&ram, gpa, size, entry);
        else
            check_nothing(&ram, gpa, size);
        mapped += entry ? size : 0;
    }
    assert_true(mapped == ram.low + ram.high); /* nothing twice, nothing left out */
    nested_destroy(&nested);
    assert_int_equal(fake_host.pages, 0);
}

static void the_whole_space_of_a_vm(void **state)
{
    static const uint64_t sizes[] = {RAM_LOW_LEAST,
                                     RAM_LOW_LEAST + RAM_PAGE,
                                     (4ull << 20) - RAM_PAGE,
                                     (4ull << 20) + 17,
                                     (192ull << 20) + 3 * RAM_PAGE,
                                     RAM_LOW_MOST - RAM_PAGE,
                                     RAM_LOW_MOST,
                                     RAM_LOW_MOST + RAM_PAGE,
                                     RAM_LOW_MOST + (2ull << 20) + RAM_PAGE,
                                     (9ull << 30) + 5 * RAM_PAGE};

    (void)state;
    for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        for (unsigned int extended = 0; extended < 2; extended++)
            check_vm(sizes[i], extended, true);
    check_vm((6ull << 20) + RAM_PAGE, true, false); /* a processor without large pages */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_of_steps),
        cmocka_unit_test(every_pair_with_memory_running_out),
        cmocka_unit_test(the_whole_space_of_a_vm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
