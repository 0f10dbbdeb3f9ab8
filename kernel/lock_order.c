#include "kernel/lock_order.h"

/* What comes after b comes after whatever b comes after. */
static void add(struct lock_order *o, unsigned int a, unsigned int b)
{
    uint32_t new = 1u << b | o->after[b];

    for (unsigned int c = 0; c < LOCK_CLASSES; c++) {
        if (c == a || (o->after[c] >> a & 1))
            o->after[c] |= new;
    }
}

bool lock_order_take(struct lock_order *o, uint32_t held, enum lock_class class)
{
    if ((held >> class & 1) || (held & o->after[class]))
        return false;
    for (unsigned int a = 0; a < LOCK_CLASSES; a++) {
        if (held >> a & 1)
            add(o, a, class);
    }
    return true;
}
