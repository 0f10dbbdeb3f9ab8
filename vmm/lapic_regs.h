/* What the two halves of the local APIC, its logic (lapic.c) and its registers (lapic_regs.c), share. */
#ifndef VMM_LAPIC_REGS_H
#define VMM_LAPIC_REGS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/lapic.h"

/* Delivery mode of an LVT entry (enum apic_mode). */
static inline uint8_t lapic_lvt_mode(uint32_t lvt)
{
    return (lvt >> 8) & 7;
}

/* The writable bits of the LVT entry at this offset; 0: there is none. */
uint32_t lapic_lvt_bits(uint32_t reg);
/* The message of an ICR's low half (10.6.1), to icr_high; false if none is to be sent. */
bool lapic_make_ipi(struct lapic *l, uint32_t low, struct apic_message *m);
/* The P6 family's arbitration priority, a register to read only. */
uint8_t lapic_apr(const struct lapic *l);
/* Sets an ESR bit and sends the error interrupt. */
void lapic_error(struct lapic *l, uint32_t error);
/* A write of the EOI register: ends the interrupt in service. The vector that must be broadcast to the
 * IOAPIC, or -1. */
int lapic_eoi(struct lapic *l);
/* A level-triggered LINT0 that is high asks again: its entry has changed. */
void lapic_look_at_lint0(struct lapic *l);

#endif
