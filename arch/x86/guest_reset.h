/* A guest processor's registers after power-up (SDM vol. 3, table 10-1, 9-1 in older editions; APM vol. 2,
 * table 14-1). */
#ifndef ARCH_X86_GUEST_RESET_H
#define ARCH_X86_GUEST_RESET_H

#include "vmm/backend.h"

#define GUEST_DR6_RESET 0xffff0ff0ull

/* Segments, control registers and MSRs through the backend's set_segment and set_reg; RIP and RFLAGS.
 * DR0-DR3, DR6 and the FPU are the backend's own. */
void guest_reset(const struct hv_ops *ops, struct vcpu *vcpu);

#endif
