/* What vmm/platform.c and vmm/platform_ports.c need of the interrupt wiring (vmm/platform_irq.c). */
#ifndef VMM_PLATFORM_IRQ_H
#define VMM_PLATFORM_IRQ_H

#include "timers/line.h"
#include "vmm/apic_message.h"

struct vm;

/* ISA line irq, for a device. */
struct vt_line platform_line(struct vm *vm, unsigned int irq);
/* An IOAPIC input that no ISA line has, for a device. */
struct vt_line platform_gsi_line(struct vm *vm, unsigned int gsi);
/* Gives the PIC's INT output, if it has changed, to where it is wired. After every access to the PIC. False:
 * INT was low before and is now, so nothing can be taken from the PIC. */
bool platform_sync_intr(struct vm *vm);
/* The IOAPIC's way to the local APICs; ctx is the VM. */
enum apic_result platform_send(void *ctx, const struct apic_message *message);

#endif
