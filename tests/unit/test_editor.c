/* links: kernel/editor.c */
/* The monitor's line editor: issue 5, item 2 (history, completion) and "Bad input" (over-long lines, escape
 * sequences). What it writes is shown on a terminal of one line, and compared with what it believes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/editor.h"

#define PROMPT "> "

static struct editor e;
static char screen[1024];
static size_t column;
static unsigned int bells;
static char listed[1024];

/* A terminal that knows what the editor may send. */
static void on_screen(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\r') {
            column = 0;
        } else if (text[i] == '\n') {
            strcpy(listed, screen);
            memset(screen, 0, sizeof screen);
        } else if (text[i] == '\b') {
            assert_true(column > 0);
            column--;
        } else if (text[i] == '\a') {
            bells++;
        } else if (text[i] == '\033') {
            if (strncmp(text + i, "\033[K", 3) == 0)
                memset(screen + column, 0, sizeof screen - column);
            else if (strncmp(text + i, "\033[H", 3) == 0)
                column = 0;
            else if (strncmp(text + i, "\033[2J", 4) == 0)
                memset(screen, 0, sizeof screen);
            else
                fail_msg("an escape sequence that no editor sends");
            i += text[i + 2] == '2' ? 3 : 2;
        } else {
            assert_true(column < EDITOR_COLUMNS - 1); /* at its edge a terminal goes to the next row */
            screen[column++] = text[i];
        }
    }
}

/* Two kinds of names, as "set alpha k1=" needs them. */
static const char *candidate(const char *line, unsigned int i, size_t *start)
{
    static const char *const names[] = {"pause", "deadlines", "queue", "quit", "resume", "reset", "k1="};
    const char *word = strrchr(line, ' ');

    *start = word ? (size_t)(word + 1 - line) : 0;
    for (unsigned int k = 0; k < sizeof names / sizeof names[0]; k++) {
        if (strncmp(names[k], line + *start, strlen(line + *start)) == 0 && i-- == 0)
            return names[k];
    }
    return NULL;
}

static int set_up(void **state)
{
    (void)state;
    memset(screen, 0, sizeof screen);
    memset(listed, 0, sizeof listed);
    column = 0;
    bells = 0;
    editor_init(&e, PROMPT, on_screen, candidate);
    editor_begin(&e);
    return 0;
}

static void consistent(void)
{
    char part[EDITOR_COLUMNS];

    assert_true(e.length <= EDITOR_LINE && e.cursor <= e.length);
    assert_int_equal(strlen(e.line), e.length);
    assert_memory_equal(screen, PROMPT, strlen(PROMPT));
    assert_true(e.cursor >= e.first);
    snprintf(part, sizeof part, "%.*s", (int)(EDITOR_COLUMNS - 1 - strlen(PROMPT)), e.line + e.first);
    assert_string_equal(screen + strlen(PROMPT), part);
    assert_int_equal(column, strlen(PROMPT) + e.cursor - e.first);
    assert_true(column < EDITOR_COLUMNS);
}

static enum editor_event keys(const char *text)
{
    enum editor_event event = EDITOR_MORE;

    while (*text) {
        assert_int_equal(event, EDITOR_MORE);
        event = editor_key(&e, (uint8_t)*text++);
        if (event == EDITOR_MORE)
            consistent();
    }
    return event;
}

static void expect_line(const char *typed, const char *line)
{
    set_up(NULL);
    keys(typed);
    assert_string_equal(e.line, line);
}

static void typing(void **state)
{
    (void)state;
    assert_int_equal(keys("help\r"), EDITOR_LINE_DONE);
    assert_string_equal(e.line, "help");
    editor_begin(&e);
    assert_int_equal(keys("\n"), EDITOR_MORE); /* it belongs to the CR */
    assert_int_equal(keys("vms\n"), EDITOR_LINE_DONE);
    editor_begin(&e);
    assert_int_equal(keys("\x04"), EDITOR_LEAVE);
}

