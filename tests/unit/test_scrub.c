/* links: kernel/scrub.c */
/* Memory that was given back is cleared in steps, and comes out of the queue only when all of it is zero:
 * kernel/scrub.h; docs/reliability.md, "Isolation". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/scrub.h"

#define PAGE  4096u
#define PAGES 40u

static uint8_t *memory;
static struct scrub queue;

static int set_up(void **state)
{
    (void)state;
    memory = aligned_alloc(PAGE, PAGES * PAGE);
    assert_non_null(memory);
    memset(memory, 0xa5, PAGES * PAGE);
    queue = (struct scrub){0};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static size_t zero_pages(void)
{
    static const uint8_t zeros[PAGE];
    size_t n = 0;

    for (size_t i = 0; i < PAGES; i++)
        n += memcmp(memory + i * PAGE, zeros, PAGE) == 0;
    return n;
}

static void an_empty_queue_gives_nothing(void **state)
{
    (void)state;
    assert_true(scrub_is_done(&queue));
    assert_null(scrub_step(&queue, 5).p);
    assert_int_equal(zero_pages(), 0);
}

/* Each step is as long as was asked for; the piece is the queue's until its last page is clear. */
static void a_piece_comes_out_when_all_of_it_is_clear(void **state)
{
    struct scrubbed out;

    (void)state;
    scrub_add(&queue, memory + PAGE, 11);
    for (unsigned int cleared = 4; cleared < 11; cleared += 4) {
        out = scrub_step(&queue, 4);
        assert_null(out.p);
        assert_int_equal(zero_pages(), cleared);
        assert_false(scrub_is_done(&queue));
    }
    out = scrub_step(&queue, 4);
    assert_ptr_equal(out.p, memory + PAGE);
    assert_int_equal(out.pages, 11);
    assert_int_equal(zero_pages(), 11);
    assert_true(scrub_is_done(&queue));
    assert_int_equal(memory[0], 0xa5); /* its neighbours are not touched */
    assert_int_equal(memory[12 * PAGE], 0xa5);
}

static void one_page_and_whole_steps(void **state)
{
    (void)state;
    scrub_add(&queue, memory, 1);
    assert_ptr_equal(scrub_step(&queue, 32).p, memory);
    assert_int_equal(zero_pages(), 1);
    scrub_add(&queue, memory + PAGE, 8);
    assert_null(scrub_step(&queue, 4).p);
    assert_ptr_equal(scrub_step(&queue, 4).p, memory + PAGE);
    assert_int_equal(zero_pages(), 9);
}

/* Pieces of many sizes, added while others are half clear: each comes out once, zero, and nothing else does.
 */
static void any_pieces_in_any_steps(void **state)
{
    size_t given = 0, back = 0;

    (void)state;
    srand(7);
    while (back < PAGES) {
        size_t n = 1 + (size_t)rand() % 6;
        struct scrubbed out;

        n = n < PAGES - given ? n : PAGES - given;
        if (n > 0 && rand() % 2 == 0) {
            scrub_add(&queue, memory + given * PAGE, n);
            given += n;
        }
        out = scrub_step(&queue, 1 + (size_t)rand() % 3);
        for (size_t i = 0; out.p && i < out.pages * PAGE; i++)
            assert_int_equal(((uint8_t *)out.p)[i], 0);
        if (out.p)
            memset(out.p, 0x5a, out.pages * PAGE); /* somebody else's now: the queue has no business there */
        back += out.pages;
        assert_true(back <= given);
        assert_true(scrub_is_done(&queue) == (back == given));
    }
    for (size_t i = 0; i < PAGES * PAGE; i++)
        assert_int_equal(memory[i], 0x5a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_queue_gives_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_piece_comes_out_when_all_of_it_is_clear, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_page_and_whole_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_pieces_in_any_steps, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
