/* links: tools/timesim/parse.c tools/timesim/scenario.c tools/timesim/simulate.c */
/* Scenarios of timesim: any text is refused with its line, or runs, and then every ledger balances and rows
 * are in order. tests/unit/fuzz_timesim.py compares well-formed ones with a second implementation. */
#include "tests/fuzz/bytes.h"
#include "tools/timesim/simulate.h"

#define EVENTS_MAX 3000u /* more would take long, and is left out */

static struct row last;

static void on_row(void *ctx, const struct row *row)
{
    (void)ctx;
    CHECK(row->rt >= last.rt && row->at >= last.at, "a row at RT %llu AT %llu after RT %llu AT %llu",
          (unsigned long long)row->rt, (unsigned long long)row->at, (unsigned long long)last.rt,
          (unsigned long long)last.at);
    last = *row;
}

static bool plan_is_short(const struct plan *p, uint64_t end)
{
    return !p->periodic || end / p->period < EVENTS_MAX;
}

static bool is_short(const struct scenario *s)
{
    uint64_t end = s->window_count ? s->windows[s->window_count - 1].to : 0;

    for (size_t i = 0; i < s->timer_count; i++)
        if (!plan_is_short(&s->timers[i].plan, end))
            return false;
    for (size_t i = 0; i < s->directive_count; i++)
        if (s->directives[i].kind == DIRECTIVE_SET && !plan_is_short(&s->directives[i].plan, end))
            return false;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct row_sink sink = {.row = on_row};
    struct result result = {0};
    struct scenario s;
    FILE *errors = stderr, *file = size ? fmemopen((void *)(uintptr_t)data, size, "r") : NULL;
    static FILE *nowhere;

    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    if (!file)
        return 0;
    last = (struct row){0};
    stderr = nowhere; /* what it says of a wrong scenario: too much to be read */
    bool good = scenario_read(file, "fuzz", &s);
    stderr = errors;
    if (good && is_short(&s)) {
        simulate(&s, &sink, &result);
        CHECK(result.balances, "the ledger");
        free(result.ticks);
    }
    scenario_free(&s);
    fclose(file);
    return 0;
}
