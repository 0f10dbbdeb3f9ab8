/* Lines of many writers through one ring; see lines.h. */
#include "kernel/lines.h"

#include "vmm/host.h"
#include "vmm/string.h"

#define HEADER 3u

_Static_assert((LINES_RING & (LINES_RING - 1)) == 0, "positions are taken modulo the size");
_Static_assert(LINES_SHARE >= 2 * (LINES_MAX + HEADER),
               "a share holds a line that leaves and one that waits");

void lines_init(struct lines *l)
{
    memset(l, 0, sizeof *l);
}

void lines_name(struct lines *l, unsigned int writer, const char *name)
{
    struct line_writer *w = &l->writers[writer];
    size_t n = strlen(name);

    if (n > VM_NAME_MAX)
        n = VM_NAME_MAX;
    memcpy(w->name, name, n);
    w->name[n] = 0;
}

/* ---- the ring ---- */

static void push(struct lines *l, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        l->ring[l->tail++ & (LINES_RING - 1)] = (uint8_t)p[i];
}

static uint8_t pop(struct lines *l)
{
    return l->ring[l->head++ & (LINES_RING - 1)];
}

static size_t share(unsigned int writer)
{
    return writer == LINES_HOST ? LINES_SHARE_HOST : LINES_SHARE;
}

static bool has_room(const struct lines *l, unsigned int writer, size_t length)
{
    return l->writers[writer].in_ring + HEADER + length <= share(writer);
}

static void begin_line(struct lines *l, unsigned int writer, size_t length)
{
    char header[HEADER] = {(char)writer, (char)(length & 0xff), (char)(length >> 8)};

    ASSERT(l->tail - l->head + HEADER + length <= LINES_RING);
    push(l, header, HEADER);
    l->writers[writer].in_ring += HEADER + length;
}

size_t lines_take(struct lines *l, char *out, size_t max)
{
    size_t n = 0;

    while (n < max && !lines_empty(l)) {
        if (l->left == 0) {
            l->leaving = pop(l);
            l->left = pop(l);
            l->left |= (size_t)pop(l) << 8;
            l->writers[l->leaving].in_ring -= HEADER;
        }
        out[n++] = (char)pop(l);
        l->left--;
        l->writers[l->leaving].in_ring--;
    }
    return n;
}

bool lines_empty(const struct lines *l)
{
    return l->head == l->tail;
}

bool lines_host(struct lines *l, const char *text, size_t n)
{
    if (n > LINES_HOST_MAX - 1)
        n = LINES_HOST_MAX - 1;
    if (!has_room(l, LINES_HOST, n + 1))
        return false;
    begin_line(l, LINES_HOST, n + 1);
    push(l, text, n);
    push(l, "\n", 1);
    return true;
}

/* ---- guests ---- */

/* Puts what is begun into the ring, if there is room. */
static bool send(struct lines *l, unsigned int writer)
{
    struct line_writer *w = &l->writers[writer];
    size_t name = strlen(w->name);
    size_t all = name + 2 + w->length + 1;

    w->full = !has_room(l, writer, all);
    if (w->full)
        return false;
    begin_line(l, writer, all);
    push(l, w->name, name);
    push(l, "| ", 2);
    push(l, w->text, w->length);
    push(l, "\n", 1);
    w->unsent = false;
    w->length = 0;
    return true;
}

bool lines_flush(struct lines *l, unsigned int writer)
{
    struct line_writer *w = &l->writers[writer];

    if (!w->unsent)
        return true;
    if (!w->full) /* else it is known already how it ended */
        w->partial = true;
    return send(l, writer);
}

bool lines_ready(struct lines *l, unsigned int writer)
{
    return !l->writers[writer].full || send(l, writer);
}

void lines_putc(struct lines *l, unsigned int writer, uint8_t byte, uint64_t now)
{
    struct line_writer *w = &l->writers[writer];

    if (w->full && !send(l, writer)) {
        w->dropped++; /* it did not look at its transmitter */
        return;
    }
    if (byte == '\r')
        return;
    if (byte == '\n') {
        bool empty = w->partial && w->length == 0;

        w->partial = false;
        if (!empty) {
            w->unsent = true;
            send(l, writer);
        }
        return;
    }
    w->unsent = true;
    w->last = now;
    w->text[w->length++] = (char)byte;
    if (w->length == LINES_TEXT)
        lines_flush(l, writer);
}

void lines_flush_silent(struct lines *l, uint64_t since)
{
    for (unsigned int i = 0; i < LINES_VMS; i++) {
        struct line_writer *w = &l->writers[i];

        if (w->full || (w->unsent && w->last <= since))
            lines_flush(l, i);
    }
}

uint64_t lines_oldest(const struct lines *l)
{
    uint64_t oldest = UINT64_MAX;

    for (unsigned int i = 0; i < LINES_VMS; i++) {
        const struct line_writer *w = &l->writers[i];

        if (w->unsent && !w->full && w->last < oldest)
            oldest = w->last;
    }
    return oldest;
}
