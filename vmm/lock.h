/* The lock between processors: fair (tickets, served in the order in which they were drawn), spinning, held
 * for some hundred instructions at most. That of a VM with several vCPUs is held from an exit to the next
 * entry while the exit is carried out, never while the guest runs; a VM of one vCPU has none. The kernel's
 * own (kernel/spinlock.h) are taken with interrupts disabled, too.
 *
 * It is a sequence counter, too: as long as no ticket is drawn nothing of what it guards changes, so who only
 * looks takes no lock, and looks again, with the lock, if a ticket has been drawn meanwhile.
 *
 * Debug kernels record in which order locks are taken, and assert that it is always the same
 * (kernel/lock_order.h). */
#ifndef VMM_LOCK_H
#define VMM_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/host.h"

/* All locks of one class count as one: a processor holds no two of them at a time. */
enum lock_class {
    LOCK_VM,      /* a VM's: the outermost of all */
    LOCK_CONSOLE, /* the console's ring, input and port (kernel/console.c) */
    LOCK_PAGES,   /* physical pages (kernel/host.c) */
    LOCK_CLASSES
};

struct lock {
    uint32_t next;    /* the ticket to be drawn */
    uint32_t serving; /* the ticket that has the lock, or will have it */
    enum lock_class class;
};

#ifdef ESC_DEBUG
/* The calling processor is about to take a lock of this class; it has given one back. */
void host_lock_taking(enum lock_class class);
void host_lock_given_back(enum lock_class class);
#else
static inline void host_lock_taking(enum lock_class class)
{
    (void)class;
}
static inline void host_lock_given_back(enum lock_class class)
{
    (void)class;
}
#endif

/* Waits for the lock. Host interrupts are disabled; not for who holds it. */
static inline void lock_take(struct lock *l)
{
    uint32_t mine;

    host_lock_taking(l->class);
    mine = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQ_REL);
    while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != mine)
        host_relax();
}

static inline void lock_release(struct lock *l)
{
    host_lock_given_back(l->class);
    __atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}

static inline bool lock_is_held(const struct lock *l)
{
    return __atomic_load_n(&l->next, __ATOMIC_RELAXED) != __atomic_load_n(&l->serving, __ATOMIC_RELAXED);
}

/* Begins a look without the lock: false if it is held. */
static inline bool lock_look(const struct lock *l, uint32_t *ticket)
{
    *ticket = __atomic_load_n(&l->serving, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&l->next, __ATOMIC_ACQUIRE) == *ticket;
}

/* True if what was seen since is of one moment: nobody has drawn a ticket. */
static inline bool lock_looked(const struct lock *l, uint32_t ticket)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&l->next, __ATOMIC_RELAXED) == ticket;
}

#endif
