/* links: kernel/lines.c kernel/backlog.c kernel/printable.c */
/* Guests' lines through one ring: DESIGN.md section 4, "End" (lines, 240 characters, silence, whose
 * transmitter is held back). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lines.h"

static struct lines lines;

static int set_up(void **state)
{
    (void)state;
    lines_init(&lines);
    lines_name(&lines, 0, "alpha");
    lines_name(&lines, 1, "beta");
    return 0;
}

static void say(unsigned int writer, const char *text, uint64_t now)
{
    while (*text)
        lines_putc(&lines, writer, (uint8_t)*text++, now);
}

/* Everything that leaves now. */
static const char *out(void)
{
    static char text[2 * LINES_RING];
    size_t n = 0;
    size_t got;

    while ((got = lines_take(&lines, text + n, 16)) > 0)
        n += got;
    text[n] = 0;
    return text;
}

static void whole_lines_only(void **state)
{
    (void)state;
    say(0, "one\r\ntw", 0);
    say(1, "x\n", 0);
    assert_true(lines_host(&lines, "escapement: up", 14));
    say(0, "o\n\n", 0);
    assert_string_equal(out(), "alpha| one\nbeta| x\nescapement: up\nalpha| two\nalpha| \n");
    assert_true(lines_empty(&lines));
}

/* A panic can come while a line is written or read; what is in the ring is then taken all the same. */
static void a_ring_in_disorder_is_given_up(void **state)
{
    const uint8_t headers[][3] = {{LINES_WRITERS, 1, 0}, {0, 0, 0}, {0, 9, 0}, {0, 0, 1}};

    (void)state;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        say(0, "one\n", 0);
        memcpy(&lines.ring[lines.tail & (LINES_RING - 1)], headers[i], 3);
        lines.tail += 3 + 1;
        assert_string_equal(out(), "alpha| one\n");
        assert_true(lines_empty(&lines));
    }
    for (size_t written = 1; written <= 3; written++) { /* of a header */
        lines.tail += written;
        assert_string_equal(out(), "");
        say(1, "two\n", 0);
        assert_string_equal(out(), "beta| two\n");
    }
}

static void long_lines_are_cut(void **state)
{
    char text[LINES_TEXT + 1];
    char want[LINES_TEXT + 16];

    (void)state;
    memset(text, 'a', LINES_TEXT);
    text[LINES_TEXT] = 0;
    say(0, text, 0);
    snprintf(want, sizeof want, "alpha| %s\n", text);
    assert_string_equal(out(), want);
    say(0, "\n", 0); /* belongs to the line that was sent */
    assert_string_equal(out(), "");
    say(0, "\nb\n", 0);
    assert_string_equal(out(), "alpha| \nalpha| b\n");
}

static void silence_ends_a_line(void **state)
{
    (void)state;
    say(0, "login: ", 1000);
    say(1, "> ", 1100);
    assert_int_equal(lines_oldest(&lines), 1000);
    lines_flush_silent(&lines, 999);
    assert_string_equal(out(), "");
    lines_flush_silent(&lines, 1000);
    assert_string_equal(out(), "alpha| login: \n");
    assert_int_equal(lines_oldest(&lines), 1100);
    say(0, "\r\nok\n", 1200);
    assert_string_equal(out(), "alpha| ok\n");
    assert_true(lines_flush(&lines, 1));
    assert_true(lines_flush(&lines, 1));
    assert_string_equal(out(), "beta| > \n");
    assert_true(lines_oldest(&lines) == UINT64_MAX);
}

/* One that writes without end fills its share, and nobody else's. */
static void only_the_loud_one_waits(void **state)
{
    unsigned int sent = 0;

    (void)state;
    while (lines_ready(&lines, 0)) {
        lines_putc(&lines, 0, sent % 50 == 49 ? '\n' : 'x', 0);
        assert_true(++sent <= LINES_SHARE);
    }
    assert_true(sent >= 1000);
    for (unsigned int i = 1; i < LINES_VMS; i++) {
        say(i, "hello\n", 0);
        assert_true(lines_ready(&lines, i));
    }
    for (unsigned int i = 0; i < LINES_SHARE_HOST / 40; i++)
        assert_true(lines_host(&lines, "escapement: a line of the hypervisor", 36));

    /* The line that waits is kept, further bytes are lost and counted. */
    say(0, "lost", 0);
    assert_int_equal(lines.writers[0].dropped, 4);
    out();
    assert_true(lines_ready(&lines, 0));
    say(0, "back\n", 0);
    assert_non_null(strstr(out(), "x\nalpha| back\n"));
}

