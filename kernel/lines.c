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
    l->eol = "\n";
    l->terminal = LINES_NOBODY;
}

void lines_name(struct lines *l, unsigned int writer, const char *name)
{
    struct line_writer *w = &l->writers[writer];
    size_t n = strlen(name);

    if (writer < LINES_VMS && writer >= l->vms)
        l->vms = writer + 1;

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

/* False: it makes no sense, for a panic has come while the ring was written or read. The rest is lost. */
static bool take_header(struct lines *l)
{
    if (l->tail - l->head > HEADER) {
        l->leaving = pop(l);
        l->left = pop(l);
        l->left |= (size_t)pop(l) << 8;
        if (l->leaving < LINES_WRITERS && l->left > 0 && l->left <= l->tail - l->head) {
            l->writers[l->leaving].in_ring -= HEADER;
            return true;
        }
    }
    l->head = l->tail;
    l->left = 0;
    return false;
}

/* The next byte of the lines in the ring; false: none. */
static bool take_line_byte(struct lines *l, char *c)
{
    if (l->head == l->tail || (l->left == 0 && !take_header(l)))
        return false;
    *c = (char)pop(l);
    l->left--;
    l->writers[l->leaving].in_ring--;
    return true;
}

static bool take_raw_byte(struct lines *l, char *c)
{
    if (l->raw_head == l->raw_tail)
        return false;
    *c = (char)l->raw[l->raw_head++ & (LINES_RAW - 1)];
    return true;
}

/* A line that has begun to leave ends first; then what is older goes before what is newer. */
static bool take(struct lines *l, char *c)
{
    if (l->left > 0)
        return take_line_byte(l, c);
    if (backlog_inside(&l->backlog))
        return backlog_take(&l->backlog, c);
    if (l->before - l->head - 1 < LINES_RING) /* before is after head */
        return take_line_byte(l, c);
    return take_raw_byte(l, c) || (!l->held && (backlog_take(&l->backlog, c) || take_line_byte(l, c)));
}

size_t lines_take(struct lines *l, char *out, size_t max)
{
    size_t n = 0;

    while (n < max && take(l, &out[n]))
        n++;
    return n;
}

bool lines_empty(const struct lines *l)
{
    return l->head == l->tail && l->raw_head == l->raw_tail && (l->held || backlog_empty(&l->backlog));
}

/* ---- bytes as they are ---- */

size_t lines_room(const struct lines *l)
{
    return LINES_RAW - (l->raw_tail - l->raw_head);
}

bool lines_say(struct lines *l, const char *text, size_t n)
{
    if (n > lines_room(l))
        return false;
    for (size_t i = 0; i < n; i++)
        l->raw[l->raw_tail++ & (LINES_RAW - 1)] = (uint8_t)text[i];
    if (n > 0)
        l->midline = text[n - 1] != '\n';
    return true;
}

/* A line of the hypervisor between a guest's bytes, or in the place of the monitor's prompt. */
static bool interrupt(struct lines *l, const char *text, size_t n)
{
    const char *before = !l->midline ? "" : l->terminal == LINES_NOBODY ? "\r\033[K" : "\r\n";

    if (lines_room(l) < strlen(before) + n + 2)
        return false;
    lines_say(l, before, strlen(before));
    lines_say(l, text, n);
    lines_say(l, "\r\n", 2);
    l->interrupted = true;
    return true;
}

bool lines_host(struct lines *l, const char *text, size_t n)
{
    size_t eol = strlen(l->eol);

    if (n > LINES_HOST_MAX - 2)
        n = LINES_HOST_MAX - 2;
    if (l->held)
        return interrupt(l, text, n);
    if (!has_room(l, LINES_HOST, n + eol))
        return false;
    begin_line(l, LINES_HOST, n + eol);
    push(l, text, n);
    push(l, l->eol, eol);
    return true;
}

size_t lines_host_room(const struct lines *l)
{
    size_t around =
        HEADER + 5; /* what interrupt() puts before a line and behind it, or the ring's header and CR LF */
    size_t room = l->held ? lines_room(l) : LINES_SHARE_HOST - l->writers[LINES_HOST].in_ring;

    return room > around ? room - around : 0;
}

/* ---- the operator's view ---- */

static void hold(struct lines *l, uint32_t terminal)
{
    if (!l->held)
        l->before = l->tail;
    l->held = true;
    l->terminal = terminal;
}

void lines_view_all(struct lines *l)
{
    if (l->held && l->midline)
        lines_say(l, "\r\n", 2);
    l->held = false;
    l->terminal = LINES_NOBODY;
}

void lines_view_monitor(struct lines *l)
{
    if (l->terminal != LINES_NOBODY && l->midline)
        lines_say(l, "\r\n", 2);
    hold(l, LINES_NOBODY);
}

/* What the guest has begun to write, a prompt most of the time, is where it goes on. */
void lines_view_terminal(struct lines *l, unsigned int writer)
{
    struct line_writer *w = &l->writers[writer];

    if (l->terminal == writer)
        return;
    if (w->partial && w->length == 0)
        lines_say(l, w->text, w->shown);
    lines_say(l, w->text, w->length);
    if (w->full && !w->partial)
        lines_say(l, "\r\n", 2); /* a whole line that waited for room */
    else
        w->partial = w->partial || w->length > 0;
    w->unsent = false;
    w->full = false;
    w->length = 0;
    w->shown = 0;
    hold(l, writer);
}

void lines_crlf(struct lines *l)
{
    l->eol = "\r\n";
}

/* ---- guests ---- */

/* What is begun goes to the backlog, which has room always. */
static void keep(struct lines *l, struct line_writer *w)
{
    backlog_add(&l->backlog, w->name, strlen(w->name));
    backlog_add(&l->backlog, "| ", 2);
    backlog_add(&l->backlog, w->text, w->length);
    backlog_add(&l->backlog, l->eol, strlen(l->eol));
}

/* What is begun goes to the ring, if there is room. */
static bool enter(struct lines *l, unsigned int writer)
{
    struct line_writer *w = &l->writers[writer];
    size_t name = strlen(w->name);
    size_t eol = strlen(l->eol);
    size_t all = name + 2 + w->length + eol;

    w->full = !has_room(l, writer, all);
    if (w->full)
        return false;
    begin_line(l, writer, all);
    push(l, w->name, name);
    push(l, "| ", 2);
    push(l, w->text, w->length);
    push(l, l->eol, eol);
    return true;
}

static bool send(struct lines *l, unsigned int writer)
{
    struct line_writer *w = &l->writers[writer];

    if (l->held)
        keep(l, w);
    else if (!enter(l, writer))
        return false;
    w->full = false;
    w->unsent = false;
    w->shown = w->length;
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
    if (l->terminal == writer)
        return l->raw_tail - l->raw_head < LINES_RAW_GUEST;
    return !l->writers[writer].full || send(l, writer);
}

static void end_line(struct lines *l, unsigned int writer)
{
    struct line_writer *w = &l->writers[writer];
    bool empty;

    w->length += printable_end(&w->printable, w->text + w->length);
    empty = w->partial && w->length == 0;
    w->partial = false;
    if (empty)
        return;
    w->unsent = true;
    send(l, writer);
}

/* A terminal's bytes as they are. Where its lines end is noted for the time after. */
static void terminal_byte(struct lines *l, struct line_writer *w, uint8_t byte)
{
    char c = (char)byte;

    if (!lines_say(l, &c, 1))
        w->dropped++;
    if (byte != '\r')
        w->partial = byte != '\n';
}

void lines_putc(struct lines *l, unsigned int writer, uint8_t byte, uint64_t now)
{
    struct line_writer *w = &l->writers[writer];

    if (l->terminal == writer) {
        terminal_byte(l, w, byte);
        return;
    }
    if (w->full && !send(l, writer)) {
        w->dropped++; /* it did not look at its transmitter */
        return;
    }
    if (byte == '\r')
        return;
    if (byte == '\n') {
        end_line(l, writer);
        return;
    }
    w->last = now;
    w->length += printable_put(&w->printable, byte, w->text + w->length);
    w->unsent = w->length > 0;
    if (w->length >= LINES_TEXT)
        lines_flush(l, writer);
}

void lines_flush_silent(struct lines *l, uint64_t since)
{
    for (unsigned int i = 0; i < l->vms; i++) {
        struct line_writer *w = &l->writers[i];

        if (w->full || (w->unsent && w->last <= since))
            lines_flush(l, i);
    }
}

uint64_t lines_oldest(const struct lines *l)
{
    uint64_t oldest = UINT64_MAX;

    for (unsigned int i = 0; i < l->vms; i++) {
        const struct line_writer *w = &l->writers[i];

        if (w->unsent && !w->full && w->last < oldest)
            oldest = w->last;
    }
    return oldest;
}
