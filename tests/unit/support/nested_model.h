/* Nested page tables beside a plain array of pages, which says what they must translate: for every sequence
 * of maps and unmaps, memory running out included. Header only. A function that returns text has found
 * something wrong; NULL is good. */
#ifndef TESTS_UNIT_SUPPORT_NESTED_MODEL_H
#define TESTS_UNIT_SUPPORT_NESTED_MODEL_H

#include <string.h>

#include "arch/x86/nested.h"
#include "arch/x86/svm/npt.h"
#include "arch/x86/vmx/ept.h"

#define MODEL_PAGE  0x1000ull
#define MODEL_LARGE 0x200000ull
#define MODEL_PAGES 1024u /* of an area: two large pages; one area at 0 and one that ends at 4 GiB */

struct model_page {
    uint64_t hpa;
    unsigned int rights; /* 0: not mapped */
};

struct nested_model {
    struct nested nested;
    struct model_page pages[2][MODEL_PAGES];
};

static inline uint64_t model_gpa(unsigned int area, unsigned int page)
{
    return (area ? (4ull << 30) - MODEL_PAGES * MODEL_PAGE : 0) + page * MODEL_PAGE;
}

static inline bool model_init(struct nested_model *m, bool extended, bool large)
{
    memset(m->pages, 0, sizeof(m->pages));
    return nested_init(&m->nested, large, extended ? ept_leaf_flags : npt_leaf_flags);
}

static inline uint64_t model_flags(uint64_t entry)
{
    return entry & ~(NESTED_ADDRESS | NESTED_LARGE);
}

static inline const char *model_check_page(const struct nested_model *m, unsigned int area, unsigned int page)
{
    const struct model_page *p = &m->pages[area][page];
    uint64_t size, gpa = model_gpa(area, page), entry = nested_lookup(&m->nested, gpa, &size);

    if (p->rights == 0)
        return entry ? "a page is mapped that must not be" : NULL;
    if (size != MODEL_PAGE && size != MODEL_LARGE)
        return "a leaf of a size that there is not";
    if ((entry & NESTED_ADDRESS) % size != 0 ||
        (entry & NESTED_LARGE) != (size == MODEL_LARGE ? NESTED_LARGE : 0))
        return "a leaf that the processor takes for another";
    if ((entry & NESTED_ADDRESS) + gpa % size != p->hpa)
        return "a page is mapped elsewhere";
    return model_flags(entry) == m->nested.leaf_flags(p->rights) ? NULL : "a page has other rights";
}

/* Every page of the areas, and their neighbours. */
static inline const char *model_check(const struct nested_model *m)
{
    const char *wrong = NULL;
    uint64_t size;

    for (unsigned int area = 0; area < 2; area++)
        for (unsigned int page = 0; page < MODEL_PAGES && !wrong; page++)
            wrong = model_check_page(m, area, page);
    if (!wrong && (nested_lookup(&m->nested, model_gpa(0, MODEL_PAGES), &size) ||
                   nested_lookup(&m->nested, model_gpa(1, 0) - MODEL_PAGE, &size) ||
                   nested_lookup(&m->nested, model_gpa(1, MODEL_PAGES), &size)))
        wrong = "a page beside the range is mapped";
    return wrong;
}

/* With memory out, a map stops anywhere: each page is what it was, or what it should become. */
static inline void model_take_over(struct nested_model *m, unsigned int area, unsigned int page, uint64_t hpa,
                                   unsigned int rights)
{
    uint64_t size, entry = nested_lookup(&m->nested, model_gpa(area, page), &size);
    uint64_t at = (entry & NESTED_ADDRESS) + page * MODEL_PAGE % size;

    if (entry && at == hpa && model_flags(entry) == m->nested.leaf_flags(rights))
        m->pages[area][page] = (struct model_page){hpa, rights};
}

static inline const char *model_map(struct nested_model *m, unsigned int area, unsigned int first,
                                    unsigned int n, uint64_t hpa, unsigned int rights)
{
    bool stale = false, mapped_before = false;

    for (unsigned int i = 0; i < n; i++)
        mapped_before |= m->pages[area][first + i].rights != 0;
    bool done = nested_map(&m->nested, model_gpa(area, first), hpa, n * MODEL_PAGE, rights, &stale);
    for (unsigned int i = 0; i < n; i++) {
        if (done)
            m->pages[area][first + i] = (struct model_page){hpa + i * MODEL_PAGE, rights};
        else
            model_take_over(m, area, first + i, hpa + i * MODEL_PAGE, rights);
    }
    return done && mapped_before && !stale ? "a translation has changed, and nobody is told" : NULL;
}

/* Where a large page cannot be split, all of it goes; whether it may is memory_out. */
static inline const char *model_unmap(struct nested_model *m, unsigned int area, unsigned int first,
                                      unsigned int n, bool memory_out)
{
    bool mapped_before = false;
    uint64_t size;

    for (unsigned int i = 0; i < n; i++) {
        mapped_before |= m->pages[area][first + i].rights != 0;
        m->pages[area][first + i].rights = 0;
    }
    bool stale = nested_unmap(&m->nested, model_gpa(area, first), n * MODEL_PAGE);
    for (unsigned int page = 0; page < MODEL_PAGES && memory_out; page++)
        if ((page / 512 == first / 512 || page / 512 == (first + n - 1) / 512) &&
            nested_lookup(&m->nested, model_gpa(area, page), &size) == 0)
            m->pages[area][page].rights = 0;
    return mapped_before && !stale ? "a translation has gone, and nobody is told" : NULL;
}

#endif
