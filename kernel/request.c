#include "kernel/request.h"

#include <stdbool.h>
#include <stddef.h>

void inbox_put(struct inbox *box, struct request *r)
{
    struct request *newest = __atomic_load_n(&box->newest, __ATOMIC_RELAXED);

    do
        r->next = newest;
    while (!__atomic_compare_exchange_n(&box->newest, &newest, r, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

static struct request *reversed(struct request *r)
{
    struct request *out = NULL;

    while (r != NULL) {
        struct request *next = r->next;

        r->next = out;
        out = r;
        r = next;
    }
    return out;
}

void inbox_serve(struct inbox *box)
{
    struct request *r = reversed(__atomic_exchange_n(&box->newest, NULL, __ATOMIC_ACQUIRE));

    while (r != NULL) {
        struct request *next = r->next; /* carried out, it may be anybody's */

        r->carry_out(r);
        r = next;
    }
}
