#include "scenario.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

/* ---- lines ---- */

struct line {
    char *text;
    size_t size;
    char **words;
    size_t count;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '\v' || c == '\f';
}

/* One line without its end, of any length. False at the end of the file. A NUL, which would end its text
 * early, becomes a character that no word has. */
static bool read_text(FILE *file, struct line *line)
{
    size_t length = 0;
    int c;

    while ((c = getc(file)) != EOF && c != '\n') {
        if (length + 1 >= line->size) {
            line->size = line->size * 2 + 64;
            line->text = parse_grow(line->text, line->size, 1);
        }
        line->text[length++] = c != '\0' ? (char)c : '\1';
    }
    if (length == 0 && c == EOF) {
        return false;
    }
    line->text = parse_grow(line->text, line->size + length, 1);
    line->size += length;
    line->text[length] = '\0';
    return true;
}

/* Cuts the text into words, up to a comment. */
static void split(struct line *line)
{
    char *c = line->text;

    line->count = 0;
    c[strcspn(c, "#")] = '\0';
    for (;;) {
        while (is_blank(*c)) {
            c++;
        }
        if (*c == '\0') {
            return;
        }
        line->words = parse_grow(line->words, line->count, sizeof(*line->words));
        line->words[line->count++] = c;
        while (*c != '\0' && !is_blank(*c)) {
            c++;
        }
        if (*c != '\0') {
            *c++ = '\0';
        }
    }
}

/* ---- directives ---- */

static bool add_timer(const struct place *p, char *const *words, size_t count, struct scenario *s)
{
    struct plan_timer *timer;
    bool periodic;

    if (count < 2) {
        return parse_error(p, "timer NAME periodic|oneshot ... is needed");
    }
    for (size_t i = 0; i < s->timer_count; i++) {
        if (strcmp(s->timers[i].name, words[0]) == 0) {
            return parse_error(p, "timer \"%s\" is already declared", words[0]);
        }
    }
    periodic = strcmp(words[1], "periodic") == 0;
    if (!periodic && strcmp(words[1], "oneshot") != 0) {
        return parse_error(p, "unknown word \"%s\": periodic or oneshot is needed", words[1]);
    }
    s->timers = parse_grow(s->timers, s->timer_count, sizeof(*s->timers));
    timer = &s->timers[s->timer_count++];
    *timer = (struct plan_timer){.name = parse_copy(words[0]), .line = p->line};
    if (!parse_plan(p, words + 2, count - 2, &timer->plan)) {
        return false;
    }
    if (timer->plan.periodic != periodic) {
        return parse_error(p, "%s",
                           periodic ? "a periodic timer needs first=AT period=P"
                                    : "a one-shot timer needs at=AT[,AT...]");
    }
    return true;
}

static bool add_window(const struct place *p, char *const *words, size_t count, struct scenario *s)
{
    struct window w = {.line = p->line};

    if (count != 2) {
        return parse_error(p, "run FROM TO is needed");
    }
    if (!parse_number(p, "run", words[0], &w.from) || !parse_number(p, "run", words[1], &w.to)) {
        return false;
    }
    if (w.from >= w.to) {
        return parse_error(p, "run: %s is not before %s", words[0], words[1]);
    }
    s->windows = parse_grow(s->windows, s->window_count, sizeof(*s->windows));
    s->windows[s->window_count++] = w;
    return true;
}

static bool add_directive(const struct place *p, enum directive_kind kind, char *const *words, size_t count,
                          struct scenario *s)
{
    size_t needed = kind == DIRECTIVE_READ ? 1 : 2;
    struct directive d = {.kind = kind, .line = p->line};
    bool ok;

    if (count < needed || (count > needed && kind != DIRECTIVE_SET)) {
        return parse_error(p, "%s is needed",
                           kind == DIRECTIVE_READ    ? "read RT"
                           : kind == DIRECTIVE_CLEAR ? "clear RT NAME"
                                                     : "set RT NAME first=AT period=P | at=AT[,AT...]");
    }
    if (!parse_number(p, "RT", words[0], &d.rt)) {
        return false;
    }
    d.name = kind == DIRECTIVE_READ ? NULL : parse_copy(words[1]);
    ok = kind != DIRECTIVE_SET || parse_plan(p, words + 2, count - 2, &d.plan);
    s->directives = parse_grow(s->directives, s->directive_count, sizeof(*s->directives));
    s->directives[s->directive_count++] = d;
    return ok;
}

