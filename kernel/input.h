/* The console's input without the hardware: whose is a byte? Pure.
 *
 * Ctrl-A is the escape key, as in QEMU and screen: the next key is for the console. Everything else goes, as
 * it is, to whom the operator looks at, into a queue of its own: a guest that does not read keeps neither the
 * others nor the escape key from theirs. The queues share one pool of blocks; while it has no room the caller
 * leaves the bytes with the sender, which is how nothing is lost.
 *
 * Locking: the caller serialises all calls (interrupts off: bytes come from the port's interrupt). */
#ifndef KERNEL_INPUT_H
#define KERNEL_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/lines.h"

#define INPUT_ESCAPE  0x01u     /* Ctrl-A */
#define INPUT_MONITOR LINES_VMS /* number of the monitor's queue; the guests' are theirs */
#define INPUT_QUEUES  (LINES_VMS + 1)
#define INPUT_DATA    62u   /* bytes of a block */
#define INPUT_BLOCKS  2048u /* 124 KiB: eleven seconds at 115200 baud */

enum input_view {
    VIEW_LINES,    /* all lines; input goes to the guest chosen last */
    VIEW_TERMINAL, /* one guest's bytes as they are */
    VIEW_MONITOR,
};

/* Why the operator is to be told something. */
enum input_notice {
    NOTICE_NONE,
    NOTICE_HELP,     /* Ctrl-A ? */
    NOTICE_NO_KEY,   /* Ctrl-A and a key without a meaning: input.notice_key */
    NOTICE_NO_GUEST, /* Ctrl-A and the number of a guest that is not there */
};

struct input_block {
    uint16_t next;
    uint8_t data[INPUT_DATA];
};

struct input_queue {
    uint16_t first, last; /* blocks; meaningless while count is 0 */
    uint8_t head, tail;   /* offsets: of the next byte in first, behind the last byte in last */
    size_t count;
    uint64_t taken;   /* when a byte was last taken, or the first came in: is anybody reading? */
    uint64_t dropped; /* bytes that came while nobody was, not yet reported */
};

struct input {
    enum input_view view;
    enum input_view back; /* the view that the monitor's end leads to */
    unsigned int focus;   /* the guest that was chosen last */
    uint32_t alive;       /* bit n: guest n runs */
    bool started;         /* a guest has started: until then queue 0 keeps what is for whom starts first */
    bool escaped;         /* Ctrl-A has come */
    bool person;          /* ... ever: somebody sits there */
    enum input_notice notice;
    uint8_t notice_key;
    struct input_queue queues[INPUT_QUEUES];
    uint16_t free; /* a list of blocks */
    uint32_t nfree;
    struct input_block blocks[INPUT_BLOCKS];
};

void input_init(struct input *in);

/* Guests come and go. What was typed before the first one started is its. With the end of the one that is
 * looked at the view is that of all lines again, and what it has not read is forgotten. */
void input_guest_starts(struct input *in, unsigned int guest);
void input_guest_ends(struct input *in, unsigned int guest);

/* One byte from the port at RT `now`. False: no room, or a key that leads out of the monitor came before the
 * monitor has read what was typed: offer it again later (and `now` decides whether its
 * reader has gone: a byte for one that has taken nothing for `patience` RT ticks is dropped and counted, so
 * that the escape key works whatever a guest does). */
bool input_put(struct input *in, uint8_t byte, uint64_t now, uint64_t patience);

/* The next byte for a guest or INPUT_MONITOR, or -1. */
int input_take(struct input *in, unsigned int queue, uint64_t now);
bool input_waits(const struct input *in, unsigned int queue);

/* The view, by something else than a key. VIEW_TERMINAL: of guest `guest`, which runs. */
void input_look(struct input *in, enum input_view view, unsigned int guest);
/* Out of the monitor, to what was looked at before. */
void input_leave_monitor(struct input *in);

#endif
