/* A device's input clock against apparent time: exact both ways, for ever (DESIGN.md 2.1).
 *
 * Every emulator runs on the grid of its own input clock, tick 0 at AT 0, and is a state machine in ticks.
 * Its clock is a fraction in lowest terms, and products are 128 bits wide, so nothing is ever rounded twice.
 *
 * Tick n is visible from the first whole AT that is not before it: counter_ticks(counter_at(n)) >= n always,
 * and an event at counter_at(n) finds its counter wrapped. */
#ifndef TIMERS_COUNTER_H
#define TIMERS_COUNTER_H

#include <stdbool.h>
#include <stdint.h>
#include "timers/vtime.h"

/* num ticks of the device last den units of AT. Neither is 0; no common factor. */
struct counter {
    uint64_t num;
    uint64_t den;
};

/*@ predicate is_counter(struct counter *c) = c->num > 0 && c->den > 0; */

/* A clock of hz_num/hz_den Hz in an apparent time of at_hz Hz. Zeros are taken as ones.
 * Precondition: at_hz * hz_den < 2^64. */
void counter_init(struct counter *c, uint64_t at_hz, uint64_t hz_num, uint64_t hz_den);

/* Ticks elapsed at `at`, rounded down; UINT64_MAX when they do not fit. */
/*@ requires \valid_read(c) && is_counter(c);
    assigns \nothing;
    ensures at * c->num < c->den * TWO64 ==> \result * c->den <= at * c->num < (\result + 1) * c->den;
    ensures at * c->num >= c->den * TWO64 ==> \result == UINT64_MAX; */
uint64_t counter_ticks(const struct counter *c, at_t at);

/* The AT of a tick, rounded up; AT_NEVER when it does not fit. */
/*@ requires \valid_read(c) && is_counter(c);
    assigns \nothing;
    ensures tick * c->den + c->num - 1 < c->num * TWO64 ==>
            (\result - 1) * c->num < tick * c->den <= \result * c->num; */
at_t counter_at(const struct counter *c, uint64_t tick);

/* The schedule of one event at `tick`. */
struct vt_schedule counter_once(const struct counter *c, uint64_t tick);

/* The schedule of events at tick, tick + period, tick + 2 * period ... (period >= 1). True when it is exact
 * for ever. False when the fraction needs more than 64 bits (periods of seconds between clocks without a
 * common factor): then only the first event is exact and each period is short by less than one AT unit, and
 * the emulator arms anew at each event, so that no error adds up. */
bool counter_every(const struct counter *c, uint64_t tick, uint64_t period, struct vt_schedule *s);

/* How many ticks of a periodic timer are one event of the queue. 1, unless `period` (in ticks) is far below
 * the minimum progress of `progress` AT units that each event costs: under an eighth of it no guest can tell
 * the ticks apart, they merge in its interrupt controller, and gating each of them would all but stop the
 * VM's clocks. Then as many as make 32 times the minimum progress: most of the time is the guest's, and AT
 * can catch up. */
uint64_t counter_group(const struct counter *c, uint64_t period, uint64_t progress);

#endif
