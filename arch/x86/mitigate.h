/* Carries out what mitigations.h has chosen. Where nothing is asked for, nothing of it is on the way of an
 * exit: the backends take other entry code (WORK_GUARD, HOST_RIP). */
#ifndef ARCH_X86_MITIGATE_H
#define ARCH_X86_MITIGATE_H

#include <stdbool.h>

#include "arch/x86/mitigations.h"
#include "arch/x86/percpu.h"

struct vm;

/* Set by mitigate_init; entry.asm reads ibrs_exit (offsets checked in mitigate.c). */
extern struct mitigations mitigate;

/* Asks the boot processor and chooses. Once, before any backend is switched on. */
void mitigate_init(enum mitigation_setting setting);

/* On each processor: what is set once. */
void mitigate_cpu(void);

/* Entries and exits need the guarded way. */
static inline bool mitigate_guards(void)
{
    return mitigate.rsb || mitigate.ibrs_exit || mitigate.l1d || mitigate.verw;
}

/* Just before an entry. What is loaded after it is the guest's own registers and this processor's stack. */
void mitigate_entry(void);

void mitigate_other_vm(const struct vm *vm);

/* A vCPU of this VM comes into this processor. */
static inline void mitigate_switch(const struct vm *vm)
{
    if (mitigate.ibpb)
        mitigate_other_vm(vm);
}

/* The VM is gone: its place in memory may be another's next. */
void mitigate_forget(const struct vm *vm);

#endif
