/* A local APIC's registers as MSRs 800h-83Fh, in x2APIC mode (SDM vol. 3, 10.12). What they hold and do is
 * that of the register page (vmm/lapic_regs.h); reserved registers and bits fault here. */
#ifndef VMM_LAPIC_X2_H
#define VMM_LAPIC_X2_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/lapic.h"

#define MSR_X2APIC_FIRST 0x800u
#define MSR_X2APIC_EOI   0x80bu
#define MSR_X2APIC_LAST  0x8ffu /* reserved from 840h on */

/* False: #GP(0), nothing has changed: not in x2APIC mode, no such register, write-only or read-only, reserved
 * bits. msr is in [MSR_X2APIC_FIRST, MSR_X2APIC_LAST]. */
bool lapic_x2_read(struct lapic *l, uint32_t msr, uint64_t *value);
bool lapic_x2_write(struct lapic *l, uint32_t msr, uint64_t value, struct lapic_effect *effect);

#endif
