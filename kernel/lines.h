/* The console's output without the hardware: guests' bytes become whole lines, lines wait in a ring. Pure.
 *
 * Each writer may fill a share of its own, and the shares together fit: so a guest that writes without end
 * holds back nobody but itself (DESIGN.md section 4). A line enters the ring whole or not at all: lines never
 * mix. */
#ifndef KERNEL_LINES_H
#define KERNEL_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/config.h"

#define LINES_VMS        32        /* guests that can write */
#define LINES_HOST       LINES_VMS /* writer number of the hypervisor itself */
#define LINES_WRITERS    (LINES_VMS + 1)
#define LINES_TEXT       240 /* longest line of a guest, without its name */
#define LINES_MAX        (VM_NAME_MAX + 2 + LINES_TEXT + 1)
#define LINES_HOST_MAX   512 /* longest line of the hypervisor, newline included */
#define LINES_RING       65536
#define LINES_SHARE      1664 /* of each guest, bytes */
#define LINES_SHARE_HOST (LINES_RING - LINES_VMS * LINES_SHARE)

struct line_writer {
    char name[VM_NAME_MAX + 1];
    char text[LINES_TEXT];
    size_t length;
    bool unsent;      /* something waits in text, an empty line included */
    bool full;        /* text is a complete line that the share had no room for */
    bool partial;     /* the line sent last was not ended by the guest: an LF that comes next ends it */
    uint64_t last;    /* time of the last byte */
    size_t in_ring;   /* bytes of this writer in the ring, headers included */
    uint64_t dropped; /* bytes that the guest sent although it was held back */
};

struct lines {
    struct line_writer writers[LINES_WRITERS];
    uint8_t ring[LINES_RING]; /* lines: writer, length (two bytes, low first), text */
    size_t head, tail;        /* free-running: tail - head bytes are in use */
    size_t left;              /* bytes of the line at head that have not left yet; its header is gone */
    unsigned int leaving;     /* its writer */
};

void lines_init(struct lines *l);
void lines_name(struct lines *l, unsigned int writer, const char *name);

/* One byte of a guest at time `now`: CR is dropped, LF ends the line, and so does the 240th character. */
void lines_putc(struct lines *l, unsigned int writer, uint8_t byte, uint64_t now);
/* True while the guest may send another byte; a line that waited goes into the ring if there is room by now.
 */
bool lines_ready(struct lines *l, unsigned int writer);
/* Ends what a guest has begun (silence, its end). True if nothing of it waits any more. */
bool lines_flush(struct lines *l, unsigned int writer);
/* Flushes each guest whose last byte came at `since` or earlier, and those that waited for room. */
void lines_flush_silent(struct lines *l, uint64_t since);
/* Time of the last byte of the writer that has waited longest with a line begun; UINT64_MAX: none waits. */
uint64_t lines_oldest(const struct lines *l);

/* A whole line of the hypervisor; text without a newline, at most LINES_HOST_MAX - 1 bytes are taken. False:
 * no room. */
bool lines_host(struct lines *l, const char *text, size_t n);

/* The next bytes to leave, at most max; returns how many. */
size_t lines_take(struct lines *l, char *out, size_t max);
bool lines_empty(const struct lines *l);

#endif
