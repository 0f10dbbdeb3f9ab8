/* What the compiler may call by itself, and little more. */
#ifndef GUESTS_LIB_STRING_H
#define GUESTS_LIB_STRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int value, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/* floor(a * b / c) by a 128-bit product. The quotient must fit: the processor raises #DE if not. */
uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c);

/* ---- the words of a command line: NAME=VALUE, separated by spaces ---- */

/* Points to the value of the word NAME= and gives its length, or NULL. The last one counts. */
const char *word_find(const char *cmdline, const char *name, size_t *length);
bool word_is(const char *cmdline, const char *name, const char *value);
/* A decimal value, or fallback where the word is missing; a value that is no number sets *bad. */
uint64_t word_number(const char *cmdline, const char *name, uint64_t fallback, bool *bad);
/* Prints "unknown word W" for each word that is none of names (a NULL-terminated list); the first word may be
 * the image's name. Returns true if there was none. */
bool words_check(const char *cmdline, const char *const *names);

#endif
