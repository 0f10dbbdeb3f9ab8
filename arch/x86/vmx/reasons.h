/* Exit reasons: their names, what they are in neutral words, what has to be read from the VMCS for each, and
 * the pure part of their decoding (SDM vol. 3, appendix C and 28.2.1). */
#ifndef ARCH_X86_VMX_REASONS_H
#define ARCH_X86_VMX_REASONS_H

#include <stdint.h>

#include "vmm/exit.h"

struct vcpu_regs;

#define REASON_ENTRY_MACHINE_CHECK 41u

/* What an exit needs read, and who takes it in hand before the record is out. */
#define R_LENGTH        (1u << 0) /* the VM-exit instruction length is valid */
#define R_QUALIFICATION (1u << 1)
#define R_GPA           (1u << 2) /* the guest-physical address is valid */
#define R_VECTORING     (1u << 3) /* may have interrupted the delivery of another event (28.2.4) */
#define R_HOST_WINDOW   (1u << 4) /* a host interrupt may be due: take it */
#define R_EXCEPTION     (1u << 5) /* exit.c tells exceptions, NMI and machine check apart */
#define R_IRQ_WINDOW    (1u << 6) /* the window that was asked for has come: do not ask again */
#define R_NMI_WINDOW    (1u << 7)
#define R_TASK          (1u << 8) /* exit.c tells which event caused it, if one did */

struct vmx_reason {
    const char *name; /* the manual's; NULL: no such reason */
    uint16_t flags;
    enum exit_kind kind;
    /* Fills u from the qualification and the guest's registers. Pure. */
    void (*decode)(struct exit_record *exit, uint64_t gpa, const struct vcpu_regs *regs);
};

/* The entry of a basic exit reason; one named "unknown reason", of kind EXIT_UNEXPECTED, for any other
 * number. */
const struct vmx_reason *vmx_reason(uint32_t basic);

/* Name of a VM-instruction error number (SDM vol. 3, 31.4). */
const char *vmx_instruction_error_name(uint32_t error);

#endif
