#include "guests/lib/print.h"

#include <stdint.h>

#include "guests/lib/io.h"
#include "guests/lib/power.h"

#define COM1     0x3F8
#define UART_IER 1
#define UART_FCR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define LCR_8N1  0x03
#define LCR_DLAB 0x80
#define LSR_THRE 0x20

static unsigned int checks, failures;

void serial_init(void)
{
    outb(COM1 + UART_IER, 0);
    outb(COM1 + UART_LCR, LCR_DLAB | LCR_8N1);
    outb(COM1 + 0, 1); /* divisor 1: 115200 baud */
    outb(COM1 + 1, 0);
    outb(COM1 + UART_LCR, LCR_8N1);
    outb(COM1 + UART_FCR, 0x07);
    outb(COM1 + UART_MCR, 0x03);
}

static void put(char c)
{
    while (!(inb(COM1 + UART_LSR) & LSR_THRE)) {
    }
    outb(COM1, (uint8_t)c);
}

struct spec {
    bool left;
    char fill;
    unsigned int width;
};

static void put_padded(const char *s, size_t length, const struct spec *spec)
{
    size_t pad = spec->width > length ? spec->width - length : 0;

    for (size_t i = 0; i < pad && !spec->left; i++) {
        put(spec->fill);
    }
    for (size_t i = 0; i < length; i++) {
        put(s[i]);
    }
    for (size_t i = 0; i < pad && spec->left; i++) {
        put(' ');
    }
}

static void put_number(uint64_t value, bool negative, unsigned int base, const struct spec *spec)
{
    char buffer[24];
    size_t at = sizeof(buffer);

    do {
        buffer[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    if (negative) {
        buffer[--at] = '-';
    }
    put_padded(buffer + at, sizeof(buffer) - at, spec);
}

static size_t length_of(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0') {
        n++;
    }
    return n;
}

static const char *parse_spec(const char *fmt, struct spec *spec, bool *is_long)
{
    *spec = (struct spec){false, ' ', 0};
    *is_long = false;
    for (; *fmt == '-' || *fmt == '0'; fmt++) {
        spec->left |= *fmt == '-';
        spec->fill = *fmt == '0' ? '0' : spec->fill;
    }
    for (; *fmt >= '0' && *fmt <= '9'; fmt++) {
        spec->width = spec->width * 10 + (unsigned int)(*fmt - '0');
    }
    for (; *fmt == 'l' || *fmt == 'z'; fmt++) {
        *is_long = true;
    }
    return fmt;
}

/* A va_list inside a structure can be passed on by address whatever its type is. */
struct arguments {
    va_list list;
};

static void convert(char kind, bool is_long, const struct spec *spec, struct arguments *args)
{
    if (kind == 'd') {
        int64_t v = is_long ? va_arg(args->list, long) : va_arg(args->list, int);

        put_number(v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0, 10, spec);
    } else if (kind == 'u' || kind == 'x') {
        uint64_t v = is_long ? va_arg(args->list, unsigned long) : va_arg(args->list, unsigned int);

        put_number(v, false, kind == 'u' ? 10 : 16, spec);
    } else if (kind == 's') {
        const char *s = va_arg(args->list, const char *);

        put_padded(s, length_of(s), spec);
    } else if (kind == 'c') {
        put((char)va_arg(args->list, int));
    } else {
        put(kind);
    }
}

void vprintf(const char *fmt, va_list list)
{
    struct arguments args;

    va_copy(args.list, list);
    while (*fmt != '\0') {
        struct spec spec;
        bool is_long;

        if (*fmt != '%') {
            put(*fmt++);
            continue;
        }
        fmt = parse_spec(fmt + 1, &spec, &is_long);
        if (*fmt == '\0') {
            break;
        }
        convert(*fmt++, is_long, &spec, &args);
    }
    va_end(args.list);
}

void printf(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
}

bool report(bool cond, const char *fmt, ...)
{
    va_list args;

    printf(cond ? "PASS: " : "FAIL: ");
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
    printf("\n");
    checks++;
    failures += !cond;
    return cond;
}

int report_summary(void)
{
    printf("SUMMARY: %u checks, %u failed\n", checks, failures);
    return checks > 0 && failures == 0 ? EXIT_OK : EXIT_FAIL;
}
