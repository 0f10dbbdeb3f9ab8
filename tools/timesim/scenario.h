/* A timesim scenario (DESIGN.md section 4): what the file says, checked and in order of real time. */
#ifndef TIMESIM_SCENARIO_H
#define TIMESIM_SCENARIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "timers/rate.h"

#define SCENARIO_MAX (UINT64_C(1) << 62) /* the largest number in a scenario */

/* How a timer is programmed: periodic, or a list of one-shots that the guest arms one after the other. */
struct plan {
    bool periodic;
    uint64_t period;
    uint64_t *at; /* periodic: the first event alone */
    size_t count;
};

struct plan_timer {
    char *name;
    struct plan plan;
    size_t line;
};

struct window {
    uint64_t from;
    uint64_t to;
    size_t line;
};

enum directive_kind { DIRECTIVE_READ, DIRECTIVE_SET, DIRECTIVE_CLEAR };

struct directive {
    enum directive_kind kind;
    uint64_t rt;
    char *name;       /* SET, CLEAR */
    size_t timer;     /* its index */
    struct plan plan; /* SET */
    size_t line;
};

struct scenario {
    struct vtime_policy policy;
    struct plan_timer *timers;
    size_t timer_count;
    struct window *windows; /* by time, none touching another */
    size_t window_count;
    struct directive *directives; /* by time, then as in the file */
    size_t directive_count;
};

/* Reads and checks a scenario. False after an error, which is then on standard error, with `name` and the
 * line. */
bool scenario_read(FILE *file, const char *name, struct scenario *s);

void scenario_free(struct scenario *s);

#endif
