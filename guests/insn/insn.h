/* Parts of the instruction guest. */
#ifndef GUESTS_INSN_INSN_H
#define GUESTS_INSN_INSN_H

#include <stdint.h>

/* #UD and #GP end insn_run() from now on. */
void insn_faults_init(void);
/* Executes machine code and RET, with RAX; returns RAX. */
uint64_t insn_run(const void *bytes, unsigned int n, uint64_t rax);
/* The vector of the fault in the latest insn_run(), 0: none. */
uint64_t insn_caught(void);

void insn_control_registers(void);
void insn_debug(void);
void insn_xsave(void);

#endif
