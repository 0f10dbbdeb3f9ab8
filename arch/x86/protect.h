/* What the processor offers to keep this kernel from its own mistakes: beside W^X, NX and guard pages
 * (paging.h), CR4's SMEP, SMAP and UMIP, and the compiler's stack protector. */
#ifndef ARCH_X86_PROTECT_H
#define ARCH_X86_PROTECT_H

#include <stddef.h>
#include <stdint.h>

/* What the compiler puts between a function's arrays and its way back (-fstack-protector-strong). Chosen in
 * boot/entry.asm, before the first C function: from the TSC, and RDRAND where there is one, without a loop,
 * so that as many instructions go by whatever comes out. Its lowest byte is zero: a string does not copy over
 * it. No output depends on it. */
extern uint64_t __stack_chk_guard;

/* On each processor, after paging_init(). No page is a user's, so none of the three can ever be met by
 * correct code. */
void protect_cpu(void);

/* "SMEP, SMAP, UMIP", as far as this processor has them. */
void protect_describe(char *text, size_t size);

#endif
