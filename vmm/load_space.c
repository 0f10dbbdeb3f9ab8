#include "vmm/load_space.h"

#include <stddef.h>

#define FIRST_PAGE 0x1000u

void space_init(struct load_space *s, const struct vm *vm)
{
    firmware_memmap(vm, &s->map);
    s->taken[0] = (struct load_span){.base = 0, .end = FIRST_PAGE};
    s->n = 1;
}

bool space_is_ram(const struct load_space *s, uint64_t base, uint64_t size)
{
    unsigned int i;

    for (i = 0; i < s->map.n; i++) {
        const struct memmap_entry *e = &s->map.entry[i];

        if (e->type == MEMMAP_RAM && base >= e->base && base - e->base <= e->length &&
            size <= e->length - (base - e->base))
            return true;
    }
    return false;
}

bool space_mark(struct load_space *s, uint64_t base, uint64_t size)
{
    if (s->n == LOAD_SPANS || size > UINT64_MAX - base)
        return false;
    s->taken[s->n++] = (struct load_span){.base = base, .end = base + size};
    return true;
}

/* The piece that [base, end) overlaps, or NULL. */
static const struct load_span *overlapped(const struct load_space *s, uint64_t base, uint64_t end)
{
    unsigned int i;

    for (i = 0; i < s->n; i++) {
        if (base < s->taken[i].end && s->taken[i].base < end)
            return &s->taken[i];
    }
    return NULL;
}

static uint64_t align_up(uint64_t v, uint64_t align)
{
    return (v + align - 1) & ~(align - 1);
}

static uint64_t max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* RAM ends far below 2^63, so sums of an address in it and a size that fits it cannot wrap. */
static bool entry_low(const struct load_space *s, uint64_t base, uint64_t end, uint64_t size, uint64_t align,
                      uint64_t *out)
{
    uint64_t at = base < end ? align_up(base, align) : end;

    while (at < end && size <= end - at) {
        const struct load_span *o = overlapped(s, at, at + size);

        if (o == NULL) {
            *out = at;
            return true;
        }
        at = align_up(o->end, align);
    }
    return false;
}

static bool entry_high(const struct load_space *s, uint64_t base, uint64_t end, uint64_t size, uint64_t align,
                       uint64_t *out)
{
    while (end > base && size <= end - base) {
        uint64_t at = (end - size) & ~(align - 1);
        const struct load_span *o;

        if (at < base)
            return false;
        o = overlapped(s, at, at + size);
        if (o == NULL) {
            *out = at;
            return true;
        }
        end = o->base;
    }
    return false;
}

bool space_take_low(struct load_space *s, uint64_t from, uint64_t limit, uint64_t size, uint64_t align,
                    uint64_t *out)
{
    unsigned int i;

    size = max(size, 1);
    for (i = 0; i < s->map.n; i++) {
        const struct memmap_entry *e = &s->map.entry[i];

        if (e->type == MEMMAP_RAM &&
            entry_low(s, max(e->base, from), min(e->base + e->length, limit), size, align, out))
            return space_mark(s, *out, size);
    }
    return false;
}

bool space_take_high(struct load_space *s, uint64_t limit, uint64_t size, uint64_t align, uint64_t *out)
{
    unsigned int i;

    size = max(size, 1);
    for (i = s->map.n; i-- > 0;) {
        const struct memmap_entry *e = &s->map.entry[i];

        if (e->type == MEMMAP_RAM &&
            entry_high(s, e->base, min(e->base + e->length, limit), size, align, out))
            return space_mark(s, *out, size);
    }
    return false;
}
