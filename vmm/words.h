/* Words of a command line and the values in them: numbers, sizes, times; and which known word a misspelt one
 * is nearest to. Pure; the words come from a person. */
#ifndef VMM_WORDS_H
#define VMM_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The words of one line, cut up in place. */
struct words {
    char *next;
    char *end;  /* the words before `--` lie in [next, end), each closed by a 0 */
    char *rest; /* what follows `--`, uncut and without leading blanks; "" if nothing; NULL if there is no
                   `--` */
};

/* Cuts a line at its blanks, up to a word `--`. Quotes are not special. */
void words_split(struct words *w, char *line);
/* The next word, or NULL. */
char *words_next(struct words *w);

/* A decimal number and nothing else, at most max. */
bool words_number(const char *s, uint64_t max, uint64_t *out);
/* A number of bytes: digits and K, M, G or nothing; at most max. */
bool words_size(const char *s, uint64_t max, uint64_t *out);
/* A time in ns: digits and ns, us, ms or s (only 0 needs no unit); at most max. */
bool words_time(const char *s, uint64_t max, uint64_t *out);

/* Whether `known` is what a person may have meant by `word` (both up to a '='), and is nearer to it than
 * *best, which then becomes its distance. To begin with *best is WORDS_FAR. Half of a short word must be
 * right. */
bool words_nearer(const char *word, const char *known, unsigned int *best);
#define WORDS_FAR 3u

/* A word for an error text: cut if long, so that an error stays one line; unprintable characters replaced. */
#define WORD_SHOWN 40u
void words_shown(char out[WORD_SHOWN + 4], const char *word);

/* A setting: `NAME=VALUE` (name ends in '=') or a bare word. The same table serves the parser and its error
 * texts. */
struct setting {
    const char *name;
    const char *form; /* what it takes, for the error text */
    bool (*parse)(void *target, const char *value);
};

/* Looks a word up in the table and lets its entry parse the value into target; *given has a bit for each
 * entry (at most 32), since a setting is given once. On failure: false, and what is wrong, naming the word,
 * in why. */
bool words_apply(const struct setting *table, unsigned int n, void *target, uint32_t *given, const char *word,
                 char *why, size_t size);

#endif
