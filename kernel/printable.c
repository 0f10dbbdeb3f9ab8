/* Control characters made visible; see printable.h. */
#include "kernel/printable.h"

#include <stdbool.h>

static size_t hex(uint8_t byte, char *out)
{
    static const char digits[] = "0123456789abcdef";

    out[0] = '\\';
    out[1] = 'x';
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

static size_t ascii(uint8_t byte, char *out)
{
    if (byte == '\t' || (byte >= ' ' && byte < 0x7f)) {
        out[0] = (char)byte;
        return 1;
    }
    out[0] = '^';
    out[1] = (char)(byte ^ 0x40); /* ESC is ^[, DEL is ^? */
    return 2;
}

/* How many continuation bytes a first byte announces; 0: it is none. */
static uint8_t announced(uint8_t byte)
{
    if (byte >= 0xc2 && byte <= 0xdf)
        return 1;
    if (byte >= 0xe0 && byte <= 0xef)
        return 2;
    return byte >= 0xf0 && byte <= 0xf4 ? 3 : 0;
}

/* Whether a byte may follow the ones held back. The second byte has limits of its own: no overlong forms, no
 * surrogates, nothing past 10FFFFh; and no C1 control (80h-9Fh), whose UTF-8 is C2h and itself. */
static bool continues(const struct printable *p, uint8_t byte)
{
    static const struct {
        uint8_t first, low, high;
    } limits[] = {
        {0xc2, 0xa0, 0xbf}, {0xe0, 0xa0, 0xbf}, {0xed, 0x80, 0x9f}, {0xf0, 0x90, 0xbf}, {0xf4, 0x80, 0x8f},
    };

    if (p->have == 1) {
        for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
            if (p->held[0] == limits[i].first)
                return byte >= limits[i].low && byte <= limits[i].high;
        }
    }
    return (byte & 0xc0) == 0x80;
}

size_t printable_end(struct printable *p, char *out)
{
    size_t n = 0;

    for (uint8_t i = 0; i < p->have; i++)
        n += hex(p->held[i], out + n);
    p->have = 0;
    p->need = 0;
    return n;
}

/* The last byte of a sequence: all of it as it came. */
static size_t complete(struct printable *p, uint8_t byte, char *out)
{
    size_t n = p->have;

    for (size_t i = 0; i < n; i++)
        out[i] = (char)p->held[i];
    out[n] = (char)byte;
    p->have = 0;
    p->need = 0;
    return n + 1;
}

size_t printable_put(struct printable *p, uint8_t byte, char *out)
{
    size_t n = 0;

    if (p->need && continues(p, byte)) {
        if (p->need == 1)
            return complete(p, byte, out);
        p->held[p->have++] = byte;
        p->need--;
        return 0;
    }
    n = printable_end(p, out);
    if (byte < 0x80)
        return n + ascii(byte, out + n);
    p->need = announced(byte);
    if (p->need == 0)
        return n + hex(byte, out + n);
    p->held[p->have++] = byte;
    return n;
}
