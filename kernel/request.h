/* What one processor asks of another. Each has an inbox; whoever wants something of it, or of a VM that is at
 * home there, puts a request in and kicks it (kernel/smp.h), and its round carries it out, between two runs:
 * no vCPU is in a guest there then. So what belongs to a processor needs no lock. Pure, for the native test.
 */
#ifndef KERNEL_REQUEST_H
#define KERNEL_REQUEST_H

#include <stddef.h>
#include <stdint.h>

struct request {
    struct request *next;
    /* On the processor whose inbox it was in; the request is the caller's again. */
    void (*carry_out)(struct request *r);
};

/* What a request is part of. */
#define request_of(request, type, member) ((type *)((uintptr_t)(request)-offsetof(type, member)))

/* Any number of processors put in, one takes out. */
struct inbox {
    struct request *newest;
};

/* A request is in one inbox at a time. */
void inbox_put(struct inbox *box, struct request *r);

/* Carries out all that are there, in the order in which they came. */
void inbox_serve(struct inbox *box);

#endif
