/* Exit codes: their names, what they are in neutral words, what goes with each, and the pure part of their
 * decoding (APM vol. 2, appendix C). */
#ifndef ARCH_X86_SVM_CODES_H
#define ARCH_X86_SVM_CODES_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/exit.h"

struct vcpu_regs;
struct vmcb;

#define CODE_VINTR   0x064u
#define CODE_NPF     0x400u
#define CODE_INVALID 0xffffffffu /* -1; QEMU stores 32 bits of it */

/* What goes with an exit. */
#define X_INSN        (1u << 0) /* an instruction's, which is skipped when it has been carried out */
#define X_NEXT_INFO2  (1u << 1) /* EXITINFO2 is the next RIP, on every processor */
#define X_HOST_WINDOW (1u << 2) /* a host interrupt may be due: take it */
#define X_EXCEPTION   (1u << 3) /* exit.c reflects it */
#define X_IRQ_WINDOW  (1u << 4) /* the window that was asked for has come: do not ask again */
#define X_IRET        (1u << 5) /* the guest is about to leave its NMI handler */
#define X_PLAIN       (1u << 6) /* an instruction's, with nothing to do but to decode it */

struct svm_code {
    const char *name; /* the manual's; NULL: no such code */
    uint8_t flags;
    uint8_t kind; /* enum exit_kind */
    /* Fills u from the VMCB and the guest's registers. assists: EXITINFO1 tells a MOV's register. Pure. */
    void (*decode)(struct exit_record *exit, const struct vmcb *vmcb, const struct vcpu_regs *regs,
                   bool assists);
};

#define SVM_CODES 0xa5u
extern const struct svm_code svm_codes[SVM_CODES]; /* without a name: no such code */
extern const struct svm_code svm_code_npf;
const struct svm_code *svm_code_beyond(uint32_t code);

/* The entry of an exit code (its low 32 bits); one named "unknown code", of kind EXIT_UNEXPECTED, for any
 * other number. */
static inline const struct svm_code *svm_code(uint32_t code)
{
    return code < SVM_CODES && svm_codes[code].name ? &svm_codes[code] : svm_code_beyond(code);
}

#endif
