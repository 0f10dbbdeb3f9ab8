#include "kernel/spinlock.h"

#include "arch/x86/percpu.h"
#include "kernel/lock_order.h"

#ifdef ESC_DEBUG

static struct lock_order order;
static bool recording; /* one processor at a time */
static uint32_t held[MAX_CPUS];

void host_lock_taking(enum lock_class class)
{
    uint32_t *mine = &held[this_cpu()->id];
    bool ok;

    while (__atomic_exchange_n(&recording, true, __ATOMIC_ACQUIRE))
        cpu_pause();
    ok = lock_order_take(&order, *mine, class);
    __atomic_store_n(&recording, false, __ATOMIC_RELEASE);
    ASSERT(ok); /* else: kernel/lock_order.h */
    *mine |= 1u << class;
}

void host_lock_given_back(enum lock_class class)
{
    held[this_cpu()->id] &= ~(1u << class);
}

#endif