static void the_host_has_its_share(void **state)
{
    unsigned int n = 0;

    (void)state;
    while (lines_host(&lines, "0123456789", 10))
        assert_true(++n <= LINES_SHARE_HOST);
    assert_int_equal(n, LINES_SHARE_HOST / 14);
    say(0, "still\n", 0);
    assert_true(lines_ready(&lines, 0));
    assert_int_equal(strlen(out()), n * 11 + strlen("alpha| still\n"));
}

/* All shares full at once fit the ring; and whatever comes in, in any order, comes out whole. */
static void all_at_once(void **state)
{
    char text[] = "000 a line with a number\n";

    (void)state;
    for (unsigned int i = 0; i < LINES_VMS; i++) {
        snprintf(text, sizeof text, "%03u a line with a number\n", i);
        for (unsigned int k = 0; k < 1000 && lines_ready(&lines, i); k++)
            say(i, text, 0);
        assert_false(lines_ready(&lines, i));
    }
    while (lines_host(&lines, "escapement: x", 13))
        ;
    assert_true(lines.tail - lines.head <= LINES_RING);
    for (unsigned int i = 0; i < LINES_WRITERS; i++)
        assert_true(lines.writers[i].in_ring > 1000);
    out();
    for (unsigned int i = 0; i < LINES_WRITERS; i++)
        assert_int_equal(lines.writers[i].in_ring, 0);
}

static void random_writers(void **state)
{
    static char sent[3][1 << 18];
    static char seen[1 << 20];
    size_t n[3] = {0};
    size_t all = 0;

    (void)state;
    srand(1);
    lines_name(&lines, 2, "c");
    for (unsigned int i = 0; i < 300000; i++) {
        unsigned int w = (unsigned int)rand() % 3;

        if (lines_ready(&lines, w)) {
            char c = (char)(rand() % 30 == 0 ? '\n' : 'a' + rand() % 26);

            lines_putc(&lines, w, (uint8_t)c, i);
            sent[w][n[w]++] = c;
        }
        if (rand() % 2 == 0)
            all += lines_take(&lines, seen + all, 3);
    }
    for (unsigned int w = 0; w < 3; w++) {
        while (!lines_flush(&lines, w))
            all += lines_take(&lines, seen + all, 16);
    }
    for (size_t got; (got = lines_take(&lines, seen + all, 16)) > 0;)
        all += got;
    /* Each writer's text, put together again from its lines, is what it sent; no line is longer than 240. */
    for (size_t at = 0, k[3] = {0}; at < all;) {
        char *line = seen + at;
        size_t length = (size_t)((char *)memchr(line, '\n', all - at) - line);
        unsigned int w = line[0] == 'c' ? 2 : line[0] == 'b' ? 1 : 0;
        size_t skip = w == 2 ? 3 : w == 1 ? 6 : 7;

        assert_memory_equal(line + skip - 2, "| ", 2);
        assert_true(length - skip <= LINES_TEXT);
        assert_memory_equal(sent[w] + k[w], line + skip, length - skip);
        k[w] += length - skip;
        if (sent[w][k[w]] == '\n')
            k[w]++;
        at += length + 1;
        assert_true(at < all || k[w] == n[w]);
    }
}

/* ---- other views ---- */

static void a_terminal_has_its_bytes_unchanged(void **state)
{
    (void)state;
    say(0, "boot\n~ # ", 10);
    lines_flush_silent(&lines, 10);
    assert_string_equal(out(), "alpha| boot\nalpha| ~ # \n");
    lines_view_terminal(&lines, 0);
    assert_string_equal(out(), "~ # "); /* the prompt that waits there */
    say(0, "ls\r\n\033[1mx\033[m\b", 20);
    say(1, "meanwhile\n", 20);
    assert_string_equal(out(), "ls\r\n\033[1mx\033[m\b");
    assert_true(lines_host(&lines, "escapement: a line", 18));
    assert_string_equal(out(), "\r\nescapement: a line\r\n");
    say(0, "~ # ", 30);
    lines_view_all(&lines);
    say(0, "\nback\n", 40);
    assert_string_equal(out(), "~ # \r\nbeta| meanwhile\nalpha| back\n");
    assert_true(lines_empty(&lines));
}

