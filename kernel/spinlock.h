/* The kernel's own locks: vmm/lock.h's, taken with interrupts disabled.
 *
 * What a processor's round works on (its scheduler, its coordinator, the VMs that are at home there) has no
 * lock: it is that processor's alone, and others ask it by a request (kernel/request.h). */
#ifndef KERNEL_SPINLOCK_H
#define KERNEL_SPINLOCK_H

#include <stdint.h>

#include "arch/x86/cpu.h"
#include "vmm/lock.h"

/* Disables interrupts and waits for the lock; returns the flags for spinlock_release(). Any context but NMI.
 * Not for a lock that the processor holds. */
static inline uint64_t spinlock_take(struct lock *l)
{
    uint64_t flags = irq_save();

    lock_take(l);
    return flags;
}

static inline void spinlock_release(struct lock *l, uint64_t flags)
{
    lock_release(l);
    irq_restore(flags);
}

#endif
