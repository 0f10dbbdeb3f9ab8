/* One comparator of the HPET as a state machine in ticks of the input clock. Source: IA-PC HPET Specification
 * 1.0a, 2.3.8 to 2.3.10. For timers/hpet.c only: it owns the counter, the queue entry and the interrupt.
 *
 * A match is equality: a value that the counter has passed is met again when the counter has turned over,
 * after 2^32 counts for a 32-bit timer (42.9 s), after 2^64 for a 64-bit one. */
#ifndef TIMERS_HPET_COMPARATOR_H
#define TIMERS_HPET_COMPARATOR_H

#include <stdbool.h>
#include <stdint.h>

/* Tn_CONF (2.3.8). */
#define HPET_TN_LEVEL        (1u << 1)
#define HPET_TN_ENABLE       (1u << 2)
#define HPET_TN_PERIODIC     (1u << 3)
#define HPET_TN_PERIODIC_CAP (1u << 4)
#define HPET_TN_SIZE_CAP     (1u << 5)
#define HPET_TN_VAL_SET      (1u << 6)
#define HPET_TN_32MODE       (1u << 8)
#define HPET_TN_ROUTE_SHIFT  9
#define HPET_TN_ROUTE        (31u << HPET_TN_ROUTE_SHIFT)

#define HPET_NEVER UINT64_MAX /* a tick that does not come */

struct hpet_comparator {
    uint32_t config;  /* LEVEL, ENABLE, PERIODIC, 32MODE, ROUTE */
    bool set_value;   /* VAL_SET: the next write also sets the accumulator */
    uint64_t value;   /* as a read shows it; in periodic mode the accumulator. As of the last settled match */
    uint64_t written; /* the last value written: what each match adds to the accumulator */
    uint64_t next; /* the tick of the next match that is not settled; HPET_NEVER while the counter stands */
};

/*@ logic integer hpet_step{L}(struct hpet_comparator *c) =
      (c->config & HPET_TN_PERIODIC) != 0 && c->written != 0 ? c->written :
      (c->config & HPET_TN_32MODE) != 0 ? 0x100000000 : 0; */

/* The state after a reset: all ones, no mode. */
void hpet_comparator_reset(struct hpet_comparator *c);

/* From `tick`, included, the main counter runs on from `count`: which match is next. */
void hpet_comparator_seek(struct hpet_comparator *c, uint64_t tick, uint64_t count);

/* Ticks from match to match; 0: there is no second one within 2^64. */
/*@ requires \valid_read(c);
    assigns \nothing;
    ensures \result == hpet_step(c); */
uint64_t hpet_comparator_step(const struct hpet_comparator *c);

/* What was matched up to `tick` has happened: the accumulator and the next match move on, to the first that
 * is later, whole steps away. True if there was one. */
/*@ requires \valid(c) && tick < UINT64_MAX;
    assigns c->value, c->next;
    ensures \result <==> \old(c->next) <= tick;
    ensures !\result ==> c->next == \old(c->next) && c->value == \old(c->value);
    ensures \result ==> tick < c->next;
    ensures \result && c->next != HPET_NEVER ==> c->next <= tick + hpet_step(c); */
bool hpet_comparator_settle(struct hpet_comparator *c, uint64_t tick);

/* What a read of the comparator shows at `tick`. */
/*@ requires \valid_read(c) && tick < UINT64_MAX;
    assigns \nothing; */
uint64_t hpet_comparator_value(const struct hpet_comparator *c, uint64_t tick);

/* Writes of the two registers, `c` being settled; the bits of a 32-bit access lie in their place in `value`
 * and `mask`. True if the next match must be sought anew. */
bool hpet_comparator_write(struct hpet_comparator *c, uint64_t value, uint64_t mask);
bool hpet_comparator_configure(struct hpet_comparator *c, uint32_t value, uint32_t routes);

#endif