static void the_monitor_is_alone(void **state)
{
    (void)state;
    say(0, "before\n", 0);
    lines_view_monitor(&lines);
    assert_true(lines_say(&lines, "> vm", 4));
    say(0, "during\n", 0);
    assert_string_equal(out(), "alpha| before\n> vm");
    assert_true(lines_host(&lines, "escapement: x", 13));
    assert_true(lines.interrupted);
    assert_string_equal(out(), "\r\033[Kescapement: x\r\n");
    lines_crlf(&lines);
    lines_say(&lines, "> ", 2);
    lines_view_all(&lines);
    say(0, "after\n", 0);
    assert_string_equal(out(), "> \r\nalpha| during\nalpha| after\r\n");
}

/* A quick hand on a slow line: what was said before, in between and after leaves in that order. */
static void views_keep_the_order(void **state)
{
    (void)state;
    lines_host(&lines, "escapement: one", 15);
    lines_view_monitor(&lines);
    lines_say(&lines, "> two\r\n", 7);
    say(1, "three\n", 0);
    lines_view_all(&lines);
    lines_host(&lines, "escapement: four", 16);
    assert_string_equal(out(), "escapement: one\n> two\r\nbeta| three\nescapement: four\n");
}

/* While nobody looks a guest goes on writing: nothing holds it back, the latest lines are kept, whole. */
static void the_backlog_keeps_the_latest(void **state)
{
    const char *text;
    char line[40];

    (void)state;
    lines_view_monitor(&lines);
    for (unsigned int i = 0; i < 5000; i++) {
        snprintf(line, sizeof line, "line number %04u\n", i);
        assert_true(lines_ready(&lines, 0));
        say(0, line, i);
    }
    assert_string_equal(out(), "");
    lines_view_all(&lines);
    assert_true(backlog_lost(&lines.backlog) > 3000);
    text = out();
    assert_true(strlen(text) > BACKLOG_SIZE - 40);
    assert_memory_equal(text, "alpha| line number ", 19);
    assert_string_equal(text + strlen(text) - 24, "alpha| line number 4999\n");
    assert_int_equal(lines.writers[0].dropped, 0);
}

static void a_line_under_way_ends_first(void **state)
{
    char part[8];

    (void)state;
    lines_view_monitor(&lines);
    say(0, "kept\n", 0);
    lines_view_all(&lines);
    assert_int_equal(lines_take(&lines, part, 5), 5);
    lines_view_monitor(&lines);
    lines_say(&lines, "> ", 2);
    assert_string_equal(out(), "| kept\n> ");
    say(1, "ring\n", 0);
    lines_view_all(&lines);
    say(1, "more\n", 0);
    assert_string_equal(out(), "\r\nbeta| ring\nbeta| more\n");
}

static void a_terminal_is_held_back_and_not_lost(void **state)
{
    size_t n = 0;

    (void)state;
    lines_view_terminal(&lines, 0);
    while (lines_ready(&lines, 0)) {
        lines_putc(&lines, 0, 'x', 0);
        assert_true(++n <= LINES_RAW_GUEST);
    }
    assert_true(lines_room(&lines) > LINES_RAW / 2); /* the hypervisor's */
    assert_int_equal(strlen(out()), n);
    assert_true(lines_ready(&lines, 0));
}

static void controls_do_not_reach_the_terminal(void **state)
{
    (void)state;
    say(0, "\033[2J\033]0;x\a\xe2\x82\n", 0);
    assert_string_equal(out(), "alpha| ^[[2J^[]0;x^G\\xe2\\x82\n");
    for (unsigned int i = 0; i < 1000; i++)
        lines_putc(&lines, 0, 0x9b, 0);
    for (const char *at = out(); *at; at++)
        assert_true((*at >= ' ' && *at <= '~') || *at == '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(whole_lines_only, set_up),
        cmocka_unit_test_setup(a_ring_in_disorder_is_given_up, set_up),
        cmocka_unit_test_setup(long_lines_are_cut, set_up),
        cmocka_unit_test_setup(silence_ends_a_line, set_up),
        cmocka_unit_test_setup(only_the_loud_one_waits, set_up),
        cmocka_unit_test_setup(the_host_has_its_share, set_up),
        cmocka_unit_test_setup(all_at_once, set_up),
        cmocka_unit_test_setup(random_writers, set_up),
        cmocka_unit_test_setup(a_terminal_has_its_bytes_unchanged, set_up),
        cmocka_unit_test_setup(the_monitor_is_alone, set_up),
        cmocka_unit_test_setup(views_keep_the_order, set_up),
        cmocka_unit_test_setup(the_backlog_keeps_the_latest, set_up),
        cmocka_unit_test_setup(a_line_under_way_ends_first, set_up),
        cmocka_unit_test_setup(a_terminal_is_held_back_and_not_lost, set_up),
        cmocka_unit_test_setup(controls_do_not_reach_the_terminal, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