static void editing(void **state)
{
    (void)state;
    expect_line("abc\b\x7f"
                "d",
                "ad");
    expect_line("bc\x01"
                "a\x05"
                "d",
                "abcd");
    expect_line("ac\033[Db\033OCd", "abcd");
    expect_line("abc\033[H\033[3~\033[F!", "bc!");
    expect_line("abc\x01\x04\x04", "c");
    expect_line("one two  \x17three", "one three");
    expect_line("one two\x15three", "three");
    expect_line("one two\x01\033[C\033[C\033[C\x0b", "one");
    expect_line("wrong\x03right", "right");
    expect_line("abc\x0c", "abc");
    expect_line("\x02\b\x7f\x06"
                "a\x06",
                "a");
}

static void history(void **state)
{
    (void)state;
    for (const char *const *l = (const char *const[]){"one", "two", "two", "", "three", NULL}; *l; l++) {
        keys(*l);
        keys("\r");
        editor_begin(&e);
    }
    keys("typed");
    keys("\033[A\033[A");
    assert_string_equal(e.line, "two");
    keys("\x10\x10\x10");
    assert_string_equal(e.line, "one");
    assert_int_equal(bells, 2);
    keys("\033[B\033OB\x0e");
    assert_string_equal(e.line, "typed");
    keys("\r");
    for (unsigned int i = 0; i < 3 * EDITOR_HISTORY; i++) {
        char line[8];

        editor_begin(&e);
        snprintf(line, sizeof line, "n%u\r", i);
        keys(line);
    }
    editor_begin(&e);
    for (unsigned int i = 0; i < EDITOR_HISTORY + 5; i++)
        keys("\x10");
    assert_string_equal(e.line, "n64");
}

static void completion(void **state)
{
    (void)state;
    expect_line("pa\t", "pause ");
    expect_line("q\t", "qu");
    expect_line("set alpha k\t5", "set alpha k1=5");
    expect_line("res\t", "res");
    assert_int_equal(bells, 1);
    keys("\t");
    assert_string_equal(listed, "resume  reset  ");
    assert_string_equal(e.line, "res");
    keys("e\t");
    assert_string_equal(e.line, "reset ");
    expect_line("zzz\t", "zzz");
    assert_int_equal(bells, 1);
    expect_line("pa x\x02\x02\t", "pause  x"); /* in the middle: what is behind the cursor stays */
}

static void hostile_sequences(void **state)
{
    (void)state;
    assert_int_equal(keys("a\033]0;evil\r"), EDITOR_LINE_DONE); /* Enter gets out of everything */
    assert_string_equal(e.line, "a");
    expect_line("a\033]0;title\ab", "ab");
    expect_line("a\033P1$r0m\033\\b", "ab");
    expect_line("a\033[24;80Rb", "ab");    /* the answer to a request for the cursor's place */
    expect_line("a\033[?62;22cb", "ab");   /* ... for the terminal's name */
    expect_line("a\033[<0;33;15Mb", "ab"); /* a mouse */
    expect_line("a\033(Bb\033[\x18"
                "c",
                "abc");
    expect_line("a\x80\xff\xc3\xa9"
                "b",
                "ab");
    assert_int_equal(bells, 4);
    expect_line("a\033[999999999999999999Ab", "ab");
}

static void long_lines(void **state)
{
    (void)state;
    for (unsigned int i = 0; i < 3 * EDITOR_LINE; i++)
        keys("x");
    assert_int_equal(e.length, EDITOR_LINE);
    assert_int_equal(bells, 2 * EDITOR_LINE);
    keys("\t\x01y\x7f");
    assert_int_equal(e.length, EDITOR_LINE);
    assert_int_equal(keys("\r"), EDITOR_LINE_DONE);
}

static void garbage(void **state)
{
    (void)state;
    srand(4);
    for (unsigned int i = 0; i < 200000; i++) {
        uint8_t byte = (uint8_t)(rand() % 3 ? rand() % 32 : rand());

        if (editor_key(&e, byte) != EDITOR_MORE) {
            on_screen("\r\n", 2);
            editor_begin(&e);
        }
        if (e.state == KEYS_PLAIN)
            consistent();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(typing, set_up),
        cmocka_unit_test_setup(editing, set_up),
        cmocka_unit_test_setup(history, set_up),
        cmocka_unit_test_setup(completion, set_up),
        cmocka_unit_test_setup(hostile_sequences, set_up),
        cmocka_unit_test_setup(long_lines, set_up),
        cmocka_unit_test_setup(garbage, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
