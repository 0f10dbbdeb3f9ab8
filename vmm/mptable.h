/* The MP table of a VM (Intel MultiProcessor Specification 1.4), for guests that know no ACPI. */
#ifndef VMM_MPTABLE_H
#define VMM_MPTABLE_H

#include <stddef.h>
#include <stdint.h>

struct mptable_config {
    unsigned int cpus; /* local APICs 0 .. cpus-1; 0 is the bootstrap processor */
    uint8_t ioapic_id;
    uint32_t cpu_signature; /* CPUID.1:EAX as the guest sees it */
    uint32_t cpu_features;  /* CPUID.1:EDX as the guest sees it */
};

/* Writes the floating pointer structure and, behind it, the configuration table into `mem` (guest-physical
 * `base`, a multiple of 16). Returns the bytes used, or 0 if `size` is too small. Pure. */
size_t mptable_write(uint8_t *mem, size_t size, uint32_t base, const struct mptable_config *config);

#endif
