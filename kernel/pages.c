/* Physical pages; see pages.h. */
#include "kernel/pages.h"

#include "vmm/host.h"

#define PAGE       4096ull
#define MIB        0x100000ull
#define RANGES_MAX 512

/* Free memory: sorted, disjoint, not touching. */
struct range {
    uint64_t start, end;
};

static struct range ranges[RANGES_MAX];
static unsigned int nranges;
static uint64_t total;
static uint64_t lost;

static void delete_range(unsigned int i)
{
    nranges--;
    for (; i < nranges; i++)
        ranges[i] = ranges[i + 1];
}

/* False: the array is full. */
static bool insert_range(unsigned int at, uint64_t start, uint64_t end)
{
    if (nranges == RANGES_MAX)
        return false;
    for (unsigned int i = nranges; i > at; i--)
        ranges[i] = ranges[i - 1];
    ranges[at] = (struct range){start, end};
    nranges++;
    return true;
}

/* Adds [start, end), whatever of it is there already. */
static void add(uint64_t start, uint64_t end)
{
    unsigned int i = 0;

    while (i < nranges && ranges[i].end < start)
        i++;
    while (i < nranges && ranges[i].start <= end) {
        start = start < ranges[i].start ? start : ranges[i].start;
        end = end > ranges[i].end ? end : ranges[i].end;
        delete_range(i);
    }
    if (!insert_range(i, start, end))
        lost += end - start;
}

/* Takes [start, end) out, whatever of it is there. */
static void take(uint64_t start, uint64_t end)
{
    for (unsigned int i = 0; i < nranges;) {
        struct range r = ranges[i];

        if (r.end <= start || r.start >= end) {
            i++;
            continue;
        }
        delete_range(i);
        if (r.start < start && insert_range(i, r.start, start))
            i++;
        if (r.end > end) {
            if (insert_range(i, end, r.end))
                i++;
            else
                lost += r.end - end;
        }
    }
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
    return v > UINT64_MAX - to + 1 ? UINT64_MAX & ~(to - 1) : (v + to - 1) & ~(to - 1);
}

static void add_ram(const struct boot_range *r)
{
    uint64_t start = round_up(r->base < MIB ? MIB : r->base, PAGE);
    uint64_t end = (r->base + r->length) & ~(PAGE - 1);

    if (start < end)
        add(start, end);
}

static void reserve(uint64_t base, uint64_t length)
{
    if (length)
        take(base & ~(PAGE - 1), round_up(base + length, PAGE));
}

void pages_init(const struct boot_info *boot, uint64_t kernel_start, uint64_t kernel_end)
{
    nranges = 0;
    lost = 0;
    for (unsigned int i = 0; i < boot->nranges; i++) {
        if (boot->ranges[i].type == BOOT_MEM_RAM)
            add_ram(&boot->ranges[i]);
    }
    for (unsigned int i = 0; i < boot->nranges; i++) {
        if (boot->ranges[i].type != BOOT_MEM_RAM)
            reserve(boot->ranges[i].base, boot->ranges[i].length);
    }
    reserve(kernel_start, kernel_end - kernel_start);
    for (unsigned int i = 0; i < boot->nmodules; i++)
        reserve(boot->module_phys[i], boot->modules[i].size);
    total = pages_free_bytes();
}

uint64_t pages_alloc(size_t n, uint64_t align, uint64_t limit)
{
    uint64_t length = n * PAGE;

    ASSERT(n > 0 && align >= PAGE && (align & (align - 1)) == 0);
    if (n == 0 || n > UINT64_MAX / PAGE)
        return PAGES_NONE;
    for (unsigned int i = 0; i < nranges; i++) {
        uint64_t start = round_up(ranges[i].start, align);
        uint64_t end = ranges[i].end < limit ? ranges[i].end : limit;

        if (start < end && end - start >= length) {
            take(start, start + length);
            return start;
        }
    }
    return PAGES_NONE;
}

void pages_free(uint64_t phys, size_t n)
{
    ASSERT((phys & (PAGE - 1)) == 0);
    if (n)
        add(phys, phys + n * PAGE);
}

uint64_t pages_total(void)
{
    return total;
}

uint64_t pages_free_bytes(void)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < nranges; i++)
        sum += ranges[i].end - ranges[i].start;
    return sum;
}

uint64_t pages_largest(uint64_t align)
{
    uint64_t largest = 0;

    for (unsigned int i = 0; i < nranges; i++) {
        uint64_t start = round_up(ranges[i].start, align);

        if (start < ranges[i].end && ranges[i].end - start > largest)
            largest = ranges[i].end - start;
    }
    return largest;
}

uint64_t pages_lost(void)
{
    return lost;
}
