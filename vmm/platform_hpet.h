/* The HPET in the virtual PC: its registers' page, its wires, and the switch by which it takes IRQ 0 and IRQ
 * 8 from the PIT and the RTC (IA-PC HPET Specification 1.0a, 2.3.5). For vmm/platform.c. */
#ifndef VMM_PLATFORM_HPET_H
#define VMM_PLATFORM_HPET_H

#include "timers/line.h"

struct vm;

/* IRQ 0 for the PIT, IRQ 8 for the RTC: cut off, and masked to their eyes, while the HPET stands in. */
struct vt_line platform_replaceable_line(struct vm *vm, unsigned int irq);

/* Nothing at all with hpet=off. */
void platform_hpet_init(struct vm *vm);
void platform_hpet_reset(struct vm *vm);

#endif
