/* A ring of lines that forgets the oldest; see backlog.h. */
#include "kernel/backlog.h"

_Static_assert((BACKLOG_SIZE & (BACKLOG_SIZE - 1)) == 0, "positions are taken modulo the size");

static char at(const struct backlog *b, size_t position)
{
    return b->text[position & (BACKLOG_SIZE - 1)];
}

static void forget_line(struct backlog *b)
{
    while (b->head != b->tail && at(b, b->head++) != '\n')
        ;
    b->cut = b->cut || b->inside;
    b->inside = false;
    b->lost++;
}

void backlog_add(struct backlog *b, const char *text, size_t n)
{
    while (b->head != b->tail && b->tail - b->head + n > BACKLOG_SIZE)
        forget_line(b);
    for (size_t i = 0; i < n; i++)
        b->text[b->tail++ & (BACKLOG_SIZE - 1)] = text[i];
}

bool backlog_take(struct backlog *b, char *c)
{
    if (b->cut) {
        b->cut = false;
        *c = '\n';
        return true;
    }
    if (b->head == b->tail)
        return false;
    *c = at(b, b->head++);
    b->inside = *c != '\n';
    return true;
}

bool backlog_inside(const struct backlog *b)
{
    return b->inside || b->cut;
}

bool backlog_empty(const struct backlog *b)
{
    return b->head == b->tail && !b->cut;
}

unsigned long backlog_lost(struct backlog *b)
{
    unsigned long lost = b->lost;

    b->lost = 0;
    return lost;
}
