/* One counter of the 8254, a state machine in clock ticks (pit.c makes the chip of three).
 * Source: Intel 8254 data sheet (231164); its headings are quoted in pit_channel.c. */
#ifndef TIMERS_PIT_CHANNEL_H
#define TIMERS_PIT_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

/* One counter. Ticks are those of the input clock, tick 0 at AT 0. */
struct pit_channel {
    uint8_t control;  /* the control word's low six bits, as the status byte shows them */
    uint8_t mode;     /* 0-5 */
    bool gate;        /* level of the GATE input */
    bool idle;        /* nothing loaded since the control word */
    bool frozen;      /* not counting: GATE low, or half a count written in mode 0 */
    bool pending;     /* cr will be loaded at tick pending_tick */
    bool pending_low; /* mode 3: ... where OUT's low half begins */
    bool written;     /* cr was written since the control word */
    bool null_count;  /* cr has not been loaded yet */
    bool write_msb;   /* LSB then MSB: the MSB is to be written next */
    bool read_msb;    /* LSB then MSB: the MSB is to be read next */
    bool status_latched;
    uint8_t status;
    uint8_t write_lsb;     /* LSB then MSB: the LSB that waits for its MSB */
    uint8_t latched_bytes; /* bytes of `latch` not read yet */
    uint16_t latch;
    uint16_t idle_value; /* what the counting element shows while idle */
    uint32_t cr;         /* the count register, a number: 1..65536 */
    uint32_t count;      /* what the counting element was loaded with */
    uint64_t start;      /* the tick it was loaded at (mode 3: at which its high half began) */
    uint64_t frozen_at;  /* elapsed ticks while frozen */
    uint64_t pending_tick;
};

/* The rising edges of OUT after a tick if nothing is written and GATE stays: the first, and the period of the
 * others (0: there are no others). */
struct pit_edges {
    bool any;
    uint64_t first;
    uint64_t period;
};

/* Brings the channel to `tick`, which is not before the latest change: a load due until then happens. All
 * other functions want a channel settled at their tick. */
void pit_channel_settle(struct pit_channel *c, uint64_t tick);

/* Pure: the counting element as the guest reads it (binary or BCD), and OUT. */
uint16_t pit_channel_value(const struct pit_channel *c, uint64_t tick);
bool pit_channel_out(const struct pit_channel *c, uint64_t tick);

/* Pure: for a channel whose GATE is high, as channel 0's is. */
struct pit_edges pit_channel_edges(const struct pit_channel *c, uint64_t tick);

/* A control word for this channel (the channel and latch-command bits are the chip's business). */
void pit_channel_program(struct pit_channel *c, uint64_t tick, uint8_t control);

/* A byte to or from the counter. */
void pit_channel_write(struct pit_channel *c, uint64_t tick, uint8_t value);
uint8_t pit_channel_read(struct pit_channel *c, uint64_t tick);

/* The counter latch command, and the status half of the read-back command: no effect while one is latched. */
void pit_channel_latch_count(struct pit_channel *c, uint64_t tick);
void pit_channel_latch_status(struct pit_channel *c, uint64_t tick);

/* The level of GATE. */
void pit_channel_set_gate(struct pit_channel *c, uint64_t tick, bool level);

#endif
