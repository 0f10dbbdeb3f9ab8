/* A guest that misbehaves in one way at a time (main.c holds the table). */
#ifndef GUESTS_HOSTILE_HOSTILE_H
#define GUESTS_HOSTILE_HOSTILE_H

#include <stdint.h>

struct plan {
    uint64_t seconds; /* seconds=, default 1 */
    uint64_t exit;    /* exit=, default 0 */
    uint64_t tsc_hz;
    uint64_t seed; /* seed=, default 1 */
};

/* Each mode ends the machine itself or returns its exit code. */
int hostile_ports(const struct plan *plan);
int hostile_msrs(const struct plan *plan);
int hostile_memory(const struct plan *plan);
int hostile_ticks(const struct plan *plan);
int hostile_deaf_ticks(const struct plan *plan);
int hostile_terminal(const struct plan *plan);
int hostile_registers(const struct plan *plan);
int hostile_storms(const struct plan *plan);
int hostile_edges(const struct plan *plan);
int hostile_leak(const struct plan *plan);
/* Page tables, descriptor tables and stacks that are not there: none comes back. */
int hostile_tables_self(const struct plan *plan);
int hostile_tables_device(const struct plan *plan);
int hostile_tables_nowhere(const struct plan *plan);
int hostile_tables_reserved(const struct plan *plan);
int hostile_gdt(const struct plan *plan);
int hostile_stack(const struct plan *plan);
int hostile_code_device(const struct plan *plan);
int hostile_idt_device(const struct plan *plan);

#endif
