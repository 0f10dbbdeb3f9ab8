/* links: kernel/text_page.c */
/* A guest's text page in the monitor (issue 5, `screen VM`). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/text_page.h"

static uint8_t cells[TEXT_PAGE_MEMORY];
static uint8_t crtc[16];
static char row[TEXT_PAGE_COLUMNS + 1];

static int clean(void **state)
{
    (void)state;
    memset(cells, 0, sizeof cells);
    memset(crtc, 0, sizeof crtc);
    return 0;
}

static void put(unsigned int cell, const char *text)
{
    for (; *text; text++, cell++)
        cells[cell * 2] = (uint8_t)*text;
}

static void address(unsigned int index, unsigned int value)
{
    crtc[index] = (uint8_t)(value >> 8);
    crtc[index + 1] = (uint8_t)value;
}

static void rows_are_ascii_without_their_last_blanks(void **state)
{
    (void)state;
    put(81, "a\x1b[2J\xc4 z  ");
    text_page_row(row, cells, crtc, 0);
    assert_string_equal(row, "");
    text_page_row(row, cells, crtc, 1);
    assert_string_equal(row, " a.[2J. z");
}

static void a_full_row(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 90; i++)
        put(i, "x");
    text_page_row(row, cells, crtc, 0);
    assert_int_equal(strlen(row), 80);
    text_page_row(row, cells, crtc, 1);
    assert_int_equal(strlen(row), 10);
}

static void the_page_begins_where_the_crtc_says(void **state)
{
    (void)state;
    put(800, "scrolled here");
    address(0x0c, 800);
    text_page_row(row, cells, crtc, 0);
    assert_string_equal(row, "scrolled here");
    put(0, "behind the end");
    address(0x0c, 0x4000 - 80);
    text_page_row(row, cells, crtc, 1);
    assert_string_equal(row, "behind the end");
    address(0x0c, 0xffff);
    text_page_row(row, cells, crtc, 24); /* nothing outside the memory is touched: the sanitizers watch */
}

static void assert_cursor(unsigned int at, int r, int c)
{
    unsigned int y, x;

    address(0x0e, at);
    assert_int_equal(text_page_cursor(crtc, &y, &x), r >= 0);
    if (r >= 0) {
        assert_int_equal(y, r);
        assert_int_equal(x, c);
    }
}

static void the_cursor_is_on_the_page_or_nowhere(void **state)
{
    (void)state;
    assert_cursor(0, 0, 0);
    assert_cursor(1999, 24, 79);
    assert_cursor(2000, -1, 0);
    assert_cursor(0xffff, -1, 0); /* where Linux puts it away */
    address(0x0c, 800);
    assert_cursor(800 + 81, 1, 1);
    assert_cursor(799, -1, 0);
    crtc[0x0a] = 0x20;
    assert_cursor(800, -1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rows_are_ascii_without_their_last_blanks, clean),
        cmocka_unit_test_setup(a_full_row, clean),
        cmocka_unit_test_setup(the_page_begins_where_the_crtc_says, clean),
        cmocka_unit_test_setup(the_cursor_is_on_the_page_or_nowhere, clean),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
