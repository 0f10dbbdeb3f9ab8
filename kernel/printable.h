/* Guests' text made harmless: what a terminal would take for a command becomes visible instead. Pure.
 *
 * Printable ASCII, tabs and well-formed UTF-8 (Unicode 15, table 3-7) pass; control characters become ^X, C1
 * controls and everything that is no UTF-8 \xNN. So no escape sequence of a guest reaches the operator's
 * terminal, in whatever encoding that reads it. */
#ifndef KERNEL_PRINTABLE_H
#define KERNEL_PRINTABLE_H

#include <stddef.h>
#include <stdint.h>

#define PRINTABLE_MAX 16 /* most that one byte can give: three held back before it and itself, \xNN each */

/* Of one stream: the bytes of a UTF-8 sequence that is not complete yet. */
struct printable {
    uint8_t held[3];
    uint8_t have;
    uint8_t need; /* continuation bytes still to come */
};

/* Writes what the byte gives into out (PRINTABLE_MAX bytes of room); returns how many. */
size_t printable_put(struct printable *p, uint8_t byte, char *out);

/* The stream is interrupted: gives what was held back. At most 12 bytes. */
size_t printable_end(struct printable *p, char *out);

#endif
