/* Locks between processors: fair (tickets), spinning, for some hundred instructions at most. A holder keeps
 * its interrupts disabled. Debug kernels record in which order they are taken and assert that the order is
 * always the same one (kernel/lock_order.h).
 *
 * What a processor's round works on (its scheduler, its coordinator, the VMs that are at home there) has no
 * lock: it is that processor's alone, and others ask it by a request (kernel/request.h). */
#ifndef KERNEL_SPINLOCK_H
#define KERNEL_SPINLOCK_H

#include <stdint.h>

#include "arch/x86/cpu.h"
#include "kernel/lock_order.h"

struct spinlock {
    uint32_t next; /* ticket to be drawn */
    uint32_t serving;
    enum lock_class class;
};

/* spinlock.c's: the lock is somebody else's; what debug kernels record. */
void spinlock_wait(const struct spinlock *l, uint32_t ticket);
#ifdef ESC_DEBUG
void spinlock_record_take(enum lock_class class);
void spinlock_record_release(enum lock_class class);
#else
static inline void spinlock_record_take(enum lock_class class)
{
    (void)class;
}

static inline void spinlock_record_release(enum lock_class class)
{
    (void)class;
}
#endif

/* Disables interrupts and waits for the lock; returns the flags for spinlock_release(). Any context but NMI.
 * Not for a lock that the processor holds. */
static inline uint64_t spinlock_take(struct spinlock *l)
{
    uint64_t flags = irq_save();
    uint32_t ticket;

    spinlock_record_take(l->class);
    ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQUIRE);
    if (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
        spinlock_wait(l, ticket);
    return flags;
}

static inline void spinlock_release(struct spinlock *l, uint64_t flags)
{
    __atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
    spinlock_record_release(l->class);
    irq_restore(flags);
}

/* In a panic, when the other processors have been stopped: whoever held a lock does not matter any more. From
 * now on no lock is waited for. */
void spinlock_break_all(void);

#endif
