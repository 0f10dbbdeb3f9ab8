/* The end: how the machine is left (DESIGN.md section 4, "End"). */
#ifndef KERNEL_VERDICT_H
#define KERNEL_VERDICT_H

enum verdict { VERDICT_OK, VERDICT_FAILED, VERDICT_PANIC };

/* Drains the console and leaves: isa-debug-exit with 10h, 11h or 12h; Bochs port 8900h; ACPI power-off; else
 * halts. */
_Noreturn void verdict_leave(enum verdict verdict);

#endif