static bool read_line(const struct place *p, const struct line *line, struct scenario *s)
{
    char *const *words = line->words + 1;
    size_t count = line->count - 1;
    const char *verb = line->words[0];

    if (strcmp(verb, "policy") == 0) {
        return parse_policy(p, words, count, &s->policy);
    }
    if (strcmp(verb, "timer") == 0) {
        return add_timer(p, words, count, s);
    }
    if (strcmp(verb, "run") == 0) {
        return add_window(p, words, count, s);
    }
    if (strcmp(verb, "read") == 0) {
        return add_directive(p, DIRECTIVE_READ, words, count, s);
    }
    if (strcmp(verb, "set") == 0) {
        return add_directive(p, DIRECTIVE_SET, words, count, s);
    }
    if (strcmp(verb, "clear") == 0) {
        return add_directive(p, DIRECTIVE_CLEAR, words, count, s);
    }
    return parse_error(p, "unknown word \"%s\"", verb);
}

/* ---- order ---- */

static int by_from(const void *a, const void *b)
{
    const struct window *x = a;
    const struct window *y = b;

    return x->from != y->from ? (x->from < y->from ? -1 : 1) : (x->line < y->line ? -1 : 1);
}

static int by_rt(const void *a, const void *b)
{
    const struct directive *x = a;
    const struct directive *y = b;

    return x->rt != y->rt ? (x->rt < y->rt ? -1 : 1) : (x->line < y->line ? -1 : x->line > y->line);
}

/* Sorts the windows and joins those that touch. */
static bool order_windows(struct place *p, struct scenario *s)
{
    size_t kept = 0;

    if (s->window_count == 0) {
        return true;
    }
    qsort(s->windows, s->window_count, sizeof(*s->windows), by_from);
    for (size_t i = 1; i < s->window_count; i++) {
        struct window *last = &s->windows[kept];
        const struct window *w = &s->windows[i];

        if (w->from < last->to) {
            p->line = w->line > last->line ? w->line : last->line;
            return parse_error(p, "the run windows overlap");
        }
        if (w->from == last->to) {
            last->to = w->to;
            last->line = w->line > last->line ? w->line : last->line;
        } else {
            s->windows[++kept] = *w;
        }
    }
    s->window_count = kept + 1;
    return true;
}

/* The windows are in order, and none touches another. */
static bool in_window(const struct scenario *s, uint64_t rt)
{
    size_t low = 0;
    size_t high = s->window_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (rt >= s->windows[middle].to) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < s->window_count && rt >= s->windows[low].from;
}

static bool resolve(struct place *p, struct scenario *s, struct directive *d)
{
    p->line = d->line;
    if (!in_window(s, d->rt)) {
        return parse_error(p, "RT %llu is outside the run windows", (unsigned long long)d->rt);
    }
    if (d->name == NULL) {
        return true;
    }
    for (d->timer = 0; d->timer < s->timer_count; d->timer++) {
        if (strcmp(s->timers[d->timer].name, d->name) == 0) {
            return true;
        }
    }
    return parse_error(p, "timer \"%s\" is not declared", d->name);
}

static bool order(struct place *p, struct scenario *s)
{
    if (!order_windows(p, s)) {
        return false;
    }
    for (size_t i = 0; i < s->directive_count; i++) {
        if (!resolve(p, s, &s->directives[i])) {
            return false;
        }
    }
    if (s->directive_count != 0) {
        qsort(s->directives, s->directive_count, sizeof(*s->directives), by_rt);
    }
    return true;
}

bool scenario_read(FILE *file, const char *name, struct scenario *s)
{
    struct place p = {.file = name};
    struct line line = {0};
    bool ok = true;
    int error;

    *s = (struct scenario){.policy = vtime_policy_figure7()};
    while (ok && read_text(file, &line)) {
        p.line++;
        split(&line);
        ok = line.count == 0 || read_line(&p, &line, s);
    }
    error = errno;
    free(line.text);
    free(line.words);
    if (ok && ferror(file)) {
        ok = parse_error(&p, "cannot be read: %s", strerror(error));
    }
    return ok && order(&p, s);
}

void scenario_free(struct scenario *s)
{
    for (size_t i = 0; i < s->timer_count; i++) {
        free(s->timers[i].name);
        free(s->timers[i].plan.at);
    }
    for (size_t i = 0; i < s->directive_count; i++) {
        free(s->directives[i].name);
        free(s->directives[i].plan.at);
    }
    free(s->timers);
    free(s->windows);
    free(s->directives);
}
