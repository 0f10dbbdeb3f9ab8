/* links: arch/x86/nested.c */
/* Nested page tables (EPT and NPT) against a plain array: after any maps and unmaps, memory running out
 * included, every page translates to what it was last mapped on with these rights, or not at all; what was
 * never mapped translates to nothing; all tables are given back. "No guest-physical address ever maps to
 * memory that is not the guest's" rests on it: docs/proof.md. */
#include "arch/x86/nested.h"
#include "arch/x86/svm/npt.h"
#include "arch/x86/vmx/ept.h"
#include "tests/fuzz/bytes.h"
#include "tests/unit/support/fake_host.h"
#include "vmm/backend.h"

#define PAGE  0x1000ull
#define LARGE 0x200000ull
#define PAGES 1024u /* of the model: 4 MiB, twice, at 0 and below 4 GiB */

struct model_page {
    uint64_t hpa;
    unsigned int rights; /* 0: not mapped */
};

static const uint64_t bases[2] = {0, (4ull << 30) - PAGES *PAGE};
static struct model_page model[2][PAGES];
static struct nested nested;

static void compare(unsigned int area, unsigned int page)
{
    const struct model_page *m = &model[area][page];
    uint64_t gpa = bases[area] + page * PAGE, size;
    uint64_t entry = nested_lookup(&nested, gpa, &size);

    if (m->rights == 0) {
        CHECK(entry == 0, "gpa %llx is mapped: %llx", (unsigned long long)gpa, (unsigned long long)entry);
        return;
    }
    CHECK(size == PAGE || size == LARGE, "a leaf of %llx bytes", (unsigned long long)size);
    CHECK((entry & NESTED_ADDRESS) % size == 0, "a leaf's address: %llx", (unsigned long long)entry);
    CHECK((entry & NESTED_ADDRESS) + gpa % size == m->hpa, "gpa %llx is on %llx, not %llx",
          (unsigned long long)gpa, (unsigned long long)(entry & NESTED_ADDRESS), (unsigned long long)m->hpa);
    CHECK((entry & ~(NESTED_ADDRESS | NESTED_LARGE)) == nested.leaf_flags(m->rights),
          "gpa %llx has flags %llx", (unsigned long long)gpa, (unsigned long long)entry);
}

static void compare_all(void)
{
    uint64_t size;

    for (unsigned int area = 0; area < 2; area++)
        for (unsigned int page = 0; page < PAGES; page++)
            compare(area, page);
    CHECK(nested_lookup(&nested, bases[0] + PAGES * PAGE, &size) == 0, "a page behind");
    CHECK(nested_lookup(&nested, bases[1] - PAGE, &size) == 0, "a page before");
    CHECK(nested_lookup(&nested, bases[1] + PAGES * PAGE, &size) == 0, "a page behind 4 GiB");
}

/* With memory out, a map may stop anywhere; each page is then what it was or what it should become. */
static void take_over(unsigned int area, unsigned int first, unsigned int n, uint64_t hpa,
                      unsigned int rights)
{
    for (unsigned int i = 0; i < n; i++) {
        struct model_page *m = &model[area][first + i];
        uint64_t size, entry = nested_lookup(&nested, bases[area] + (first + i) * PAGE, &size);
        uint64_t at = (entry & NESTED_ADDRESS) + (first + i) * PAGE % size;

        if (entry && at == hpa + i * PAGE &&
            (entry & ~(NESTED_ADDRESS | NESTED_LARGE)) == nested.leaf_flags(rights))
            *m = (struct model_page){at, rights};
    }
}

static void map(struct bytes *in, unsigned int area, unsigned int first, unsigned int n)
{
    unsigned int rights = 1 + take8(in) % 7;
    uint64_t hpa = (take8(in) % 2 ? first % 512 * PAGE : 0) + take(in, 2) * LARGE + take8(in) % 2 * PAGE;
    bool stale = false, fresh = true;

    for (unsigned int i = 0; i < n; i++)
        fresh &= model[area][first + i].rights == 0;
    if (!nested_map(&nested, bases[area] + first * PAGE, hpa, n * PAGE, rights, &stale)) {
        take_over(area, first, n, hpa, rights);
        return;
    }
    CHECK(stale || fresh, "a translation has changed, and nobody is told");
    for (unsigned int i = 0; i < n; i++)
        model[area][first + i] = (struct model_page){hpa + i * PAGE, rights};
}

/* With memory out, all of a large page goes. */
static void unmap(unsigned int area, unsigned int first, unsigned int n)
{
    bool mapped = false;

    for (unsigned int i = 0; i < n; i++) {
        mapped |= model[area][first + i].rights != 0;
        model[area][first + i].rights = 0;
    }
    bool stale = nested_unmap(&nested, bases[area] + first * PAGE, n * PAGE);
    CHECK(stale || !mapped, "a translation has gone, and nobody is told");
    for (unsigned int page = 0; page < PAGES && fake_host.page_limit < 1000; page++) {
        uint64_t size;
        bool same_leaf = page / 512 == first / 512 || page / 512 == (first + n - 1) / 512;

        if (same_leaf && nested_lookup(&nested, bases[area] + page * PAGE, &size) == 0)
            model[area][page].rights = 0;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    uint8_t what = take8(&in);

    fake_host_reset();
    fake_host.page_limit = what & 2 ? 1 + take8(&in) % 24 : fake_host.page_limit;
    memset(model, 0, sizeof(model));
    if (!nested_init(&nested, !(what & 4), what & 1 ? ept_leaf_flags : npt_leaf_flags))
        return 0;
    for (unsigned int steps = 0; in.left > 0 && steps < 24; steps++) {
        uint8_t how = take8(&in);
        unsigned int first = (unsigned int)take(&in, 2) % PAGES, n = (unsigned int)take(&in, 2) % PAGES;

        if (how & 4) /* large pages are rare among random numbers */
            first &= ~511u, n = (n | 511u) + 1;
        n = n < PAGES - first ? n : PAGES - first;
        if (n == 0)
            continue;
        if (how & 2)
            map(&in, how & 1, first, n);
        else
            unmap(how & 1, first, n);
    }
    compare_all();
    nested_destroy(&nested);
    CHECK(fake_host.pages == 0, "%zu tables are not given back", fake_host.pages);
    return 0;
}
