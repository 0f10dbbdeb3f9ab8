/* links: kernel/format.c */
/* The kernel's printf against the C library's: one conversion of any flags, width and length, any value, any
 * room. */
#include "kernel/format.h"
#include "tests/fuzz/bytes.h"

/* The formats come from the input: the compiler cannot check them. */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static int ours(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = format_va(buf, size, fmt, args);
    va_end(args);
    return n;
}

#define COMPARE(type, expression)                                                                            \
    do {                                                                                                     \
        type value = (expression);                                                                           \
        int a = ours(mine, room, fmt, value), b = snprintf(theirs, room, fmt, value);                        \
        CHECK(a == b, "'%s': %d characters, the library has %d", fmt, a, b);                                 \
        CHECK(room == 0 || strcmp(mine, theirs) == 0, "'%s': '%s', the library has '%s'", fmt, mine,         \
              theirs);                                                                                       \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const conversions[] = {"d",   "i",   "u",   "x",  "X",   "ld", "lu", "lx", "lld",
                                              "llu", "llx", "llX", "zu", "hhx", "hu", "s",  "c",  "p"};
    static const char *const flags[] = {"", "-", "0", "-", "0"};
    struct bytes in = {data, size};
    char fmt[64], mine[256], theirs[256];
    const char *conversion = conversions[take8(&in) % (sizeof(conversions) / sizeof(conversions[0]))];
    uint8_t what = take8(&in);
    unsigned int width = take8(&in) % 100;
    size_t room = take8(&in);
    bool text = *conversion == 's' || *conversion == 'c' || *conversion == 'p';
    const char *flag = text && flags[what % 5][0] == '0' ? "" : flags[what % 5];

    if (*conversion == 's' && (what & 64))
        snprintf(fmt, sizeof(fmt), "a%%%s%u.%us%%%%z", flag, width, what % 10);
    else if (what & 128)
        snprintf(fmt, sizeof(fmt), "%%%s%s", width ? flag : "", conversion);
    else
        snprintf(fmt, sizeof(fmt), "[%%%s%u%s]", width ? flag : "", width ? width : 1, conversion);
    if (*conversion == 's') {
        char *s = take_string(&in, 120);
        COMPARE(char *, s);
        free(s);
    } else if (*conversion == 'p') {
        COMPARE(void *, (void *)(uintptr_t)(take_number(&in) | 1)); /* of NULL both make what they like */
    } else if (*conversion == 'l' || *conversion == 'z') {
        COMPARE(unsigned long, take_number(&in));
    } else if (*conversion == 'c') {
        COMPARE(int, 1 + take8(&in) % 126);
    } else {
        COMPARE(unsigned int, (unsigned int)take_number(&in));
    }
    return 0;
}
