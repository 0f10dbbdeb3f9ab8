/* The line editor; see editor.h. Keys are Emacs's and every shell's. Ctrl-A never comes here alone: it is the
 * console's (kernel/input.h). */
#include "kernel/editor.h"

#include "vmm/string.h"

#define CTRL(c) ((c)-0x40)
#define ESC     0x1b
#define CAN     0x18
#define SUB     0x1a
#define BEL     0x07
#define DEL     0x7f

/* ---- output ---- */

static void put(struct editor *e, const char *text)
{
    e->write(text, strlen(text));
}

static void bell(struct editor *e)
{
    put(e, "\a");
}

static void move_left(struct editor *e, size_t n)
{
    while (n-- > 0)
        put(e, "\b");
}

/* How much of the line is shown. The last column is the cursor's only: a terminal that has been written to
 * its edge is at the next row, and backspaces do not lead out of that. */
static size_t width(const struct editor *e)
{
    return EDITOR_COLUMNS - 1 - strlen(e->prompt);
}

/* What is shown from the cursor's old place on; the cursor ends where it belongs. */
static void show_rest(struct editor *e, size_t from)
{
    size_t end = e->first + width(e) < e->length ? e->first + width(e) : e->length;

    e->write(e->line + from, end - from);
    put(e, "\033[K");
    move_left(e, end - e->cursor);
}

/* True if the cursor has left what is shown, which is now around it and has to be drawn. */
static bool scroll(struct editor *e)
{
    if (e->cursor >= e->first && e->cursor <= e->first + width(e))
        return false;
    e->first = e->cursor > width(e) / 2 ? e->cursor - width(e) / 2 : 0;
    return true;
}

void editor_redraw(struct editor *e)
{
    put(e, "\r");
    put(e, e->prompt);
    scroll(e);
    show_rest(e, e->first);
}

/* ---- the line ---- */

void editor_init(struct editor *e, const char *prompt, editor_write write, editor_candidate candidate)
{
    memset(e, 0, sizeof *e);
    e->prompt = prompt;
    e->write = write;
    e->candidate = candidate;
}

void editor_begin(struct editor *e)
{
    e->length = 0;
    e->cursor = 0;
    e->first = 0;
    e->line[0] = 0;
    e->back = 0;
    e->tab = false;
    put(e, e->prompt);
}

static void insert(struct editor *e, const char *text, size_t n)
{
    if (e->length + n > EDITOR_LINE) {
        bell(e);
        return;
    }
    memmove(e->line + e->cursor + n, e->line + e->cursor, e->length - e->cursor + 1);
    memcpy(e->line + e->cursor, text, n);
    e->length += n;
    e->cursor += n;
    if (scroll(e))
        editor_redraw(e);
    else if (e->cursor == e->length)
        e->write(text, n); /* by far the most frequent: no more than what was typed */
    else
        show_rest(e, e->cursor - n);
}

/* Takes out [from, to), which the cursor is in or next to. */
static void delete_range(struct editor *e, size_t from, size_t to)
{
    size_t back = e->cursor - from;

    memmove(e->line + from, e->line + to, e->length - to + 1);
    e->length -= to - from;
    e->cursor = from;
    if (scroll(e)) {
        editor_redraw(e);
        return;
    }
    move_left(e, back);
    show_rest(e, from);
}

static void go(struct editor *e, size_t to)
{
    size_t old = e->cursor;

    e->cursor = to;
    if (scroll(e))
        editor_redraw(e);
    else if (to < old)
        move_left(e, old - to);
    else
        e->write(e->line + old, to - old);
}

static size_t word_start(const struct editor *e)
{
    size_t at = e->cursor;

    while (at > 0 && e->line[at - 1] == ' ')
        at--;
    while (at > 0 && e->line[at - 1] != ' ')
        at--;
    return at;
}

/* ---- history ---- */

static char *history(struct editor *e, unsigned int back)
{
    return e->history[(e->lines - back) % EDITOR_HISTORY];
}

