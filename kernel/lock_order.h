/* In which order locks are taken. Two processors that take two locks in two orders wait for each other some
 * day; the recorder finds it the first time that both orders have been seen, though nobody waited. Pure, for
 * the native test. The caller serialises (kernel/spinlock.c). */
#ifndef KERNEL_LOCK_ORDER_H
#define KERNEL_LOCK_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/lock.h"

struct lock_order {
    uint32_t after[LOCK_CLASSES]; /* bit b of after[a]: b has been taken while a was held, at once or by way
                                     of others */
};

/* A processor that holds the classes of the bits `held` takes `class`. False: this order contradicts one that
 * has been seen, or it holds one of that class. */
bool lock_order_take(struct lock_order *o, uint32_t held, enum lock_class class);

#endif
