/* A guest that misbehaves in one way at a time (main.c holds the table). */
#ifndef GUESTS_HOSTILE_HOSTILE_H
#define GUESTS_HOSTILE_HOSTILE_H

#include <stdint.h>

struct plan {
    uint64_t seconds; /* seconds=, default 1 */
    uint64_t exit;    /* exit=, default 0 */
    uint64_t tsc_hz;
};

/* Each mode ends the machine itself or returns its exit code. */
int hostile_ports(const struct plan *plan);
int hostile_msrs(const struct plan *plan);
int hostile_memory(const struct plan *plan);
int hostile_ticks(const struct plan *plan);
int hostile_terminal(const struct plan *plan);

#endif
