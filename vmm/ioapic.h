/* The I/O APIC: an 82093AA (data sheet, order no. 290566) with 24 inputs at FEC00000h.
 *
 * Version 11h, as the 82093AA has and as a PC of this platform's age is expected to have: an EOI comes as the
 * local APICs' broadcast only. (Version 20h adds an EOI register for processors that suppress the broadcast;
 * ours do not.) Pure: messages leave through `deliver`. The caller holds the VM. */
#ifndef VMM_IOAPIC_H
#define VMM_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/apic_message.h"

struct vcpu;

#define IOAPIC_BASE    0xfec00000ull
#define IOAPIC_LENGTH  0x1000ull /* the register window's page: IOREGSEL at 0, IOWIN at 10h */
#define IOAPIC_INPUTS  24u
#define IOAPIC_VERSION 0x11u

/* Bits of a redirection table entry (data sheet 3.2.4). */
#define RTE_VECTOR     0xffull
#define RTE_MODE_SHIFT 8
#define RTE_MODE       (7ull << RTE_MODE_SHIFT)
#define RTE_LOGICAL    (1ull << 11)
#define RTE_DELIVS     (1ull << 12) /* read-only; always idle: delivery takes no time */
#define RTE_ACTIVE_LOW (1ull << 13)
#define RTE_REMOTE_IRR (1ull << 14) /* read-only */
#define RTE_LEVEL      (1ull << 15)
#define RTE_MASKED     (1ull << 16)
#define RTE_DEST_SHIFT 56

/* Sends a message to the local APICs and says what became of it. */
typedef enum apic_result (*ioapic_deliver_fn)(void *ctx, const struct apic_message *message);

struct ioapic {
    uint64_t entries[IOAPIC_INPUTS];
    uint32_t lines; /* present state of the inputs, 1: asserted */
    uint8_t select; /* IOREGSEL */
    uint8_t id;     /* bits 27:24 of IOAPICID */
    uint8_t arb;    /* bits 27:24 of IOAPICARB: loaded with the ID when that is written */
    ioapic_deliver_fn deliver;
    void *ctx;
};

/* Power-on: all entries masked. */
void ioapic_init(struct ioapic *io, uint8_t id, ioapic_deliver_fn deliver, void *ctx);
/* Power-on state again; id, deliver and the lines' states stay. */
void ioapic_reset(struct ioapic *io, uint8_t id);

/* The source of an input asserts it; for an edge-triggered entry each call is one edge. The result is that of
 * the message; APIC_NO_TARGET if masked (an edge at a masked input is lost, data sheet 3.2.4, bit 16),
 * APIC_MERGED for a level line that was asserted already or whose last interrupt has not been ended. Polarity
 * is not looked at: the wires of this board are whatever the tables say they are, and "asserted" is the
 * logical state. */
enum apic_result ioapic_raise(struct ioapic *io, unsigned int input);
void ioapic_lower(struct ioapic *io, unsigned int input);

/* A local APIC's EOI of a level-triggered vector: clears remote IRR, and sends again where the line is still
 * up. */
void ioapic_eoi(struct ioapic *io, uint8_t vector);

/* The message an input's entry would send now. */
struct apic_message ioapic_message(const struct ioapic *io, unsigned int input);
bool ioapic_masked(const struct ioapic *io, unsigned int input);

/* Bus handlers of width 4; self is the struct ioapic. */
uint64_t ioapic_mmio_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size);
void ioapic_mmio_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value);

#endif
