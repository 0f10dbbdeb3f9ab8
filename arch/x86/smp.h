/* Starting the machine's other processors (SDM vol. 3, 9.4; DESIGN.md 3). */
#ifndef ARCH_X86_SMP_H
#define ARCH_X86_SMP_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/multiboot.h"

struct percpu;

/* APIC ids of the processors that the firmware tells of, but for the calling one, in its order; at most
 * `max`. 0 without ACPI. */
unsigned int smp_others(uint32_t *ids, unsigned int max);

/* Finds a page below 1 MiB to start processors from. False: there is none. Boot processor, once. */
bool smp_prepare(const struct boot_info *boot);

/* Starts the processor with this APIC id as the next number: INIT, SIPI and, if it is slow, another SIPI. It
 * gets stacks, descriptors, paging and PAT as the boot processor has them, its local APIC switched on, and
 * calls fn with interrupts disabled on its own stack; fn does not return. NULL: it does not answer, or memory
 * is out (*why says which). Boot processor; one at a time. */
struct percpu *smp_start(uint32_t apic_id, void (*fn)(void), const char **why);

/* Puts a processor that has been started, and that is of no use, out of action: it waits for another SIPI.
 * Its number is free again if it is the last. */
void smp_dismiss(struct percpu *cpu);

/* Puts back what was on the page below 1 MiB. After the last smp_start(). */
void smp_finish(void);

#endif
