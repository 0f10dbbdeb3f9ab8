/* Which processors the machine has: the local APICs of ACPI's MADT (ACPI 6.4, 5.2.12). Pure: the table is
 * found elsewhere (acpi.h), so this compiles natively for its test. */
#ifndef ARCH_X86_MADT_H
#define ARCH_X86_MADT_H

#include <stdint.h>

/* The APIC ids of the processors that are enabled, in the table's order and each once, at most `max` of them
 * into `ids`. `length` is the table's own. Entries that do not fit into the table, or are too short for their
 * kind, end the list: it is the firmware's, and nothing in it is to be trusted. */
unsigned int madt_processors(const void *table, uint32_t length, uint32_t *ids, unsigned int max);

#endif
