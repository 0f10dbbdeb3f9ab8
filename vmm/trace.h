/* The trace: what happened when, as records of one size in two rings of each processor. What tells of time is
 * always recorded. A full trace (trace=full, trace=dump) adds what happens 100,000 times a second in a guest
 * that polls a clock (EXIT, READ, INJECT, in a ring of their own, lest they push out the few others), and
 * what the physical timer does (IDLE, ALARM, FIRE). A ring overwrites its oldest; what was lost is the
 * difference of `next` and its size. kernel/trace.c owns the rings and brings them out, tools/trace reads
 * them (docs/debugging.md). Host builds have a ring of their own (tests/unit/support/fake_host.c), so unit
 * tests see the same records.
 *
 * No record holds an address of the host: the same run leaves the same trace. */
#ifndef VMM_TRACE_H
#define VMM_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct exit_record;
struct vcpu;
struct vm;

/* What a record tells, and its fields: `at`, `value`, `arg`. The numbers are the file format's: new ones go
 * to the end (tools/traceview/records.py has the same table). RT and AT in ticks. "mode" is an enum vt_mode
 * in the bits of TRACE_MODE_SHIFT. */
enum trace_kind {
    TRACE_ARM = 1,     /* a virtual timer is armed: its next event; its period in whole AT, 0: one-shot */
    TRACE_DISARM = 2,  /* ... disarmed: AT */
    TRACE_CANCEL = 3,  /* ... either way, with events pending: AT; how many */
    TRACE_DELIVER = 4, /* an event: its AT; RT behind its NRT (signed); mode, and RT from when it was due to
                          when it was delivered */
    TRACE_MERGE = 5,   /* the same of an event that the guest itself has merged with an earlier one */
    TRACE_DROP = 6,    /* events lost in a leap, or by missed=: AT; how many */
    TRACE_LEAP = 7,    /* AT after the leap; how far it was */
    TRACE_DECIDE = 8,  /* figure 5C with another answer than the last: AT; RT_N (RT_NEVER: none), rounded
                          down; mode, and the rate in 1/4096 */
    TRACE_READ = 9,    /* the guest has accessed a clock or timer while AT was on no line of slope one: the AT
                          that it saw (on the line EXIT says it) */
    TRACE_LOSE = 10,   /* AT stands still: the VM has lost the processor, or is paused: AT */
    TRACE_RESUME = 11, /* AT goes on: AT */
    TRACE_INJECT = 12, /* an interrupt went to the backend: enum inject_result; vector */
    TRACE_ACK = 13,    /* a controller's interrupt was acknowledged: 1 if it was the PIC's; vector */
    TRACE_EXIT = 14,   /* the vendor's qualification; guest RIP; enum exit_kind */
    TRACE_RUN = 15,    /* a vCPU has the processor: -; RT at which its slice ends */
    TRACE_STOP = 16,   /* ... no longer: enum run_stop */
    TRACE_IDLE = 17,   /* nobody can run: the processor halts */
    TRACE_ALARM = 18,  /* the physical timer is armed: -; for this RT (RT_NEVER: disarmed) */
    TRACE_FIRE = 19,   /* it has gone off, and this is when the processor's round has seen it */
    TRACE_NAME = 20,   /* `at` and `value` hold the name of the timer, or of the VM (TRACE_NO_TIMER) */
    TRACE_LEDGER = 21, /* two counts of the ledger; arg: which, enum trace_ledger */
    TRACE_KINDS
};

/* The pairs of counts of TRACE_LEDGER, `at` and `value`: timers/ledger.h. */
enum trace_ledger {
    TRACE_DUE_DELIVERED, /* of a timer */
    TRACE_MERGED_DROPPED,
    TRACE_CANCELLED_PENDING,
    TRACE_ELAPSED_AT, /* of the VM (TRACE_NO_TIMER) */
    TRACE_RUN_LEAPT,
    TRACE_LAG_PAUSED,
    TRACE_LEAPS_CATCHUPS,
    TRACE_MAX_LAG_LATENCY,
};

#define TRACE_NO_TIMER   0xFFu
#define TRACE_NO_VM      0xFFu
#define TRACE_MODE_SHIFT 30          /* arg of DELIVER, MERGE and DECIDE: the mode in the two highest bits, */
#define TRACE_REST       0x3FFFFFFFu /* and a number in the others, at most this */
#define TRACE_RATE_ONE   4096u
#define TRACE_NAME_MAX   16 /* bytes of TRACE_NAME, filled up with zeroes */

struct trace_record {
    uint64_t rt; /* host TSC; in a ring hardly ever below the one before */
    uint64_t at;
    uint64_t value;
    uint32_t arg;
    uint32_t who; /* enum trace_kind | VM << 8 | vCPU << 16 | timer << 24 */
};
_Static_assert(sizeof(struct trace_record) == 32, "the file format, and four shifts");

struct trace_ring {
    struct trace_record *records;
    uint64_t mask; /* size less one; a power of two */
    uint64_t next; /* records ever written */
};

static inline uint32_t trace_who(unsigned int vm, unsigned int vcpu, unsigned int timer)
{
    return (uint32_t)(vm << 8 | vcpu << 16 | timer << 24);
}

/* One record: some eighteen instructions. From the ring's own processor only, not from its interrupts. */
static inline void trace_put(struct trace_ring *ring, uint32_t who, enum trace_kind kind, uint64_t rt,
                             uint64_t at, uint64_t value, uint32_t arg)
{
    struct trace_record *r = &ring->records[ring->next++ & ring->mask];

    r->rt = rt;
    r->at = at;
    r->value = value;
    r->arg = arg;
    r->who = who | kind;
}

struct trace_rings {
    struct trace_ring events; /* everything but */
    struct trace_ring exits;  /* EXIT, READ, INJECT */
    bool full;                /* whether those, and IDLE, ALARM and FIRE, are to be recorded */
};

/* Those of the calling processor; never NULL (with trace=off they keep nothing). */
struct trace_rings *host_trace(void);

/* Has the VM's time traced from now on (after vtime_init). */
void trace_vm_time(struct vm *vm);

/* Writes the VM's name, those of its timers, and its ledger, at the latched RT_C: once at its end, and before
 * a dump. They are all that makes numbers of the other records readable, so they come last and stay longest.
 */
void trace_vm_account(struct vm *vm);

#endif
