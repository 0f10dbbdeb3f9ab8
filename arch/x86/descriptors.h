/* GDT, TSS and IDT of one processor (SDM vol. 3, chapters 3, 6 and 8). */
#ifndef ARCH_X86_DESCRIPTORS_H
#define ARCH_X86_DESCRIPTORS_H

#include <stdint.h>

/* Selectors. VMX wants the host's TR non-null and RPL 0 everywhere (SDM vol. 3, 27.2.3). */
#define SEL_CODE64  0x08
#define SEL_DATA    0x10
#define SEL_TSS     0x18 /* takes two entries */
#define GDT_ENTRIES 5

/* Interrupt stack table entries: exceptions that must not trust the stack they hit. */
#define IST_DOUBLE_FAULT  1
#define IST_NMI           2
#define IST_MACHINE_CHECK 3
#define IST_STACKS        3

struct __attribute__((packed)) tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* IST n is ist[n - 1] */
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t iomap;
};
_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3, figure 8-11");

struct percpu;

/* Loads GDT, TSS and the common IDT on the calling processor and points GS at its percpu. VMX's exit loads
 * the GDT and IDT limits with FFFFh: harmless, the tables end in pages of their own. */
void descriptors_init(struct percpu *cpu);

#endif
