#include "vmm/blob.h"

#include "vmm/string.h"

static uint8_t *room(struct blob *b, size_t n)
{
    uint8_t *p = b->mem + b->used;

    if (b->full || n > b->size - b->used) {
        b->full = true;
        return NULL;
    }
    b->used += n;
    return p;
}

static void put(uint8_t *p, uint64_t v, unsigned int n)
{
    unsigned int i;

    for (i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

static void append(struct blob *b, uint64_t v, unsigned int n)
{
    uint8_t *p = room(b, n);

    if (p != NULL)
        put(p, v, n);
}

void blob_u8(struct blob *b, uint8_t v)
{
    append(b, v, 1);
}

void blob_u16(struct blob *b, uint16_t v)
{
    append(b, v, 2);
}

void blob_u32(struct blob *b, uint32_t v)
{
    append(b, v, 4);
}

void blob_u64(struct blob *b, uint64_t v)
{
    append(b, v, 8);
}

void blob_bytes(struct blob *b, const void *p, size_t n)
{
    uint8_t *to = room(b, n);

    if (to != NULL)
        memcpy(to, p, n);
}

void blob_zeros(struct blob *b, size_t n)
{
    uint8_t *to = room(b, n);

    if (to != NULL)
        memset(to, 0, n);
}

void blob_align(struct blob *b, size_t align)
{
    blob_zeros(b, (0 - b->used) & (align - 1));
}

static void patch(struct blob *b, size_t at, uint64_t v, unsigned int n)
{
    if (at <= b->used && n <= b->used - at)
        put(b->mem + at, v, n);
}

void blob_patch_u16(struct blob *b, size_t at, uint16_t v)
{
    patch(b, at, v, 2);
}

void blob_patch_u32(struct blob *b, size_t at, uint32_t v)
{
    patch(b, at, v, 4);
}

void blob_checksum(struct blob *b, size_t from, size_t n, size_t at)
{
    uint8_t sum = 0;
    size_t i;

    if (from > b->used || n > b->used - from || at >= b->used)
        return;
    b->mem[at] = 0;
    for (i = 0; i < n; i++)
        sum = (uint8_t)(sum + b->mem[from + i]);
    b->mem[at] = (uint8_t)(0 - sum);
}
