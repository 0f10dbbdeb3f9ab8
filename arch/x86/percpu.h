/* What belongs to one processor, reached through the GS base. */
#ifndef ARCH_X86_PERCPU_H
#define ARCH_X86_PERCPU_H

#include <stddef.h>
#include <stdint.h>

#include "arch/x86/descriptors.h"

#define MAX_CPUS       64
#define STACK_SIZE     16384 /* the main stack of a processor */
#define IST_STACK_SIZE 8192  /* each of its interrupt stack table */
#define GUARD_SIZE     4096  /* below each stack a page that is not mapped */

struct processor;
struct vcpu;
struct vm;

struct percpu {
    struct percpu *self; /* at GS:0 (offset used by this_cpu) */
    unsigned int id;     /* 0.. in order of start */
    uint32_t apic_id;

    struct vcpu *vcpu;           /* the virtual CPU that runs or ran last here: scheduler's and backend's */
    const struct vm *last_vm;    /* whose guest ran here last (mitigate.h) */
    void *hv;                    /* the backend's own per-processor state (VMXON region, ...) */
    struct processor *processor; /* kernel/processor.c's */

    uint64_t nmis;       /* NMIs taken in the host */
    uint64_t interrupts; /* device and LAPIC interrupts taken */
    uint64_t spurious;   /* spurious LAPIC and PIC interrupts */

    uint64_t timer_deadline; /* LAPIC timer: armed for this RT; UINT64_MAX: not armed */

    struct tss tss;
    uint64_t gdt[GDT_ENTRIES];
};
_Static_assert(offsetof(struct percpu, self) == 0, "this_cpu reads GS:0");

/* The calling processor's own. Valid after descriptors_init(). */
static inline struct percpu *this_cpu(void)
{
    struct percpu *p;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(p));
    return p;
}

/* The processor with number id (id < percpu_count()). */
struct percpu *percpu_of(unsigned int id);

/* How many processors there are: their numbers are 0.. */
unsigned int percpu_count(void);

/* Top of a processor's main stack (0) or of one of its IST stacks (1..IST_STACKS). */
uint64_t percpu_stack_top(unsigned int id, unsigned int stack);

/* Address of the guard page below it. */
uint64_t percpu_guard(unsigned int id, unsigned int stack);

/* Makes processor 0's percpu the calling processor's: descriptors and GS base. */
void percpu_init_boot(void);

/* The next number's, with stacks; NULL: memory is out, or there are MAX_CPUS. Boot processor, at start, as is
 * percpu_forget(): the number made last is free again. */
struct percpu *percpu_create(void);
void percpu_forget(struct percpu *cpu);

/* The top of the stack that `address` lies in, 0 if it is in none: how far a back-trace may read. */
uint64_t percpu_stack_end(uint64_t address);

#endif
