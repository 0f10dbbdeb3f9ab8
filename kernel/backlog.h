/* The lines that were not shown while the operator looked at something else: the latest of them, whole.
 * Pure. */
#ifndef KERNEL_BACKLOG_H
#define KERNEL_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKLOG_SIZE 32768u /* a power of two */

struct backlog {
    char text[BACKLOG_SIZE];
    size_t head, tail;  /* free-running */
    bool inside;        /* the line at head has begun to leave */
    bool cut;           /* ... and its rest was forgotten: a newline is due */
    unsigned long lost; /* lines that made room for later ones, since the last backlog_lost() */
};

/* Adds a piece of a line; the last piece ends with '\n'. n is far less than BACKLOG_SIZE. Whole lines leave
 * at the other end to make room. */
void backlog_add(struct backlog *b, const char *text, size_t n);

/* The next byte; false: none. */
bool backlog_take(struct backlog *b, char *c);

/* A line has left in part: the rest of it must follow. */
bool backlog_inside(const struct backlog *b);
bool backlog_empty(const struct backlog *b);

/* How many lines were lost since this was last asked. */
unsigned long backlog_lost(struct backlog *b);

#endif
