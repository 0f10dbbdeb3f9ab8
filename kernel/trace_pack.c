#include "kernel/trace_pack.h"

#include "vmm/host.h"
#include "vmm/string.h"

static const char prefix[] = "trace: ";

/* Bitwise: a table would be a KiB for something that runs once. */
static uint32_t crc32(const char *text, size_t n)
{
    uint32_t crc = ~0u;

    for (size_t i = 0; i < n; i++) {
        crc ^= (uint8_t)text[i];
        for (unsigned int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

void trace_pack_seal(char *line)
{
    const char *words = line + sizeof(prefix) - 1;
    size_t n = strlen(words);

    host_snprintf(line + sizeof(prefix) - 1 + n, 10, " %08x", crc32(words, n));
}

/* ---- base64 (RFC 4648) ---- */

static size_t base64(const uint8_t *bytes, size_t n, char *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = 0;

    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16;

        three |= i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0;
        three |= i + 2 < n ? bytes[i + 2] : 0;
        out[length++] = digits[three >> 18];
        out[length++] = digits[three >> 12 & 63];
        out[length++] = i + 1 < n ? digits[three >> 6 & 63] : '=';
        out[length++] = i + 2 < n ? digits[three & 63] : '=';
    }
    return length;
}

/* ---- blocks ---- */

static void put_byte(struct trace_pack *p, uint32_t byte)
{
    p->bytes[p->length++] = (uint8_t)byte;
}

static void put_number(struct trace_pack *p, uint64_t n)
{
    for (; n >= 0x80; n >>= 7)
        put_byte(p, (uint8_t)n | 0x80u);
    put_byte(p, (uint8_t)n);
}

/* 0, -1, 1, -2 ... as 0, 1, 2, 3 ... */
static void put_signed(struct trace_pack *p, uint64_t difference)
{
    put_number(p, difference << 1 ^ (difference >> 63 ? UINT64_MAX : 0));
}

static unsigned int mask_of(const struct trace_record *r, const struct trace_record *last)
{
    uint32_t who = r->who ^ last->who;

    return (who & 0x0000FF00u ? TRACE_HAS_VM : 0) | (who & 0x00FF0000u ? TRACE_HAS_VCPU : 0) |
           (who & 0xFF000000u ? TRACE_HAS_TIMER : 0) | (r->arg != last->arg ? TRACE_HAS_ARG : 0) |
           (r->at != last->at ? TRACE_HAS_AT : 0) | (r->value != last->value ? TRACE_HAS_VALUE : 0);
}

void trace_pack_start(struct trace_pack *p)
{
    memset(p, 0, sizeof(*p));
}

bool trace_pack_add(struct trace_pack *p, const struct trace_record *r)
{
    unsigned int kind = r->who & 0xFFu;
    struct trace_record *last = &p->last[kind < TRACE_KINDS ? kind : 0];
    unsigned int mask = mask_of(r, last);

    if (p->length + TRACE_RECORD_MAX > TRACE_BLOCK)
        return false;
    put_byte(p, kind);
    put_byte(p, mask);
    put_signed(p, r->rt - p->rt);
    if (mask & TRACE_HAS_VM)
        put_byte(p, r->who >> 8 & 0xFFu);
    if (mask & TRACE_HAS_VCPU)
        put_byte(p, r->who >> 16 & 0xFFu);
    if (mask & TRACE_HAS_TIMER)
        put_byte(p, r->who >> 24);
    if (mask & TRACE_HAS_ARG)
        put_signed(p, (uint64_t)(int64_t)(int32_t)(r->arg - last->arg));
    if (mask & TRACE_HAS_AT)
        put_signed(p, r->at - last->at);
    if (mask & TRACE_HAS_VALUE)
        put_signed(p, r->value - last->value);
    p->rt = r->rt;
    *last = *r;
    return true;
}

/* The line of a block. */
static void write_block(const struct trace_pack *p, const struct trace_reader *r, char line[TRACE_LINE_MAX])
{
    int n = host_snprintf(line, TRACE_LINE_MAX, "%sdata %u %u ", prefix, r->number, r->blocks);

    n += (int)base64(p->bytes, p->length, line + n);
    line[n] = '\0';
    trace_pack_seal(line);
}

static void introduce(const struct trace_reader *r, char line[TRACE_LINE_MAX])
{
    host_snprintf(line, TRACE_LINE_MAX, "%sring %u cpu=%u %s records=%llu lost=%llu", prefix, r->number,
                  r->number / 2, r->what, (unsigned long long)r->count,
                  (unsigned long long)(r->ring->next - r->count));
    trace_pack_seal(line);
}

void trace_pack_open(struct trace_reader *r, const struct trace_ring *ring, unsigned int number,
                     const char *what)
{
    memset(r, 0, sizeof(*r));
    r->ring = ring;
    r->what = what;
    r->number = number;
    r->count = ring->next <= ring->mask ? ring->next : ring->mask + 1;
    r->at = ring->next - r->count;
}

bool trace_pack_line(struct trace_reader *r, char line[TRACE_LINE_MAX])
{
    static struct trace_pack block;
    const struct trace_ring *ring = r->ring;

    if (!r->introduced) {
        introduce(r, line);
        r->introduced = true;
        return true;
    }
    if (r->at == ring->next)
        return false;
    trace_pack_start(&block);
    while (r->at < ring->next && trace_pack_add(&block, &ring->records[r->at & ring->mask]))
        r->at++;
    write_block(&block, r, line);
    r->blocks++;
    return true;
}
