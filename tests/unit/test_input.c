/* links: kernel/input.c */
/* Whose the console's input is: issue 5, item 1 (Ctrl-A and a key; nothing lost) and "Bad input" (garbage, a
 * flood). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/input.h"

#define PATIENCE 1000u

static struct input in;
static uint64_t now;

static int set_up(void **state)
{
    (void)state;
    now = 0;
    input_init(&in);
    for (unsigned int i = 0; i < 3; i++)
        input_guest_starts(&in, i);
    return 0;
}

static void type(const char *keys)
{
    while (*keys)
        assert_true(input_put(&in, (uint8_t)*keys++, now, PATIENCE));
}

static const char *read_all(unsigned int queue)
{
    static char text[INPUT_BLOCKS * INPUT_DATA + 1];
    size_t n = 0;
    int c;

    while ((c = input_take(&in, queue, now)) >= 0)
        text[n++] = (char)c;
    text[n] = 0;
    return text;
}

static void the_first_guest_to_begin_with(void **state)
{
    (void)state;
    type("ls\r");
    assert_int_equal(in.view, VIEW_LINES);
    assert_false(in.person);
    assert_true(input_waits(&in, 0));
    assert_string_equal(read_all(0), "ls\r");
    assert_false(input_waits(&in, 0));
}

static void what_comes_early_is_for_the_first_one(void **state)
{
    (void)state;
    for (unsigned int first = 0; first < 3; first += 2) {
        input_init(&in);
        type("ls -l; echo more than sixteen bytes\r\x01"
             "1");
        assert_int_equal(in.notice, NOTICE_NO_GUEST);
        input_guest_starts(&in, first);
        input_guest_starts(&in, 3);
        assert_int_equal(in.focus, first);
        assert_string_equal(read_all(3), "");
        assert_string_equal(read_all(first), "ls -l; echo more than sixteen bytes\r");
        assert_int_equal(in.nfree, INPUT_BLOCKS);
        input_guest_ends(&in, first);
        input_guest_ends(&in, 3);
        type("nobody");
        assert_int_equal(in.nfree, INPUT_BLOCKS);
    }
}

/* While nobody runs a flood is held back, not dropped, for as long as a guest's is. */
static void too_much_comes_early(void **state)
{
    unsigned int n = 0;

    (void)state;
    input_init(&in);
    while (input_put(&in, 'x', now, PATIENCE))
        n++;
    assert_int_equal(n, (INPUT_BLOCKS - 1) * INPUT_DATA);
    type("\x01"
         "m");
    assert_int_equal(in.view, VIEW_MONITOR);
    input_guest_starts(&in, 0);
    assert_int_equal(strlen(read_all(0)), n);
}

static void keys_choose(void **state)
{
    (void)state;
    type("\x01"
         "2two\x01"
         "nthree\x01"
         "none\x01"
         "aone too\x01"
         "mvms\r\x01\x01\x01");
    assert_false(input_put(&in, 'm', now, PATIENCE)); /* first what was typed into the monitor */
    assert_int_equal(in.view, VIEW_MONITOR);
    assert_string_equal(read_all(INPUT_MONITOR), "vms\r\x01");
    type("mback");
    assert_int_equal(in.view, VIEW_LINES);
    assert_int_equal(in.focus, 0);
    assert_string_equal(read_all(1), "two");
    assert_string_equal(read_all(2), "three");
    assert_string_equal(read_all(0), "oneone tooback");
    assert_true(in.person);
    type("\x01"
         "3\x01"
         "c\x01"
         "m");
    assert_int_equal(in.view, VIEW_TERMINAL);
    assert_int_equal(in.focus, 2);
}

static void wrong_keys_are_said(void **state)
{
    (void)state;
    type("\x01"
         "9x");
    assert_int_equal(in.notice, NOTICE_NO_GUEST);
    type("\x01"
         "z");
    assert_int_equal(in.notice, NOTICE_NO_KEY);
    assert_int_equal(in.notice_key, 'z');
    type("\x01?");
    assert_int_equal(in.notice, NOTICE_HELP);
    assert_int_equal(in.view, VIEW_LINES);
    assert_string_equal(read_all(0), "x");
}

