/* A line editor for one operator: history, completion, the usual keys. Pure: bytes in, bytes out.
 *
 * Input is hostile: arrow keys come as escape sequences, and so may the answers of a terminal that a guest
 * has asked something. Sequences without a meaning here, strings (OSC, DCS, ...) and bytes that are no ASCII
 * are swallowed whole, so nothing of them is taken for typing. */
#ifndef KERNEL_EDITOR_H
#define KERNEL_EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDITOR_LINE    120 /* longest line, without the closing 0 */
#define EDITOR_COLUMNS 80  /* of the narrowest terminal: a longer line is shown in part, around the cursor */
#define EDITOR_HISTORY 32  /* lines; a power of two */

enum editor_event {
    EDITOR_MORE,      /* nothing yet */
    EDITOR_LINE_DONE, /* Enter: the line is in editor.line; call editor_begin() for the next one */
    EDITOR_LEAVE,     /* Ctrl-D on an empty line */
};

/* Where the output goes. */
typedef void (*editor_write)(const char *text, size_t n);

/* Completion: the candidates for the word that ends at the cursor (line is cut there). Called with i = 0, 1,
 * ... until it returns NULL; *start is the offset at which the word begins. */
typedef const char *(*editor_candidate)(const char *line, unsigned int i, size_t *start);

enum editor_keys { KEYS_PLAIN, KEYS_ESC, KEYS_CSI, KEYS_SS3, KEYS_STRING, KEYS_STRING_ESC };

struct editor {
    editor_write write;
    editor_candidate candidate;
    const char *prompt;
    char line[EDITOR_LINE + 1];
    size_t length, cursor;
    size_t first; /* what is shown of the line begins there */
    bool tab;     /* the last key was a Tab that could not complete: the next one lists */
    bool cr;      /* the last key was CR: an LF that follows belongs to it */
    enum editor_keys state;
    uint8_t number; /* the first parameter of a CSI sequence */
    char history[EDITOR_HISTORY][EDITOR_LINE + 1];
    unsigned int lines; /* ever entered into the history */
    unsigned int back;  /* how far up in it; 0: the line being typed, which is kept in `typed` */
    char typed[EDITOR_LINE + 1];
};

void editor_init(struct editor *e, const char *prompt, editor_write write, editor_candidate candidate);

/* An empty line, and the prompt. */
void editor_begin(struct editor *e);
/* The prompt and the line once more: something else has been written meanwhile. */
void editor_redraw(struct editor *e);

enum editor_event editor_key(struct editor *e, uint8_t byte);

#endif
