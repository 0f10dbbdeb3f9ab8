/* INS and OUTS, with and without REP (SDM vol. 2). */
#ifndef VMM_STRING_IO_H
#define VMM_STRING_IO_H

struct vcpu;
struct exit_record;

/* Iterations done in one go: then RIP stays at the instruction with RCX, RSI and RDI advanced, as when an
 * interrupt comes between two iterations, and the guest executes it again. */
#define STRING_IO_CHUNK 64

void string_io(struct vcpu *vcpu, const struct exit_record *exit);

#endif
