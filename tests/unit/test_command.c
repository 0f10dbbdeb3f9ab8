/* links: kernel/command.c */
/* The monitor's commands as data: issue 5, item 2 (completion, suggestions on mistyping). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/command.h"

static void nothing(unsigned int argc, char **argv)
{
    (void)argc;
    (void)argv;
}

static const struct command table[] = {
    {"help", "", "", 0, 1, {ARG_COMMAND, ARG_NONE}, nothing},
    {"queue", "", "", 1, 1, {ARG_VM, ARG_NONE}, nothing},
    {"quit", "", "", 0, 0, {ARG_NONE, ARG_NONE}, nothing},
    {"set", "", "", 2, 9, {ARG_VM, ARG_SETTING}, nothing},
    {"pause", "", "", 1, 2, {ARG_VM, ARG_MEANING}, nothing},
    {"watch", "", "", 1, 9, {ARG_COMMAND, ARG_NONE}, nothing},
    {"resets", "", "", 0, 0, {ARG_NONE, ARG_NONE}, nothing},
    {"reset", "", "", 1, 1, {ARG_VM, ARG_NONE}, nothing},
};

static const char *vms(unsigned int i)
{
    static const char *const names[] = {"alpha", "beta", "alpine"};

    return i < 3 ? names[i] : NULL;
}

static const char *meanings(unsigned int i)
{
    return i == 0 ? "freeze" : NULL;
}

static const char *settings(unsigned int i)
{
    return i == 0 ? "k1=" : i == 1 ? "k2=" : NULL;
}

static const struct command_set set = {
    .table = table,
    .n = sizeof table / sizeof table[0],
    .names = {[ARG_VM] = vms, [ARG_MEANING] = meanings, [ARG_SETTING] = settings},
};

static void splitting(void **state)
{
    char line[] = "  set  alpha k1=5ms ";
    char many[] = "1 2 3 4 5 6 7 8 9 10 11 12";
    char *argv[COMMAND_WORDS];

    (void)state;
    assert_int_equal(command_split(line, argv), 3);
    assert_string_equal(argv[0], "set");
    assert_string_equal(argv[1], "alpha");
    assert_string_equal(argv[2], "k1=5ms");
    assert_int_equal(command_split(many, argv), 12);
    assert_string_equal(argv[COMMAND_WORDS - 1], "10"); /* more are counted, and not kept */
    assert_int_equal(command_split((char[]){"   "}, argv), 0);
}

static void finding(void **state)
{
    unsigned int several;

    (void)state;
    assert_ptr_equal(command_find(&set, "pause", &several), &table[4]);
    assert_ptr_equal(command_find(&set, "p", &several), &table[4]);
    assert_ptr_equal(command_find(&set, "reset", &several),
                     &table[7]); /* in full, though another begins so */
    assert_int_equal(several, 1);
    assert_null(command_find(&set, "qu", &several));
    assert_int_equal(several, 2);
    assert_null(command_find(&set, "pauses", &several));
    assert_int_equal(several, 0);
}

static void suggesting(void **state)
{
    (void)state;
    assert_string_equal(command_meant(&set, "puase"), "pause");
    assert_string_equal(command_meant(&set, "quiet"), "quit");
    assert_null(command_meant(&set, "xyzzy"));
    assert_null(command_meant(&set, "a word that is longer than any command"));
    assert_string_equal(command_meant_of(vms, "alfa"), "alpha");
    assert_string_equal(command_meant_of(vms, "b"), "beta"); /* cut short */
    assert_null(command_meant_of(vms, "x"));
}

/* All candidates of a line, with blanks between. */
static const char *candidates(const char *line)
{
    static char all[256];
    const char *name;
    size_t start;

    all[0] = 0;
    for (unsigned int i = 0; (name = command_candidate(&set, line, i, &start)) != NULL; i++) {
        strcat(all, name);
        strcat(all, " ");
        assert_true(start <= strlen(line));
        assert_memory_equal(name, line + start, strlen(line + start));
    }
    return all;
}

static void completing(void **state)
{
    (void)state;
    assert_string_equal(candidates("qu"), "queue quit ");
    assert_string_equal(candidates("queue al"), "alpha alpine ");
    assert_string_equal(candidates("queue alpha al"), "");
    assert_string_equal(candidates("  pause beta "), "freeze ");
    assert_string_equal(candidates("set alpha k2=1 k"), "k1= k2= ");
    assert_string_equal(candidates("help res"), "resets reset ");
    assert_string_equal(candidates("watch q"), "queue quit ");
    assert_string_equal(candidates("watch queue b"), "beta ");
    assert_string_equal(candidates("watch nothing b"), "");
    assert_string_equal(candidates("quit "), "");
    assert_string_equal(candidates("a_word_that_is_longer_than_any_name_there_is al"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splitting),
        cmocka_unit_test(finding),
        cmocka_unit_test(suggesting),
        cmocka_unit_test(completing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
