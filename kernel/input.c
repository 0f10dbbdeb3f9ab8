/* Whose input it is; see input.h. */
#include "kernel/input.h"

#include "vmm/string.h"

#define NO_BLOCK 0xffffu

_Static_assert(INPUT_BLOCKS < NO_BLOCK, "block numbers are 16 bits wide");

void input_init(struct input *in)
{
    memset(in, 0, sizeof *in);
    for (unsigned int i = 0; i < INPUT_BLOCKS; i++)
        in->blocks[i].next = (uint16_t)(i + 1 < INPUT_BLOCKS ? i + 1 : NO_BLOCK);
    in->nfree = INPUT_BLOCKS;
}

/* ---- queues ---- */

static void free_first(struct input *in, struct input_queue *q)
{
    uint16_t block = q->first;

    q->first = in->blocks[block].next;
    q->head = 0;
    in->blocks[block].next = in->free;
    in->free = block;
    in->nfree++;
}

/* The monitor's last block is kept for it: it reads always. */
static bool add_block(struct input *in, struct input_queue *q)
{
    uint16_t block = in->free;

    if (in->nfree <= (q == &in->queues[INPUT_MONITOR] ? 0 : 1))
        return false;
    in->free = in->blocks[block].next;
    in->nfree--;
    in->blocks[block].next = NO_BLOCK;
    if (q->count == 0)
        q->first = block;
    else
        in->blocks[q->last].next = block;
    q->last = block;
    q->tail = 0;
    return true;
}

static bool append(struct input *in, struct input_queue *q, uint8_t byte, uint64_t now)
{
    if (q->count == 0) {
        q->head = 0;
        q->taken = now;
    }
    if ((q->count == 0 || q->tail == INPUT_DATA) && !add_block(in, q))
        return false;
    in->blocks[q->last].data[q->tail++] = byte;
    q->count++;
    return true;
}

int input_take(struct input *in, unsigned int queue, uint64_t now)
{
    struct input_queue *q = &in->queues[queue];
    int byte;

    if (q->count == 0)
        return -1;
    byte = in->blocks[q->first].data[q->head++];
    q->count--;
    q->taken = now;
    if (q->count == 0 || q->head == INPUT_DATA)
        free_first(in, q);
    return byte;
}

bool input_waits(const struct input *in, unsigned int queue)
{
    return in->queues[queue].count > 0;
}

static void forget(struct input *in, unsigned int queue)
{
    while (input_take(in, queue, 0) >= 0)
        ;
}

static bool data(struct input *in, uint8_t byte, uint64_t now, uint64_t patience)
{
    struct input_queue *q;

    if (in->view != VIEW_MONITOR && in->started && !(in->alive >> in->focus & 1))
        return true; /* nobody is there any more */
    q = &in->queues[in->view == VIEW_MONITOR ? INPUT_MONITOR : in->focus];
    if (append(in, q, byte, now))
        return true;
    if (now - q->taken < patience)
        return false;
    q->dropped++;
    return true;
}

/* ---- views ---- */

void input_look(struct input *in, enum input_view view, unsigned int guest)
{
    if (view == VIEW_MONITOR && in->view != VIEW_MONITOR)
        in->back = in->view;
    if (view == VIEW_TERMINAL)
        in->focus = guest;
    in->view = view;
}

void input_leave_monitor(struct input *in)
{
    if (in->view == VIEW_MONITOR)
        in->view = in->alive >> in->focus & 1 ? in->back : VIEW_LINES;
}

/* The guest after `from` that runs, round the corner; `from` itself at last, LINES_VMS if none does. */
static unsigned int next_alive(const struct input *in, unsigned int from)
{
    for (unsigned int i = 1; i <= LINES_VMS; i++) {
        unsigned int guest = (from + i) % LINES_VMS;

        if (in->alive >> guest & 1)
            return guest;
    }
    return LINES_VMS;
}

void input_guest_starts(struct input *in, unsigned int guest)
{
    if (!in->started && guest != 0) {
        in->queues[guest] = in->queues[0];
        memset(&in->queues[0], 0, sizeof in->queues[0]);
    }
    in->started = true;
    in->alive |= 1u << guest;
    if (!(in->alive >> in->focus & 1))
        in->focus = guest;
}

void input_guest_ends(struct input *in, unsigned int guest)
{
    unsigned int next;

    in->alive &= ~(1u << guest);
    forget(in, guest);
    in->queues[guest].dropped = 0;
    if (guest != in->focus)
        return;
    if (in->view == VIEW_TERMINAL)
        in->view = VIEW_LINES;
    in->back = VIEW_LINES;
    next = next_alive(in, guest);
    in->focus = next < LINES_VMS ? next : 0;
}

/* ---- keys ---- */

static void notice(struct input *in, enum input_notice what, uint8_t key)
{
    in->notice = what;
    in->notice_key = key;
}

static void look_at(struct input *in, unsigned int guest, uint8_t key)
{
    if (guest < LINES_VMS && (in->alive >> guest & 1))
        input_look(in, VIEW_TERMINAL, guest);
    else
        notice(in, NOTICE_NO_GUEST, key);
}

/* From the view of all lines `n` turns to the guest that was chosen last, else to the one after it. */
static void next_guest(struct input *in)
{
    bool here = in->view != VIEW_TERMINAL && (in->alive >> in->focus & 1);

    look_at(in, here ? in->focus : next_alive(in, in->focus), 'n');
}

static void toggle_monitor(struct input *in)
{
    if (in->view == VIEW_MONITOR)
        input_leave_monitor(in);
    else
        input_look(in, VIEW_MONITOR, 0);
}

/* The key after Ctrl-A. */
static void key(struct input *in, uint8_t byte)
{
    if (byte >= '1' && byte <= '9') {
        look_at(in, byte - '1', byte);
        return;
    }
    switch (byte) {
    case '0':
    case 'a':
        input_look(in, VIEW_LINES, 0);
        return;
    case 'n':
        next_guest(in);
        return;
    case 'm':
    case 'c': /* QEMU's */
        toggle_monitor(in);
        return;
    case '?':
    case 'h':
        notice(in, NOTICE_HELP, byte);
        return;
    default:
        notice(in, NOTICE_NO_KEY, byte);
    }
}

bool input_put(struct input *in, uint8_t byte, uint64_t now, uint64_t patience)
{
    if (in->escaped && byte == INPUT_ESCAPE) {
        in->escaped = !data(in, byte, now, patience);
        return !in->escaped;
    }
    if (in->escaped) {
        if (in->view == VIEW_MONITOR && in->queues[INPUT_MONITOR].count > 0)
            return false; /* its commands come first: they are carried out while it is looked at */
        in->escaped = false;
        key(in, byte);
        return true;
    }
    if (byte == INPUT_ESCAPE) {
        in->escaped = true;
        in->person = true;
        return true;
    }
    return data(in, byte, now, patience);
}
