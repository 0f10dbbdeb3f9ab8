/* The high precision event timer: a 64-bit counter of 100 MHz and three comparators.
 * Source: IA-PC HPET Specification 1.0a; its section numbers in hpet.c and hpet_comparator.c. What it leaves
 * open is as in the ICH9 data sheet, 20.1.
 *
 * The counter is base + elapsed, computed when it is read. A comparator whose interrupt is enabled is an
 * entry of the timer event queue; of the others nothing can be seen but a status bit and an accumulator,
 * which are worked out when they are read. All comparators are 64 bits wide, can be periodic, and interrupt
 * by edge or level; no FSB delivery. Locking: the caller serialises per VM, as for all of timers/. */
#ifndef TIMERS_HPET_H
#define TIMERS_HPET_H

#include <stdbool.h>
#include <stdint.h>
#include "timers/counter.h"
#include "timers/hpet_comparator.h"
#include "timers/line.h"
#include "timers/vtime.h"

#define HPET_BASE   0xfed00000ull /* where a PC has it (3.2.1) */
#define HPET_LENGTH 0x400u

#define HPET_HZ     100000000u
#define HPET_FS     10000000u /* femtoseconds in a count: exact */
#define HPET_TIMERS 3u

/* The low half of the capabilities (2.3.4), which the ACPI table repeats: revision 1, timers, 64-bit counter,
 * legacy replacement, vendor 8086h. */
#define HPET_BLOCK_ID (0x80860000u | 1u << 15 | 1u << 13 | (HPET_TIMERS - 1) << 8 | 1u)

/* The IOAPIC inputs that every timer can drive: those that no ISA interrupt has. */
#define HPET_ROUTES 0x00ff0000u

/* A wire is an IOAPIC input, or, from here on, an ISA interrupt: 0 and 8 by legacy replacement. */
#define HPET_WIRE_ISA 32u

struct hpet_timer {
    struct hpet *hpet;
    unsigned int index;
    struct hpet_comparator comparator;
    bool resync; /* the queue's schedule is not exact: arm anew at each event */
    int driven;  /* the wire that it holds high (level-triggered only), or -1 */
    struct vtimer timer;
};

struct hpet {
    struct vtime *time;
    struct counter clock;
    const struct vt_line_ops *wires; /* line: a wire */
    void *ctx;
    uint32_t config; /* ENABLE, LEGACY */
    uint32_t status; /* one bit for each level-triggered timer */
    uint64_t base;   /* the counter less the clock's ticks; the counter itself while it stands */
    struct hpet_timer timer[HPET_TIMERS];
};

/* Call once; attaches a queue entry for each timer (target: vCPU 0) and resets. `wires` are driven with ctx;
 * several timers may share one. */
void hpet_init(struct hpet *h, struct vtime *time, const struct vt_line_ops *wires, void *ctx);

/* Everything off, the counter 0, all comparators all ones. */
void hpet_reset(struct hpet *h);

/* True while timers 0 and 1 stand in for the PIT at IRQ 0 and for the RTC at IRQ 8 (2.3.5): those two must
 * not interrupt then. Changes by hpet_write() and hpet_reset() only. */
bool hpet_legacy(const struct hpet *h);

/* The wire of timer n as it is programmed now, -1: none. */
int hpet_wire(const struct hpet *h, unsigned int n);

/* True while a level-triggered timer holds that wire high. */
bool hpet_drives(const struct hpet *h, unsigned int wire);

/* The registers; offset below HPET_LENGTH, aligned to size, which is 1, 2, 4 or 8. The specification has
 * accesses of 4 and 8 bytes; narrower reads give their part of a register, narrower writes do nothing.
 * Incidents. */
uint64_t hpet_read(struct hpet *h, uint64_t offset, unsigned int size);
void hpet_write(struct hpet *h, uint64_t offset, unsigned int size, uint64_t value);

/* Pure: the main counter at `at`, not before the latest write. */
uint64_t hpet_count(const struct hpet *h, at_t at);

#endif
