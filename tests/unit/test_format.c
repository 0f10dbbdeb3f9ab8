/* links: kernel/format.c */
/* The kernel's formatting against the C library's: vmm/host.h, host_snprintf(). */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/format.h"

static int ours(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int ours(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = format_va(buf, size, fmt, args);
    va_end(args);
    return n;
}

/* The same text and the same length from both. */
#define SAME(...)                                                                                            \
    do {                                                                                                     \
        char a[256], b[256];                                                                                 \
        int n = snprintf(a, sizeof a, __VA_ARGS__);                                                          \
        assert_int_equal(ours(b, sizeof b, __VA_ARGS__), n);                                                 \
        assert_string_equal(b, a);                                                                           \
    } while (0)

static void numbers(void **state)
{
    (void)state;
    SAME("%d %d %d %i", 0, -1, INT_MAX, INT_MIN);
    SAME("%u %x %X", 4294967295u, 0xdeadbeefu, 0xdeadbeefu);
    SAME("%ld %lld %lld", -5L, LLONG_MIN, LLONG_MAX);
    SAME("%lu %llu %llx", 7UL, ULLONG_MAX, ULLONG_MAX);
    SAME("%zu %zx", (size_t)123, SIZE_MAX);
    SAME("%hd %hhu", (short)-7, (unsigned char)200);
    SAME("%hhx %hx %hhu", (signed char)-1, (short)-2, (signed char)-3);
    SAME("%p", (void *)(uintptr_t)0xffffffff80200000ull);
}

static void fields(void **state)
{
    (void)state;
    SAME("[%5d][%-5d][%05d]", 42, 42, 42);
    SAME("[%5d][%-5d][%05d]", -42, -42, -42);
    SAME("[%016llx][%2x][%-8X]", 0x1234ull, 0x12345u, 0xabcu);
    SAME("[%*d][%*d]", 6, 1, -6, 1);
    SAME("[%10s][%-10s][%2s]", "abc", "abc", "abc");
    SAME("[%.2s][%.*s][%5.1s][%.0s]", "abc", 1, "xyz", "pq", "gone");
    SAME("[%c][%3c][%-3c]", 'a', 'b', 'c');
    SAME("100%% of %s", "it");
}

/* %.Ns reads no further than N bytes: it prints fields without a terminating zero. */
static void bounded_strings(void **state)
{
    char raw[4] = {'F', 'A', 'C', 'P'};
    char buf[16];

    (void)state;
    assert_int_equal(ours(buf, sizeof buf, "%.4s", raw), 4);
    assert_string_equal(buf, "FACP");
}

static void cut_off(void **state)
{
    char buf[8];

    (void)state;
    memset(buf, 'z', sizeof buf);
    assert_int_equal(ours(buf, 4, "%s", "abcdef"), 6);
    assert_string_equal(buf, "abc");
    assert_int_equal(buf[4], 'z');
    assert_int_equal(ours(buf, 1, "%d", 12345), 5);
    assert_string_equal(buf, "");
    assert_int_equal(ours(NULL, 0, "%d", 12345), 5);
    assert_int_equal(ours(buf, 7, "%s", "abcdef"), 6);
    assert_string_equal(buf, "abcdef");
}

/* What is not a conversion of ours stands in the text, for the reader to see. */
static void odd_ones(void **state)
{
    char buf[64];
    const char *volatile unknown = "%q|%5y|%";
    const char *volatile no_string = NULL;

    (void)state;
    format_va(buf, sizeof buf, unknown, (va_list){0});
    assert_string_equal(buf, "%q|%5y|%");
    ours(buf, sizeof buf, "%s", no_string);
    assert_string_equal(buf, "(null)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers), cmocka_unit_test(fields),   cmocka_unit_test(bounded_strings),
        cmocka_unit_test(cut_off), cmocka_unit_test(odd_ones),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
