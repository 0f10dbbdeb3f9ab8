/* Lines of a table of commands; see command.h. */
#include "kernel/command.h"

#include <stdbool.h>

#include "vmm/string.h"
#include "vmm/words.h"

unsigned int command_split(char *line, char *argv[COMMAND_WORDS])
{
    unsigned int n = 0;

    for (;;) {
        while (*line == ' ')
            *line++ = 0;
        if (*line == 0)
            return n;
        if (n < COMMAND_WORDS)
            argv[n] = line;
        n++;
        while (*line != 0 && *line != ' ')
            line++;
    }
}

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

const struct command *command_find(const struct command_set *set, const char *word, unsigned int *several)
{
    const struct command *found = NULL;

    *several = 0;
    for (unsigned int i = 0; i < set->n; i++) {
        if (!begins(set->table[i].name, word))
            continue;
        found = &set->table[i];
        ++*several;
        if (strcmp(found->name, word) == 0) {
            *several = 1;
            return found;
        }
    }
    return *several == 1 ? found : NULL;
}

const char *command_meant(const struct command_set *set, const char *word)
{
    unsigned int best_distance = WORDS_FAR;
    const char *best = NULL;

    for (unsigned int i = 0; i < set->n; i++) {
        if (words_nearer(word, set->table[i].name, &best_distance))
            best = set->table[i].name;
    }
    return best;
}

const char *command_meant_of(command_names names, const char *word)
{
    unsigned int best_distance = WORDS_FAR;
    const char *best = NULL;
    const char *name;

    for (unsigned int i = 0; (name = names(i)) != NULL; i++) {
        if (begins(name, word))
            return name;
        if (words_nearer(word, name, &best_distance))
            best = name;
    }
    return best;
}

/* ---- completion ---- */

/* The i-th of the names that begin so. */
static const char *nth(command_names names, const char *prefix, unsigned int i)
{
    const char *name;

    for (unsigned int k = 0; (name = names(k)) != NULL; k++) {
        if (begins(name, prefix) && i-- == 0)
            return name;
    }
    return NULL;
}

static const char *nth_command(const struct command_set *set, const char *prefix, unsigned int i)
{
    for (unsigned int k = 0; k < set->n; k++) {
        if (begins(set->table[k].name, prefix) && i-- == 0)
            return set->table[k].name;
    }
    return NULL;
}

/* Which word of the line its end is in, 0 for the first, and where that word begins. */
static unsigned int last_word(const char *line, size_t *start)
{
    unsigned int words = 0;
    size_t at = 0;

    *start = 0;
    for (;;) {
        while (line[at] == ' ')
            at++;
        *start = at;
        if (line[at] == 0)
            return words;
        while (line[at] != 0 && line[at] != ' ')
            at++;
        if (line[at] == 0)
            return words;
        words++;
    }
}

/* The command that word `number` of a line is completed for; *number becomes the word's place in it. `watch`
 * takes another command's words. */
static const struct command *command_at(const struct command_set *set, const char *line, unsigned int *number)
{
    const struct command *c = NULL;
    char word[32];
    size_t n;
    unsigned int several;

    for (; *number > 0; --*number) {
        while (*line == ' ')
            line++;
        for (n = 0; line[n] != 0 && line[n] != ' ' && n < sizeof word - 1; n++)
            word[n] = line[n];
        word[n] = 0;
        c = command_find(set, word, &several);
        if (!c || c->arg[0] != ARG_COMMAND || *number == 1)
            return c;
        line += n;
    }
    return c;
}

const char *command_candidate(const struct command_set *set, const char *line, unsigned int i, size_t *start)
{
    unsigned int number = last_word(line, start);
    const char *prefix = line + *start;
    const struct command *c;
    enum command_arg kind;

    if (number == 0)
        return nth_command(set, prefix, i);
    c = command_at(set, line, &number);
    if (!c || number > c->max)
        return NULL;
    kind = c->arg[number == 1 ? 0 : 1];
    if (kind == ARG_COMMAND)
        return nth_command(set, prefix, i);
    return set->names[kind] ? nth(set->names[kind], prefix, i) : NULL;
}
