/* A tick that interrupts-off does not keep out: channel 0 of the PIT through the IOAPIC as an NMI to the boot
 * processor, 18.2 times a second. For the watchdog (kernel/watchdog.h). */
#ifndef ARCH_X86_NMI_TICK_H
#define ARCH_X86_NMI_TICK_H

#include <stdbool.h>

/* Needs acpi_init(), apic_init() and the handler of NMIs. False: the machine has no IOAPIC that ACPI names.
 */
bool nmi_tick_start(void);
void nmi_tick_stop(void);

#endif
