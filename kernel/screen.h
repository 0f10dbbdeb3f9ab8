/* The hypervisor's own lines on a PC's text screen, beside the serial line: whoever stands before the machine
 * sees the power-on lines, what became of each VM, and a panic. Guests' output and the monitor are the serial
 * line's. Without a text screen (UEFI, a graphics mode) nothing happens here. */
#ifndef KERNEL_SCREEN_H
#define KERNEL_SCREEN_H

#include <stddef.h>
#include <stdint.h>

#define SCREEN_COLUMNS 80u
#define SCREEN_ROWS    25u
#define SCREEN_PHYS    0xB8000ull /* colour text mode 3 (VGA data sheets; its cells: character, attribute) */

/* Clears it. NULL: there is none. Before the first line, from the boot processor. */
void screen_init(volatile uint16_t *cells);

/* One line without its newline; too long a one goes on in the next row, the top row leaves when all are full.
 * The caller keeps others out (interrupts disabled, as for the console). */
void screen_line(const char *text, size_t n);

#endif
