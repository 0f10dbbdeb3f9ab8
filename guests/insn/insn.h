/* Parts of the instruction guest. */
#ifndef GUESTS_INSN_INSN_H
#define GUESTS_INSN_INSN_H

#include <stdint.h>

/* #UD and #GP end insn_run() from now on. */
void insn_faults_init(void);
/* Executes machine code and RET, with RAX; returns RAX. */
uint64_t insn_run(const void *bytes, unsigned int n, uint64_t rax);
/* Goes to code that ends in a fault; where it was. */
void insn_jump(uint64_t address);
uint64_t insn_caught_at(void);
/* The vector of the fault in the latest insn_run(), 0: none. */
uint64_t insn_caught(void);
/* The RFLAGS that it pushed. */
uint64_t insn_caught_rflags(void);

/* read_NAME() and write_NAME() of a control or debug register. */
#define INSN_REGISTER(reg)                                                                                   \
    static uint64_t read_##reg(void)                                                                         \
    {                                                                                                        \
        uint64_t value;                                                                                      \
        __asm__ volatile("movq %%" #reg ", %0" : "=r"(value) : : "memory");                                  \
        return value;                                                                                        \
    }                                                                                                        \
    static void write_##reg(uint64_t value)                                                                  \
    {                                                                                                        \
        __asm__ volatile("movq %0, %%" #reg : : "r"(value) : "memory");                                      \
    }

void insn_control_registers(void);
void insn_debug(void);
void insn_nmi(void);
void insn_steps(void);
void insn_xsave(void);
void insn_msrs(void);

#endif
