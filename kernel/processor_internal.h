/* What the files about processors share: processor.c (the round), spread.c (which VM is where), smp.c (start,
 * kicks, requests). For nobody else. */
#ifndef KERNEL_PROCESSOR_INTERNAL_H
#define KERNEL_PROCESSOR_INTERNAL_H

#include <stdbool.h>

#include "arch/x86/percpu.h"
#include "kernel/guests.h"
#include "kernel/request.h"
#include "kernel/sched.h"
#include "timers/coordinator.h"

struct processor {
    unsigned int id; /* as in struct percpu */
    struct sched sched;
    struct coordinator deadlines;
    rt_t slice_end;          /* of the vCPU that runs, or ran last */
    struct deadline console; /* a guest's unfinished line is to be flushed */
    uint64_t turns;          /* of the loop */
    rt_t looked;             /* at the clock */
    bool each;               /* monitor=each */
    rt_t next_look;          /* at the console */
    rt_t looked_at_console;  /* the end of the last look */
    rt_t next_scrub;         /* step of clearing what ended VMs have left */
    struct vcpu *loaded;     /* whose state is in the processor */
    struct vcpu *dropped;    /* was, until something else had to be done: it has lost the processor */
    rt_t left;               /* the last guest's last exit, or the end of idling */
    bool resched;            /* a vCPU ought to run before the present one: */
    struct vcpu *yield_to;   /* a sibling in its stead; NULL: one that was woken, */
    bool gives_up;           /* or whoever waits: it has no use for its slice */
    volatile bool attention; /* the console has input that nobody has looked at, or another processor has put
                                something into the inbox. Anybody sets it, the round clears it */
    struct inbox inbox;
    unsigned int vms;    /* that have a vCPU here and have not ended; atomic */
    unsigned int rated;  /* for as many are the rates */
    uint64_t switches;   /* to another vCPU than the last */
    rt_t asked;          /* when it last asked another for work, */
    rt_t next_level;     /* and when it looks next whether it has more than others; */
    unsigned int uneven; /* looks in a row that have found it so */
    rt_t idle_since;     /* 0: it has something to run. Others look at it, too */
    uint64_t arrivals;   /* vCPUs taken over from other processors */
};

/* The processor with this number; the calling one, after its processor_init(). */
struct processor *processor_of(unsigned int id);
static inline struct processor *this_processor(void)
{
    return this_cpu()->processor;
}

/* ---- processor.c; on the processor's own, between two runs ---- */

/* Takes the loaded vCPU out of it. */
void processor_unload(struct processor *p);
/* A halted VM's deadline has come, or input for it, or it goes on after a pause: what is due is delivered,
 * and whoever can run is made runnable. */
void processor_poll(struct processor *p, struct vm *vm, rt_t now);
/* The deadline on this processor of a VM that does not run: of a halted one the RT_N that wakes it; RT_NEVER:
 * none. */
void processor_wake_at(struct processor *p, struct vm *vm, rt_t rt);
#endif
