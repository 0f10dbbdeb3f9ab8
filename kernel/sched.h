/* Round-robin with a slice, and wake-ups that are quick but never more than the VM's share.
 *
 * Pure policy: no clock, no hardware; the caller says what time was used. One instance for each processor.
 *
 * Each entity gets one budget (a slice) a round. It may use it in pieces: an entity that blocks keeps what is
 * left, and when it wakes it runs next (boost) as long as something is left. When the budget is used up it
 * goes to the tail, with a new one that counts only when its turn comes. So a boosted wake-up is always paid
 * from the VM's own share: an entity that wakes a thousand times a second gets no more than one that never
 * sleeps.
 *
 * Locking: the caller serialises all calls for one instance (its processor, interrupts off). */
#ifndef KERNEL_SCHED_H
#define KERNEL_SCHED_H

#include <stdbool.h>
#include <stdint.h>

enum sched_state { SCHED_BLOCKED, SCHED_READY, SCHED_RUNNING };

struct sched_entity {
    struct sched_entity *next; /* the ready queue */
    enum sched_state state;
    bool boosted;      /* woken within its share: goes before those that wait for their turn */
    uint64_t budget;   /* RT ticks left of this round's slice */
    uint64_t turn;     /* sched.served when its turn began */
    uint64_t ready_at; /* sched.served when it became ready */
    bool waited;       /* when picked: others ran since it was ready */
    bool hurried;      /* when picked: it was boosted */
    uint64_t owed;     /* RT ticks lent at the end of its last slices: taken from the next */
    uint64_t used;     /* RT ticks it has run altogether */
    void *owner;
};

struct sched {
    struct sched_entity *head;
    struct sched_entity *current; /* running, not in the queue */
    struct sched_entity *quitter; /* ran last, and blocked; NULL: the last one did not */
    uint64_t slice;               /* RT ticks */
    uint64_t served;              /* RT ticks given to all entities */
    unsigned int runnable;        /* ready and running ones */
    bool boost;
};

/* slice in RT ticks, at least 1. */
void sched_init(struct sched *s, uint64_t slice, bool boost);

/* A new entity, blocked, with a full slice. */
void sched_add(struct sched *s, struct sched_entity *e, void *owner);

/* A blocked entity can run again. True if it ought to run before the current one. No effect on others. */
bool sched_wake(struct sched *s, struct sched_entity *e);

/* Takes the next entity to run, NULL if there is none; it is current until sched_ran(). There must be no
 * current. */
struct sched_entity *sched_pick(struct sched *s);

/* From the end of the last run to the beginning of the current entity's `ticks` went by. They are paid by who
 * wanted the switch: the current one if it was boosted, else the last one if it blocked. At the end of a
 * slice nobody pays, for each has one. Between sched_pick() and sched_ran(). */
void sched_switched(struct sched *s, uint64_t ticks);

/* Nobody wants the processor: what goes by from now on is paid by nobody. */
void sched_idle(struct sched *s);

/* One that sched_remove() has taken out of another instance (of another processor), and that can run: it goes
 * behind those that wait, with a full slice, and counts as having waited. What it has used stays. */
void sched_adopt(struct sched *s, struct sched_entity *e);

/* A blocked one that sched_remove() has taken out of another instance: it has a full slice, and its turn
 * begins when it wakes. What it has used stays. */
void sched_move(struct sched *s, struct sched_entity *e);

/* Between sched_pick() and sched_ran(). The current entity has used up its slice where it ought not to stop,
 * with something in its hands that others wait for: the slice becomes a little longer, and its next one as
 * much shorter. False: it owes as much as can be lent, an eighth of a slice. */
bool sched_lend(struct sched *s);

/* The current entity ran for `ticks` (RT) and stops: it waits for an event (blocked) or could go on. A budget
 * that is used up puts it at the tail, else it goes on before those that wait for their turn. */
void sched_ran(struct sched *s, uint64_t ticks, bool blocked);

/* e ran last and could go on; it gives its place and what is left of its slice to `to`, which waits for its
 * turn, and takes that one's over. Nothing happens unless both are ready and `to` does not go before it
 * anyway. One that has used nothing yet gives, too: it would be picked again and again, and want to give
 * again. For two that share one account: vCPUs of one VM. */
void sched_swap(struct sched *s, struct sched_entity *e, struct sched_entity *to);

/* e ran last and could go on; it has no use for what is left of its slice: those that wait for their turn go
 * before it. */
void sched_give_up(struct sched *s, struct sched_entity *e);

/* Takes a blocked entity out for good: nothing to do but to forget it. A ready one is unlinked. */
void sched_remove(struct sched *s, struct sched_entity *e);

#endif
