/* printf's formatting; see format.h. */
#include "kernel/format.h"

#include <stdbool.h>
#include <stdint.h>

struct output {
    char *buf;
    size_t size;
    size_t length; /* of the whole text, written or not */
};

struct spec {
    bool left, zero, upper;
    unsigned int width;
    unsigned int precision; /* of %s: UINT32_MAX if none was given */
    unsigned int length;    /* number of l's; z counts as one */
    unsigned int narrow;    /* number of h's */
};

static void put(struct output *o, char c)
{
    if (o->length + 1 < o->size)
        o->buf[o->length] = c;
    o->length++;
}

static void pad(struct output *o, char c, size_t have, unsigned int width)
{
    for (; have < width; have++)
        put(o, c);
}

static void put_string(struct output *o, const struct spec *f, const char *s)
{
    size_t n = 0;

    if (!s)
        s = "(null)";
    while (n < f->precision && s[n])
        n++;
    if (!f->left)
        pad(o, ' ', n, f->width);
    for (size_t i = 0; i < n; i++)
        put(o, s[i]);
    if (f->left)
        pad(o, ' ', n, f->width);
}

/* prefix: "-" or "0x", before the zeros of a padded number. */
static void put_number(struct output *o, const struct spec *f, uint64_t v, unsigned int base,
                       const char *prefix)
{
    const char *digits = f->upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[20]; /* UINT64_MAX has 20 digits */
    size_t n = 0;
    size_t all;

    do {
        text[n++] = digits[v % base];
        v /= base;
    } while (v);
    for (all = n; prefix[all - n]; all++)
        ;
    if (!f->left && !f->zero)
        pad(o, ' ', all, f->width);
    while (*prefix)
        put(o, *prefix++);
    if (!f->left && f->zero)
        pad(o, '0', all, f->width);
    while (n)
        put(o, text[--n]);
    if (f->left)
        pad(o, ' ', all, f->width);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Longest number taken for a width: a field of guest-chosen size would be a loop of its length. */
#define WIDTH_MAX 1024u

static unsigned int number(const char **fmt)
{
    unsigned int v = 0;

    for (; is_digit(**fmt); (*fmt)++)
        v = v < WIDTH_MAX ? v * 10 + (unsigned int)(**fmt - '0') : WIDTH_MAX;
    return v;
}

/* What stands between % and the conversion. va_list travels by pointer to a struct, as arrays may not be
 * passed on. */
struct arguments {
    va_list list;
};

static unsigned int width_of(const char **fmt, struct arguments *a, bool *left)
{
    int v;
    unsigned int width;

    if (**fmt != '*')
        return number(fmt);
    (*fmt)++;
    v = va_arg(a->list, int);
    *left |= v < 0;
    width = v < 0 ? 0u - (unsigned int)v : (unsigned int)v;
    return width < WIDTH_MAX ? width : WIDTH_MAX;
}

static struct spec parse(const char **fmt, struct arguments *a)
{
    struct spec f = {.precision = UINT32_MAX};
    bool ignored = false;

    for (; **fmt == '-' || **fmt == '0'; (*fmt)++) {
        if (**fmt == '-')
            f.left = true;
        else
            f.zero = true;
    }
    f.width = width_of(fmt, a, &f.left);
    if (**fmt == '.') {
        (*fmt)++;
        f.precision = width_of(fmt, a, &ignored);
    }
    for (; **fmt == 'h'; (*fmt)++)
        f.narrow++;
    for (; **fmt == 'l' || **fmt == 'z'; (*fmt)++)
        f.length++;
    return f;
}

/* C11 7.21.6.1: an argument of h or hh has been promoted, and is turned back. */
static void put_signed(struct output *o, const struct spec *f, struct arguments *a)
{
    int64_t v = f->length ? va_arg(a->list, long long) : va_arg(a->list, int);

    if (f->narrow)
        v = f->narrow == 1 ? (int16_t)v : (int8_t)v;
    put_number(o, f, v < 0 ? -(uint64_t)v : (uint64_t)v, 10, v < 0 ? "-" : "");
}

static void put_unsigned(struct output *o, const struct spec *f, struct arguments *a, unsigned int base)
{
    uint64_t v = f->length ? va_arg(a->list, unsigned long long) : va_arg(a->list, unsigned int);

    if (f->narrow)
        v = f->narrow == 1 ? (uint16_t)v : (uint8_t)v;
    put_number(o, f, v, base, "");
}

/* False: not a conversion of ours. */
static bool convert(struct output *o, struct spec *f, char conversion, struct arguments *a)
{
    char c[2] = {0, 0};

    switch (conversion) {
    case 'd':
    case 'i':
        put_signed(o, f, a);
        return true;
    case 'u':
        put_unsigned(o, f, a, 10);
        return true;
    case 'X':
        f->upper = true;
        put_unsigned(o, f, a, 16);
        return true;
    case 'x':
        put_unsigned(o, f, a, 16);
        return true;
    case 'p':
        put_number(o, f, (uint64_t)(uintptr_t)va_arg(a->list, void *), 16, "0x");
        return true;
    case 's':
        put_string(o, f, va_arg(a->list, const char *));
        return true;
    case 'c':
        c[0] = (char)va_arg(a->list, int);
        put_string(o, f, c);
        return true;
    case '%':
        put(o, '%');
        return true;
    default:
        return false;
    }
}

int format_va(char *buf, size_t size, const char *fmt, va_list args)
{
    struct output o = {.buf = buf, .size = size};
    struct arguments a;

    va_copy(a.list, args);
    while (*fmt) {
        const char *start = fmt;
        struct spec f;

        if (*fmt++ != '%') {
            put(&o, *start);
            continue;
        }
        f = parse(&fmt, &a);
        if (*fmt && convert(&o, &f, *fmt, &a)) {
            fmt++;
            continue;
        }
        while (start < fmt)
            put(&o, *start++);
    }
    va_end(a.list);
    if (size)
        buf[o.length < size ? o.length : size - 1] = 0;
    return (int)o.length;
}
