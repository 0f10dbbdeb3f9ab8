/* links: kernel/printable.c */
/* Guests' bytes on the operator's terminal: issue 5, "Bad input" (escape sequences of a hostile guest);
 * Unicode 15, table 3-7 (well-formed UTF-8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/printable.h"

static const char *made_of(const char *bytes, size_t n)
{
    static char out[4096];
    struct printable p = {0};
    size_t length = 0;

    for (size_t i = 0; i < n; i++) {
        size_t got = printable_put(&p, (uint8_t)bytes[i], out + length);

        assert_true(got <= PRINTABLE_MAX);
        length += got;
    }
    length += printable_end(&p, out + length);
    out[length] = 0;
    return out;
}

#define MADE(text) made_of(text, sizeof(text) - 1)

static void text_passes(void **state)
{
    (void)state;
    assert_string_equal(MADE("login:\t~ # {}"), "login:\t~ # {}");
    assert_string_equal(MADE("\xc3\xa9 \xe2\x82\xac \xf0\x9f\x95\xb0"),
                        "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x95\xb0");
}

static void controls_are_shown(void **state)
{
    (void)state;
    assert_string_equal(MADE("\033[2J\033]0;title\a"), "^[[2J^[]0;title^G");
    assert_string_equal(MADE("\b\x7f\x01\0z"), "^H^?^A^@z");
    assert_string_equal(MADE("\x9b"
                             "2J"),
                        "\\x9b2J"); /* CSI in 8 bits */
    assert_string_equal(MADE("\xc2\x9b"
                             "2J"),
                        "\\xc2\\x9b2J"); /* ... and in UTF-8 */
    assert_string_equal(MADE("\xc2\xa0"), "\xc2\xa0");
}

static void broken_sequences_are_shown(void **state)
{
    (void)state;
    assert_string_equal(MADE("\xc0\xaf"), "\\xc0\\xaf");                   /* overlong */
    assert_string_equal(MADE("\xe0\x80\xaf"), "\\xe0\\x80\\xaf");          /* overlong */
    assert_string_equal(MADE("\xed\xa0\x80"), "\\xed\\xa0\\x80");          /* a surrogate */
    assert_string_equal(MADE("\xf4\x90\x80\x80"), "\\xf4\\x90\\x80\\x80"); /* past 10FFFFh */
    assert_string_equal(MADE("\xe2\x82"
                             "A"),
                        "\\xe2\\x82"
                        "A");
    assert_string_equal(MADE("\xf0\x9f\x95"), "\\xf0\\x9f\\x95");
    assert_string_equal(MADE("\xe2\xe2\x82\xac"), "\\xe2\xe2\x82\xac");
    assert_string_equal(MADE("\xf0\x9f\033["), "\\xf0\\x9f^[[");
}

/* Whatever comes in: no control character leaves, in either reading of the bytes. */
static void random_bytes(void **state)
{
    char in[600];

    (void)state;
    srand(5);
    for (unsigned int round = 0; round < 500; round++) {
        const char *out;

        for (size_t i = 0; i < sizeof in; i++)
            in[i] = (char)(rand() % 4 ? 0x80 + rand() % 128 : rand() % 256);
        out = made_of(in, sizeof in);
        for (size_t i = 0; out[i]; i++) {
            uint8_t c = (uint8_t)out[i];

            assert_true((c >= 0x20 || c == '\t') && c != 0x7f);
            /* 80h-9Fh only behind something that makes a letter of it: C2h would not. */
            if (c >= 0x80 && c < 0xa0)
                assert_true(i > 0 && (uint8_t)out[i - 1] >= 0x80 && (uint8_t)out[i - 1] != 0xc2);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_passes),
        cmocka_unit_test(controls_are_shown),
        cmocka_unit_test(broken_sequences_are_shown),
        cmocka_unit_test(random_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
