/* The console's output without the hardware: guests' bytes become whole lines, lines wait in a ring. Pure.
 *
 * What leaves depends on the operator's view. In the view of all lines (the start) it is the ring. In the two
 * others, one guest's terminal and the monitor, it is a FIFO of bytes as they are, the hypervisor's own lines
 * among them; the guests' lines go to a backlog, which leaves when the view of all lines returns. A guest
 * notices nothing of the view.
 *
 * Each writer may fill a share of its own, and the shares together fit: so a guest that writes without end
 * holds back nobody but itself (DESIGN.md section 4). A line enters the ring whole or not at all: lines never
 * mix. */
#ifndef KERNEL_LINES_H
#define KERNEL_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/backlog.h"
#include "kernel/printable.h"
#include "vmm/config.h"

#define LINES_VMS        32        /* guests that can write */
#define LINES_HOST       LINES_VMS /* writer number of the hypervisor itself */
#define LINES_WRITERS    (LINES_VMS + 1)
#define LINES_TEXT       240                              /* characters after which a guest's line is cut */
#define LINES_TEXT_MAX   (LINES_TEXT - 1 + PRINTABLE_MAX) /* what its last byte gives stays in one piece */
#define LINES_MAX        (VM_NAME_MAX + 2 + LINES_TEXT_MAX + 2)
#define LINES_HOST_MAX   512    /* longest line of the hypervisor, newline included */
#define LINES_RING       131072 /* several VMs may end at once, with what they tell; who finds it full waits */
#define LINES_SHARE      1664   /* of each guest, bytes */
#define LINES_SHARE_HOST (LINES_RING - LINES_VMS * LINES_SHARE)
#define LINES_RAW        16384 /* bytes as they are: a guest's terminal, the monitor */
#define LINES_RAW_GUEST  2048  /* of it, what a guest may fill */
#define LINES_NOBODY     UINT32_MAX

struct line_writer {
    char name[VM_NAME_MAX + 1];
    struct printable printable;
    char text[LINES_TEXT_MAX];
    size_t length;
    size_t shown;     /* of text: the unfinished line that was sent last; for whoever turns to the terminal */
    bool unsent;      /* something waits in text, an empty line included */
    bool full;        /* text is a complete line that the share had no room for */
    bool partial;     /* the line sent last was not ended by the guest: an LF that comes next ends it */
    uint64_t last;    /* time of the last byte */
    size_t in_ring;   /* bytes of this writer in the ring, headers included */
    uint64_t dropped; /* bytes that the guest sent although it was held back */
};

struct lines {
    struct line_writer writers[LINES_WRITERS];
    unsigned int vms;         /* the first of them have names: guests that there are */
    uint8_t ring[LINES_RING]; /* lines: writer, length (two bytes, low first), text */
    size_t head, tail;        /* free-running: tail - head bytes are in use */
    size_t left;              /* bytes of the line at head that have not left yet; its header is gone */
    unsigned int leaving;     /* its writer */
    const char *eol;

    bool held;         /* another view than that of all lines */
    size_t before;     /* what the ring has before this position is older than raw */
    uint32_t terminal; /* in it: whose bytes go out as they are; LINES_NOBODY in the monitor's */
    bool midline;      /* the last byte of raw is not a newline */
    bool interrupted;  /* a line of the hypervisor came between: the monitor draws its prompt anew */
    struct backlog backlog;
    uint8_t raw[LINES_RAW];
    size_t raw_head, raw_tail; /* free-running */
};

void lines_init(struct lines *l);
void lines_name(struct lines *l, unsigned int writer, const char *name);

/* One byte of a guest at time `now`. In lines CR is dropped, LF ends the line, and so does the 240th
 * character; control characters are made visible (kernel/printable.h). */
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
/* How long a line of the hypervisor there is room for. */
size_t lines_host_room(const struct lines *l);

/* ---- the operator's view ---- */

/* From now on, behind what waits already: all lines, what the backlog has kept of them first; a guest's
 * terminal, what it has begun to write first; or what lines_say() is given. */
void lines_view_all(struct lines *l);
void lines_view_terminal(struct lines *l, unsigned int writer);
void lines_view_monitor(struct lines *l);

/* Bytes as they are. False, and nothing is taken: no room. */
bool lines_say(struct lines *l, const char *text, size_t n);
/* How many bytes lines_say() would take. */
size_t lines_room(const struct lines *l);

/* A person is there: lines end with CR LF from now on, as a terminal wants them. */
void lines_crlf(struct lines *l);

/* The next bytes to leave, at most max; returns how many. */
size_t lines_take(struct lines *l, char *out, size_t max);
bool lines_empty(const struct lines *l);

#endif