static void ends_are_followed(void **state)
{
    (void)state;
    type("\x01"
         "2unread");
    input_guest_ends(&in, 1);
    assert_int_equal(in.view, VIEW_LINES);
    assert_int_equal(in.focus, 2);
    assert_int_equal(in.nfree, INPUT_BLOCKS);
    type("\x01"
         "2");
    assert_int_equal(in.notice, NOTICE_NO_GUEST);
    type("\x01"
         "1\x01"
         "m");
    input_guest_ends(&in, 0);
    assert_int_equal(in.view, VIEW_MONITOR);
    type("\x01"
         "m");
    assert_int_equal(in.view, VIEW_LINES); /* not the terminal of a guest that is gone */
    type("\x01"
         "n");
    assert_int_equal(in.focus, 2);
    input_guest_ends(&in, 2);
    type("lost\x01"
         "n\x01"
         "mhelp");
    assert_string_equal(read_all(INPUT_MONITOR), "help");
}

/* 100 kB at once, with a guest that is away: whole. More than the pool has room for: held back, not lost. */
static void a_paste_arrives_whole(void **state)
{
    static char sent[400000];
    size_t n = 0, taken = 0;

    (void)state;
    srand(2);
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (char)(2 + rand() % 250);
    while (n < 100000)
        assert_true(input_put(&in, (uint8_t)sent[n++], now, PATIENCE));
    for (unsigned int turn = 0; taken < sizeof sent; turn++) {
        now++;
        while (n < sizeof sent && input_put(&in, (uint8_t)sent[n], now, PATIENCE))
            n++;
        for (unsigned int i = 0; i < 100 && taken < n; i++)
            assert_int_equal(input_take(&in, 0, now), (uint8_t)sent[taken++]);
    }
    assert_int_equal(in.queues[0].dropped, 0);
    assert_int_equal(in.nfree, INPUT_BLOCKS);
}

/* A flood for a guest that never reads: the escape key works nevertheless, and the monitor has room. */
static void a_deaf_guest_keeps_nobody_out(void **state)
{
    size_t n = 0;

    (void)state;
    while (input_put(&in, 'x', now, PATIENCE))
        assert_true(++n <= INPUT_BLOCKS * INPUT_DATA);
    assert_true(n >= 100 * 1024);
    now = PATIENCE - 1;
    assert_false(input_put(&in, 'x', now, PATIENCE));
    now = PATIENCE;
    for (unsigned int i = 0; i < 5000; i++)
        assert_true(input_put(&in, 'x', now, PATIENCE));
    assert_int_equal(in.queues[0].dropped, 5000);
    type("\x01"
         "mkill 1");
    assert_string_equal(read_all(INPUT_MONITOR), "kill 1");
    input_guest_ends(&in, 0);
    assert_int_equal(in.nfree, INPUT_BLOCKS);
}

static void garbage(void **state)
{
    size_t waiting = 0;

    (void)state;
    srand(3);
    for (unsigned int i = 0; i < 300000; i++, now++) {
        if (input_put(&in, (uint8_t)(rand() % 8 ? rand() : 1), now, PATIENCE) && rand() % 3 == 0)
            (void)input_take(&in, (unsigned int)rand() % INPUT_QUEUES, now);
        assert_true(in.focus < LINES_VMS && in.view <= VIEW_MONITOR);
        assert_true(in.view != VIEW_TERMINAL || (in.alive >> in.focus & 1));
    }
    for (unsigned int q = 0; q < INPUT_QUEUES; q++) {
        waiting += in.queues[q].count;
        read_all(q);
    }
    assert_true(waiting > 0);
    assert_int_equal(in.nfree, INPUT_BLOCKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_guest_to_begin_with, set_up),
        cmocka_unit_test_setup(what_comes_early_is_for_the_first_one, set_up),
        cmocka_unit_test_setup(too_much_comes_early, set_up),
        cmocka_unit_test_setup(keys_choose, set_up),
        cmocka_unit_test_setup(wrong_keys_are_said, set_up),
        cmocka_unit_test_setup(ends_are_followed, set_up),
        cmocka_unit_test_setup(a_paste_arrives_whole, set_up),
        cmocka_unit_test_setup(a_deaf_guest_keeps_nobody_out, set_up),
        cmocka_unit_test_setup(garbage, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
