/* Commands as data: how a typed line is taken apart, found in a table, completed, and what was meant by a
 * wrong word. Pure; the monitor brings the table. */
#ifndef KERNEL_COMMAND_H
#define KERNEL_COMMAND_H

#include <stddef.h>

#define COMMAND_WORDS 10 /* of a line, the command's name included */

/* What an argument may be: which names complete it. */
enum command_arg { ARG_NONE, ARG_VM, ARG_MEANING, ARG_SETTING, ARG_COMMAND, ARG_TRACE, ARG_KINDS };

struct command {
    const char *name;
    const char *args;                            /* as the help shows them */
    const char *help;                            /* one phrase */
    unsigned int min, max;                       /* how many arguments it takes */
    enum command_arg arg[2];                     /* the first one, and the others */
    void (*run)(unsigned int argc, char **argv); /* argv[0] is the name in full */
};

/* The names that an argument can be, i = 0, 1, ... to NULL. */
typedef const char *(*command_names)(unsigned int i);

struct command_set {
    const struct command *table;
    unsigned int n;
    command_names names[ARG_KINDS]; /* NULL: none */
};

/* Cuts a line at its blanks, in place. Returns how many words there are; more than COMMAND_WORDS are counted
 * and not kept. */
unsigned int command_split(char *line, char *argv[COMMAND_WORDS]);

/* The command of that name, or the only one that begins so. NULL: none, or several (*several: how many). */
const struct command *command_find(const struct command_set *set, const char *word, unsigned int *several);

/* The name that was most likely meant, or NULL. */
const char *command_meant(const struct command_set *set, const char *word);
const char *command_meant_of(command_names names, const char *word);

/* Completion as the editor wants it (kernel/editor.h). */
const char *command_candidate(const struct command_set *set, const char *line, unsigned int i, size_t *start);

#endif
