/* links: arch/x86/nested.c */
/* Nested page tables (EPT and NPT) against a plain array: after any maps and unmaps, memory running out
 * included, every page translates to what it was last mapped on, with these rights, or not at all; all tables
 * are given back. tests/unit/test_nested_model.c does the short sequences exhaustively. */
#include "tests/fuzz/bytes.h"
#include "tests/unit/support/fake_host.h"
#include "tests/unit/support/nested_model.h"

static struct nested_model model;

static const char *step(struct bytes *in, bool memory_out)
{
    uint8_t how = take8(in);
    unsigned int first = (unsigned int)take(in, 2) % MODEL_PAGES, n = (unsigned int)take(in, 2) % MODEL_PAGES;

    if (how & 4) { /* large pages are rare among random numbers */
        first &= ~511u;
        n = (n | 511u) + 1;
    }
    n = n < MODEL_PAGES - first ? n : MODEL_PAGES - first;
    if (n == 0)
        return NULL;
    if (!(how & 2))
        return model_unmap(&model, how & 1, first, n, memory_out);
    unsigned int rights = 1 + take8(in) % 7;
    uint64_t hpa =
        (how & 8 ? first % 512 * MODEL_PAGE : 0) + take(in, 2) * MODEL_LARGE + (how >> 4) % 2 * MODEL_PAGE;
    return model_map(&model, how & 1, first, n, hpa, rights);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = {data, size};
    uint8_t what = take8(&in);
    bool memory_out = what & 2;
    const char *wrong = NULL;

    fake_host_reset();
    if (memory_out)
        fake_host.page_limit = 1 + take8(&in) % 12;
    if (!model_init(&model, what & 1, !(what & 4)))
        return 0;
    for (unsigned int steps = 0; in.left > 0 && steps < 24 && !wrong; steps++)
        wrong = step(&in, memory_out);
    CHECK(!wrong, "%s", wrong);
    wrong = model_check(&model);
    CHECK(!wrong, "%s", wrong);
    nested_destroy(&model.nested);
    CHECK(fake_host.pages == 0, "%zu tables are not given back", fake_host.pages);
    return 0;
}