static void remember(struct editor *e)
{
    if (e->length == 0 || (e->lines > 0 && strcmp(history(e, 1), e->line) == 0))
        return;
    memcpy(e->history[e->lines++ % EDITOR_HISTORY], e->line, e->length + 1);
}

static void recall(struct editor *e, unsigned int back)
{
    unsigned int most = e->lines < EDITOR_HISTORY ? e->lines : EDITOR_HISTORY;

    if (back > most) {
        bell(e);
        return;
    }
    if (e->back == 0)
        memcpy(e->typed, e->line, e->length + 1);
    e->back = back;
    memcpy(e->line, back == 0 ? e->typed : history(e, back), sizeof e->line);
    e->length = strlen(e->line);
    e->cursor = e->length;
    e->first = 0;
    editor_redraw(e);
}

static void recall_later(struct editor *e)
{
    if (e->back == 0)
        bell(e);
    else
        recall(e, e->back - 1);
}

/* ---- completion ---- */

/* The line up to the cursor, for whoever completes it. */
static const char *before_cursor(const struct editor *e, char out[EDITOR_LINE + 1])
{
    memcpy(out, e->line, e->cursor);
    out[e->cursor] = 0;
    return out;
}

static void list_candidates(struct editor *e, const char *line)
{
    const char *name;
    size_t start;

    put(e, "\r\n");
    for (unsigned int i = 0; (name = e->candidate(line, i, &start)) != NULL; i++) {
        put(e, name);
        put(e, "  ");
    }
    put(e, "\r\n");
    editor_redraw(e);
}

/* Tab: what all candidates have in common is typed, with a blank behind a single one. If that is nothing new,
 * a second Tab lists them. */
static void complete(struct editor *e, bool again)
{
    char line[EDITOR_LINE + 1];
    const char *first, *other;
    size_t start, common;
    unsigned int n = 1;

    before_cursor(e, line);
    first = e->candidate(line, 0, &start);
    if (!first) {
        bell(e);
        return;
    }
    common = strlen(first);
    for (; (other = e->candidate(line, n, &start)) != NULL; n++) {
        while (strncmp(first, other, common) != 0)
            common--;
    }
    if (common > e->cursor - start)
        insert(e, first + (e->cursor - start), common - (e->cursor - start));
    else if (n > 1 && again)
        list_candidates(e, line);
    else if (n > 1)
        bell(e);
    if (n == 1 && common > 0 && first[common - 1] != '=')
        insert(e, " ", 1);
    e->tab = n > 1;
}

/* ---- keys ---- */

static enum editor_event enter(struct editor *e)
{
    put(e, "\r\n");
    remember(e);
    return EDITOR_LINE_DONE;
}

static void cancel(struct editor *e)
{
    put(e, "^C\r\n");
    editor_begin(e);
}

static void delete_at_cursor(struct editor *e)
{
    if (e->cursor < e->length)
        delete_range(e, e->cursor, e->cursor + 1);
    else
        bell(e);
}

static void backspace(struct editor *e)
{
    if (e->cursor > 0)
        delete_range(e, e->cursor - 1, e->cursor);
    else
        bell(e);
}

static void left(struct editor *e)
{
    if (e->cursor > 0)
        go(e, e->cursor - 1);
}

static void right(struct editor *e)
{
    if (e->cursor < e->length)
        go(e, e->cursor + 1);
}

static void clear_screen(struct editor *e)
{
    put(e, "\033[H\033[2J");
    editor_redraw(e);
}

