/* The ways out of the machine. */
#ifndef GUESTS_LIB_POWER_H
#define GUESTS_LIB_POWER_H

#include <stdint.h>

#define EXIT_OK   0
#define EXIT_FAIL 1
#define EXIT_TRAP 0x7F /* an exception nobody handles */

/* Ends the machine with a code (port F4h: DESIGN.md section 4, "Guests"). */
_Noreturn void machine_exit(uint8_t code);

/* ACPI S5 through the FADT's PM1a control block; machine_exit(EXIT_FAIL) where the tables name none. */
_Noreturn void machine_poweroff(void);

/* Where guest_main returns to (long.asm). */
_Noreturn void guest_return(int code);

#endif
