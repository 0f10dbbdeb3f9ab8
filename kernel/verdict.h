/* The end: how the machine is left (DESIGN.md section 4, "End"). */
#ifndef KERNEL_VERDICT_H
#define KERNEL_VERDICT_H

/* What isa-debug-exit is given; QEMU's exit status is (code << 1) | 1: 33, 35, 37. */
#define VERDICT_CODE_OK     0x10
#define VERDICT_CODE_FAILED 0x11
#define VERDICT_CODE_PANIC  0x12

enum verdict { VERDICT_OK, VERDICT_FAILED, VERDICT_PANIC };

/* Drains the console and leaves: isa-debug-exit with 10h, 11h or 12h; Bochs port 8900h; ACPI power-off; else
 * halts. */
_Noreturn void verdict_leave(enum verdict verdict);

#endif
