/* The DSDT's body: what a VM's ACPI name space holds, as AML (ACPI 6.4, chapter 20). */
#ifndef VMM_DSDT_H
#define VMM_DSDT_H

struct blob;

/* Appends the definition block's terms (without the table's header): \_S5, processors, ISA devices. */
void dsdt_body(struct blob *b, unsigned int cpus);

#endif
