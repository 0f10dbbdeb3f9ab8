/* The few ACPI facts that guests need. Tables are found by way of the RSDP in E0000h-FFFFFh
 * (ACPI 6.4, 5.2.5.1). */
#ifndef GUESTS_LIB_ACPI_H
#define GUESTS_LIB_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A table by its signature, checksum verified; NULL where there is none. */
const uint8_t *acpi_table(const char *signature);

/* FADT: the PM timer's port (0: none) and whether it is 32 bits wide. */
uint16_t acpi_pm_timer(bool *wide);

/* FADT and DSDT: port of PM1a control and SLP_TYPa of _S5. */
bool acpi_s5(uint16_t *port, uint8_t *type);

/* HPET table: address of the registers, 0 where there is none. */
uint64_t acpi_hpet(void);

#endif
