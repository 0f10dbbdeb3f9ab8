/* What travels between the APICs of a VM: from an IOAPIC input or an ICR to local APICs (SDM vol. 3, 10.6
 * and 10.11; 82093AA data sheet, 3.2.4). */
#ifndef VMM_APIC_MESSAGE_H
#define VMM_APIC_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

/* Delivery modes, as encoded in bits 10:8 of an ICR, an LVT entry and a redirection table entry. */
enum apic_mode {
    APIC_FIXED = 0,
    APIC_LOWEST = 1,
    APIC_SMI = 2,
    APIC_NMI = 4,
    APIC_INIT = 5,
    APIC_SIPI = 6,
    APIC_EXTINT = 7,
};

/* Destination shorthands, bits 19:18 of the ICR. */
enum apic_shorthand { APIC_DEST_FIELD, APIC_DEST_SELF, APIC_DEST_ALL, APIC_DEST_OTHERS };

struct apic_message {
    uint8_t vector;
    uint8_t mode;      /* enum apic_mode */
    uint8_t shorthand; /* enum apic_shorthand; an IOAPIC has only APIC_DEST_FIELD */
    bool logical;
    bool level; /* trigger mode: sets the TMR bit, its EOI is broadcast */
    uint32_t dest;
};

#define APIC_BROADCAST UINT32_MAX /* dest: all, in both destination modes */

/* The destination of a sender that has eight bits for it, where FFh is the broadcast: xAPIC, IOAPIC. */
static inline uint32_t apic_dest8(uint32_t dest)
{
    return dest == 0xff ? APIC_BROADCAST : dest;
}

/* What became of a message. The strongest answer of all targets counts. */
enum apic_result {
    APIC_NO_TARGET, /* nobody took it: no such APIC, disabled, a vector below 16 */
    APIC_MERGED,    /* the same vector was waiting in the IRR already (or an NMI was pending already) */
    APIC_ACCEPTED,  /* latched as a new request */
};

#endif
