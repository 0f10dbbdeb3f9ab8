/* The little that the host needs of ACPI: power-off through S5, the PM timer, and whose tables they are. */
#ifndef ARCH_X86_ACPI_H
#define ARCH_X86_ACPI_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel/multiboot.h"

/* Finds the tables: the loader's RSDP, else the BIOS area. Needs paging_init(). Harmless without ACPI. */
void acpi_init(const struct boot_info *boot);

/* The RSDP's OEM id, six characters and a zero; "" without ACPI. */
const char *acpi_oem_id(void);

/* A table by its signature, checked for length and checksum; NULL if there is none. Start-up only. */
const void *acpi_table(const char signature[4], uint32_t *length);

/* Port of the PM timer (32 bits wide, counts at 14318180/4 Hz), 0 if there is none. */
uint16_t acpi_pm_timer_port(void);

/* Switches the machine off; returns if that is not possible. Works in a panic: it only writes ports. */
void acpi_power_off(void);

#endif
