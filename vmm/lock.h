/* The lock of a VM with several vCPUs: held from an exit to the next entry while the exit is carried out,
 * never while the guest runs. Fair: tickets, served in the order in which they were drawn. A VM of one vCPU
 * has none.
 *
 * It is a sequence counter, too: as long as no ticket is drawn nothing of the VM changes, so who only looks
 * takes no lock, and looks again, with the lock, if a ticket has been drawn meanwhile. */
#ifndef VMM_LOCK_H
#define VMM_LOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/host.h"

struct vm_lock {
    uint32_t next;    /* the ticket to be drawn */
    uint32_t serving; /* the ticket that has the lock, or will have it */
};

/* Waits for the lock. Host interrupts are disabled; not for who holds it. */
static inline void lock_take(struct vm_lock *l)
{
    uint32_t mine = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQ_REL);

    while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != mine)
        host_relax();
}

static inline void lock_release(struct vm_lock *l)
{
    __atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}

static inline bool lock_is_held(const struct vm_lock *l)
{
    return __atomic_load_n(&l->next, __ATOMIC_RELAXED) != __atomic_load_n(&l->serving, __ATOMIC_RELAXED);
}

/* Begins a look without the lock: false if it is held. */
static inline bool lock_look(const struct vm_lock *l, uint32_t *ticket)
{
    *ticket = __atomic_load_n(&l->serving, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&l->next, __ATOMIC_ACQUIRE) == *ticket;
}

/* True if what was seen since is of one moment: nobody has drawn a ticket. */
static inline bool lock_looked(const struct vm_lock *l, uint32_t ticket)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&l->next, __ATOMIC_RELAXED) == ticket;
}

#endif
