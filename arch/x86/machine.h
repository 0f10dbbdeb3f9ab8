/* What kind of machine this is, found out without disturbing a real one, and how to leave it. */
#ifndef ARCH_X86_MACHINE_H
#define ARCH_X86_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

enum machine {
    MACHINE_PC,         /* a real one, or an emulator that does not show: ACPI power-off */
    MACHINE_BOCHS,      /* port 8900h */
    MACHINE_QEMU,       /* without isa-debug-exit: ACPI power-off */
    MACHINE_QEMU_DEBUG, /* isa-debug-exit at port F4h */
};

/* Once, after acpi_init(). */
void machine_detect(void);
enum machine machine_kind(void);
const char *machine_name(void);

/* True if CPUID names this hypervisor (leaf 40000000h, 12 bytes). Any time. */
bool machine_hypervisor_is(const char *signature);

/* Leaves by the machine's own way: QEMU exits with status (code << 1) | 1; the others switch off. Without any
 * way out the processor halts. */
_Noreturn void machine_leave(uint8_t code);

#endif
