/* The DSDT's body: what a VM's ACPI name space holds, as AML (ACPI 6.4, chapter 20). */
#ifndef VMM_DSDT_H
#define VMM_DSDT_H

#include <stdbool.h>

struct blob;

/* Appends the definition block's terms (without the table's header): \_S5, processors, ISA devices, and the
 * HPET where there is one. */
void dsdt_body(struct blob *b, unsigned int cpus, bool hpet);

#endif
