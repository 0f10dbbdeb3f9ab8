/* Runs a scenario on the real coordinator; its policy may say `naive` (figure 3B, [0061]-[0066]). */
#ifndef TIMESIM_SIMULATE_H
#define TIMESIM_SIMULATE_H

#include <stddef.h>
#include <stdint.h>

#include "scenario.h"
#include "timers/ledger.h"

/* ROW_POINT is no row of the table: where AT is when the VM gets or loses the processor, for the drawing. */
enum row_kind { ROW_EVENT, ROW_READ, ROW_DROP, ROW_POINT };

/* One incident. `timer` is an index, or ROW_NO_TIMER. */
struct row {
    uint64_t rt;
    uint64_t at;
    enum row_kind kind;
    size_t timer;
    enum vt_mode mode;
    uint64_t dropped; /* ROW_DROP: how many ticks */
};

#define ROW_NO_TIMER SIZE_MAX

struct row_sink {
    void (*row)(void *ctx, const struct row *row);
    void *ctx;
};

/* How it ended. `ticks` has one entry for each timer. */
struct result {
    struct vt_ledger ledger;
    struct vt_ticks *ticks;
    bool balances;
};

/* The caller frees result->ticks. */
void simulate(const struct scenario *s, const struct row_sink *sink, struct result *result);

#endif
