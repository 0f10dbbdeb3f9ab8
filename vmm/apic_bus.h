/* The message bus between the APICs of one VM: finds a message's targets among the VM's local APICs, and
 * carries out what a local APIC's register write asks of others. */
#ifndef VMM_APIC_BUS_H
#define VMM_APIC_BUS_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/apic_message.h"

struct vcpu;
struct vm;

/* Delivers to every target (lowest priority: to one). `sender` is NULL for the IOAPIC; shorthands need one.
 * NMI: vcpu_raise_nmi(); INIT and SIPI: vmm/startup.h. */
enum apic_result apic_bus_send(struct vm *vm, const struct vcpu *sender, const struct apic_message *message);

/* The vCPU that an IOAPIC's message would reach, the first of several; 0 if it reaches nobody. */
unsigned int apic_bus_target(const struct vm *vm, const struct apic_message *message);

/* Would a message reach a processor now (an enabled APIC among its targets)? */
bool apic_bus_reachable(const struct vm *vm, const struct apic_message *message);
/* Does it wait in a target's IRR (or as a pending NMI) now? */
bool apic_bus_waiting(const struct vm *vm, const struct apic_message *message);

/* Bus handlers of width 8 for a local APIC's page; self is the struct lapic of the vCPU whose page it is.
 * Accesses that are not aligned 32-bit ones: SDM vol. 3, 10.4.1, leaves them undefined; here bytes of the
 * register are read and a write counts if it covers the register's start with at least 32 bits. */
uint64_t apic_bus_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size);
void apic_bus_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value);

/* The same registers as MSRs (x2APIC). False: #GP(0). */
bool apic_bus_msr_read(struct vcpu *vcpu, uint32_t msr, uint64_t *value);
bool apic_bus_msr_write(struct vcpu *vcpu, uint32_t msr, uint64_t value);

#endif
