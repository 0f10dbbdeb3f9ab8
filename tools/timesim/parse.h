/* The words of a scenario's line. */
#ifndef TIMESIM_PARSE_H
#define TIMESIM_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scenario.h"

/* Where an error is, for its message. */
struct place {
    const char *file;
    size_t line;
};

/* Prints "timesim: FILE:LINE: message" on standard error. Returns false, for `return parse_error(...)`. */
bool parse_error(const struct place *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number from 0 to 2^62, in decimal digits; `what` names it in the error. */
bool parse_number(const struct place *p, const char *what, const char *text, uint64_t *value);

/* "first=AT period=P" or "at=AT[,AT...]" as the words of a set or a timer line. */
bool parse_plan(const struct place *p, char *const *words, size_t count, struct plan *plan);

/* The words of a policy line. */
bool parse_policy(const struct place *p, char *const *words, size_t count, struct vtime_policy *policy);

/* If `word` is "key=value", the value; else NULL. */
const char *parse_value(const char *word, const char *key);

/* realloc that ends the program where there is no memory. */
void *parse_grow(void *array, size_t count, size_t size);
char *parse_copy(const char *text);

#endif
