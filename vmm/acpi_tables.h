/* The ACPI tables of a VM (ACPI 6.4): RSDP, FACS, DSDT, FADT, MADT, HPET, RSDT, XSDT. */
#ifndef VMM_ACPI_TABLES_H
#define VMM_ACPI_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acpi_config {
    unsigned int cpus; /* local APICs 0 .. cpus-1; at most 8 */
    uint8_t ioapic_id;
    bool hpet; /* there is one */
};

/* Writes all tables into `mem` (guest-physical `base`, below 4 GiB and a multiple of 64; the RSDP comes
 * first). Returns the bytes used, or 0 if `size` is too small. Pure: the same input gives the same bytes. */
size_t acpi_tables_write(uint8_t *mem, size_t size, uint32_t base, const struct acpi_config *config);

#endif
