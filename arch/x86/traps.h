/* Exceptions and interrupts: all 256 vectors end in trap_dispatch(). */
#ifndef ARCH_X86_TRAPS_H
#define ARCH_X86_TRAPS_H

#include <stdint.h>

#define VECTOR_NMI           2
#define VECTOR_DOUBLE_FAULT  8
#define VECTOR_PAGE_FAULT    14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_PIC           0x20 /* the 8259 pair's sixteen */
#define VECTOR_LAPIC_TIMER   0xe0
#define VECTOR_IPI_KICK      0xe1 /* another processor wants something (kernel/smp.h) */
#define VECTOR_LAPIC_ERROR   0xfe
#define VECTOR_SPURIOUS      0xff /* low four bits all ones for old LAPICs (SDM vol. 3, 11.9) */

/* What traps.asm pushes; the layout is known there. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector;
    uint64_t error; /* 0 where the processor pushes none */
    uint64_t rip, cs, rflags, rsp, ss;
};

typedef void (*trap_handler)(struct trap_frame *frame);

/* Gives a device vector (>= 20h) to fn, which runs with interrupts disabled and does its own EOI. At start
 * only. */
void trap_set_handler(uint8_t vector, trap_handler fn);

/* Lets machine checks come as #MC instead of a shutdown, with all banks reporting. On each processor, after
 * descriptors_init(). */
void traps_init(void);

/* Called by traps.asm. Exceptions panic; NMI is counted, or stops the processor; a vector without a handler
 * is counted as spurious.
 */
void trap_dispatch(struct trap_frame *frame);

/* The IDT of all processors, for descriptors_init() and the backends' host state. */
struct descriptor_table;
void trap_idt(struct descriptor_table *out);

/* For a backend whose exit tells of an NMI that the processor has not delivered to the IDT. */
void trap_nmi(void);

/* Who hears of each NMI in the host, beside the count. It may come anywhere: it may not take a lock, nor
 * write what others write. */
void trap_on_nmi(void (*fn)(const struct trap_frame *frame));

/* Name of an exception, "#PF page fault"; "interrupt" from 20h on. */
const char *trap_name(uint64_t vector);

/* Gate stubs, 16 bytes each (traps.asm). */
extern const uint8_t trap_stubs[256][16];

#endif