static enum editor_event control(struct editor *e, uint8_t byte, bool tab)
{
    switch (byte) {
    case '\r':
    case '\n':
        return enter(e);
    case '\t':
        complete(e, tab);
        break;
    case CTRL('A'):
        go(e, 0);
        break;
    case CTRL('B'):
        left(e);
        break;
    case CTRL('C'):
        cancel(e);
        break;
    case CTRL('D'):
        if (e->length == 0)
            return EDITOR_LEAVE;
        delete_at_cursor(e);
        break;
    case CTRL('E'):
        go(e, e->length);
        break;
    case CTRL('F'):
        right(e);
        break;
    case CTRL('H'):
    case DEL:
        backspace(e);
        break;
    case CTRL('K'):
        delete_range(e, e->cursor, e->length);
        break;
    case CTRL('L'):
        clear_screen(e);
        break;
    case CTRL('N'):
        recall_later(e);
        break;
    case CTRL('P'):
        recall(e, e->back + 1);
        break;
    case CTRL('U'):
        delete_range(e, 0, e->cursor);
        break;
    case CTRL('W'):
        delete_range(e, word_start(e), e->cursor);
        break;
    case ESC:
        e->state = KEYS_ESC;
        break;
    default:
        bell(e);
    }
    return EDITOR_MORE;
}

/* ECMA-48 and xterm: what cursor keys send, after CSI or SS3; `number` as in CSI 3 ~. */
static void cursor_key(struct editor *e, uint8_t final, uint8_t number)
{
    switch (final == '~' ? number : final) {
    case 'A':
        recall(e, e->back + 1);
        break;
    case 'B':
        recall_later(e);
        break;
    case 'C':
        right(e);
        break;
    case 'D':
        left(e);
        break;
    case 'H':
    case 1:
    case 7:
        go(e, 0);
        break;
    case 'F':
    case 4:
    case 8:
        go(e, e->length);
        break;
    case 3:
        delete_at_cursor(e);
        break;
    default: /* another key, or a terminal's answer */
        break;
    }
}

/* Inside an escape sequence (ECMA-48, 5.3 and 5.4; strings: 5.6). */
static void sequence(struct editor *e, uint8_t byte)
{
    if (byte == CAN || byte == SUB) {
        e->state = KEYS_PLAIN;
        return;
    }
    switch (e->state) {
    case KEYS_ESC:
        e->number = 0;
        e->state = byte == '['                                                               ? KEYS_CSI
                   : byte == 'O'                                                             ? KEYS_SS3
                   : byte == ']' || byte == 'P' || byte == '^' || byte == '_' || byte == 'X' ? KEYS_STRING
                   : byte >= 0x20 && byte <= 0x2f ? KEYS_ESC /* an intermediate byte */
                                                  : KEYS_PLAIN;
        break;
    case KEYS_CSI:
        if (byte >= '0' && byte <= '9')
            e->number = (uint8_t)(e->number < 20 ? e->number * 10 + (byte - '0') : 200);
        else if (byte >= 0x40 && byte <= 0x7e) {
            e->state = KEYS_PLAIN;
            cursor_key(e, byte, e->number);
        }
        break;
    case KEYS_SS3:
        e->state = KEYS_PLAIN;
        cursor_key(e, byte, 0);
        break;
    case KEYS_STRING:
        e->state = byte == BEL ? KEYS_PLAIN : byte == ESC ? KEYS_STRING_ESC : KEYS_STRING;
        break;
    case KEYS_STRING_ESC:
        e->state = byte == '\\' ? KEYS_PLAIN : KEYS_STRING;
        break;
    case KEYS_PLAIN:
        break;
    }
}

enum editor_event editor_key(struct editor *e, uint8_t byte)
{
    bool after_cr = e->cr;
    bool tab = e->tab;
    char c = (char)byte;

    e->cr = byte == '\r';
    e->tab = false;
    if (e->state != KEYS_PLAIN) {
        /* Enter always is one: a string that never ends must not keep the operator out. */
        if (byte != '\r') {
            sequence(e, byte);
            return EDITOR_MORE;
        }
        e->state = KEYS_PLAIN;
    }
    if (byte == '\n' && after_cr)
        return EDITOR_MORE;
    if (byte < ' ' || byte == DEL)
        return control(e, byte, tab);
    if (byte < 0x80)
        insert(e, &c, 1);
    else
        bell(e);
    return EDITOR_MORE;
}
