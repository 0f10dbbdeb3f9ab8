#include "kernel/spinlock.h"

#include <stdbool.h>

#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "vmm/host.h"

static bool broken;

#ifdef ESC_DEBUG
static struct lock_order order;
static bool recording; /* one processor at a time */
static uint32_t held[MAX_CPUS];

void spinlock_record_take(enum lock_class class)
{
    uint32_t *mine = &held[this_cpu()->id];
    bool ok;

    while (__atomic_exchange_n(&recording, true, __ATOMIC_ACQUIRE))
        cpu_pause();
    ok = lock_order_take(&order, *mine, class);
    __atomic_store_n(&recording, false, __ATOMIC_RELEASE);
    ASSERT(broken || ok); /* else: kernel/lock_order.h */
    *mine |= 1u << class;
}

void spinlock_record_release(enum lock_class class)
{
    held[this_cpu()->id] &= ~(1u << class);
}
#endif

void spinlock_wait(const struct spinlock *l, uint32_t ticket)
{
    while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket && !broken)
        cpu_pause();
}

void spinlock_break_all(void)
{
    __atomic_store_n(&broken, true, __ATOMIC_SEQ_CST);
}
