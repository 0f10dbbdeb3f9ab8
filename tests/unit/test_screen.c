/* links: kernel/screen.c */
/* The hypervisor's lines on a text screen (issue 5, power-on screen). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/screen.h"

static uint16_t cells[SCREEN_ROWS * SCREEN_COLUMNS];

static void expect_row(unsigned int row, const char *text)
{
    char found[SCREEN_COLUMNS + 1] = {0}, expected[SCREEN_COLUMNS + 1];

    for (unsigned int c = 0; c < SCREEN_COLUMNS; c++) {
        found[c] = (char)cells[row * SCREEN_COLUMNS + c];
        assert_int_equal(cells[row * SCREEN_COLUMNS + c] >> 8, 7);
    }
    snprintf(expected, sizeof expected, "%-80s", text);
    assert_string_equal(found, expected);
}

static void line(const char *text)
{
    screen_line(text, strlen(text));
}

static void what_the_firmware_left_is_gone(void **state)
{
    (void)state;
    memset(cells, 0x41, sizeof cells);
    screen_init(cells);
    for (unsigned int r = 0; r < SCREEN_ROWS; r++)
        expect_row(r, "");
}

static void a_line_a_row(void **state)
{
    (void)state;
    screen_init(cells);
    line("one");
    line("");
    line("three");
    expect_row(0, "one");
    expect_row(1, "");
    expect_row(2, "three");
    expect_row(3, "");
}

static void long_lines_go_on_in_the_next_row(void **state)
{
    char text[161];

    (void)state;
    memset(text, 'x', 80);
    memset(text + 80, 'y', 80);
    text[160] = 0;
    screen_init(cells);
    line(text); /* two rows, and no empty third one */
    line("after");
    text[80] = 0;
    expect_row(0, text);
    expect_row(2, "after");
}

static void the_top_leaves_when_it_is_full(void **state)
{
    char text[16];

    (void)state;
    screen_init(cells);
    for (unsigned int i = 0; i < 30; i++) {
        snprintf(text, sizeof text, "line %u", i);
        line(text);
    }
    for (unsigned int r = 0; r < SCREEN_ROWS; r++) {
        snprintf(text, sizeof text, "line %u", r + 5);
        expect_row(r, text);
    }
    memset(cells, 0, sizeof cells);
    screen_init(NULL);
    line("nobody sees this");
    assert_int_equal(cells[0], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_firmware_left_is_gone),
        cmocka_unit_test(a_line_a_row),
        cmocka_unit_test(long_lines_go_on_in_the_next_row),
        cmocka_unit_test(the_top_leaves_when_it_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
