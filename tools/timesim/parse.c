#include "parse.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool parse_error(const struct place *p, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "timesim: %s:%zu: ", p->file, p->line);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return false;
}

void *parse_grow(void *array, size_t count, size_t size)
{
    void *grown = realloc(array, (count + 1) * size);

    if (grown == NULL) {
        fputs("timesim: out of memory\n", stderr);
        exit(2);
    }
    return grown;
}

char *parse_copy(const char *text)
{
    size_t size = strlen(text) + 1;

    return memcpy(parse_grow(NULL, size, 1), text, size);
}

const char *parse_value(const char *word, const char *key)
{
    size_t length = strlen(key);

    return strncmp(word, key, length) == 0 && word[length] == '=' ? word + length + 1 : NULL;
}

/* The digits at *text, up to `end`. */
static bool number_until(const struct place *p, const char *what, const char *text, const char *end,
                         uint64_t *value)
{
    uint64_t n = 0;

    if (text == end) {
        return parse_error(p, "%s: a number is missing", what);
    }
    for (const char *c = text; c != end; c++) {
        uint64_t digit;

        if (*c < '0' || *c > '9') {
            return parse_error(p, "%s: \"%s\" is not a number", what, text);
        }
        digit = (uint64_t)(*c - '0');
        if (n > (SCENARIO_MAX - digit) / 10) {
            return parse_error(p, "%s: \"%s\" is more than 2^62", what, text);
        }
        n = n * 10 + digit;
    }
    *value = n;
    return true;
}

bool parse_number(const struct place *p, const char *what, const char *text, uint64_t *value)
{
    return number_until(p, what, text, text + strlen(text), value);
}

static bool parse_list(const struct place *p, const char *text, struct plan *plan)
{
    for (;;) {
        const char *end = strchr(text, ',');

        plan->at = parse_grow(plan->at, plan->count, sizeof(*plan->at));
        if (!number_until(p, "at", text, end != NULL ? end : text + strlen(text), &plan->at[plan->count])) {
            return false;
        }
        plan->count++;
        if (end == NULL) {
            return true;
        }
        text = end + 1;
    }
}

static bool parse_first(const struct place *p, const char *text, struct plan *plan)
{
    plan->at = parse_grow(plan->at, plan->count, sizeof(*plan->at));
    plan->count++;
    return parse_number(p, "first", text, &plan->at[0]);
}

bool parse_plan(const struct place *p, char *const *words, size_t count, struct plan *plan)
{
    const char *first = NULL;
    const char *period = NULL;
    const char *at = NULL;

    *plan = (struct plan){0};
    for (size_t i = 0; i < count; i++) {
        const char *value;
        const char **slot;

        if ((value = parse_value(words[i], "first")) != NULL) {
            slot = &first;
        } else if ((value = parse_value(words[i], "period")) != NULL) {
            slot = &period;
        } else if ((value = parse_value(words[i], "at")) != NULL) {
            slot = &at;
        } else {
            return parse_error(p, "unknown word \"%s\"", words[i]);
        }
        if (*slot != NULL) {
            return parse_error(p, "\"%s\": given twice", words[i]);
        }
        *slot = value;
    }
    if (at != NULL && first == NULL && period == NULL) {
        return parse_list(p, at, plan);
    }
    if (at != NULL || first == NULL || period == NULL) {
        return parse_error(p, "either first=AT period=P or at=AT[,AT...] is needed");
    }
    plan->periodic = true;
    if (!parse_first(p, first, plan) || !parse_number(p, "period", period, &plan->period)) {
        return false;
    }
    return plan->period >= 1 ? true : parse_error(p, "period: must be at least 1");
}

/* C=p or C=p/q, at least one. */
static bool parse_rate(const struct place *p, const char *text, struct vt_ratio *rate)
{
    const char *slash = strchr(text, '/');

    rate->den = 1;
    if (!number_until(p, "C", text, slash != NULL ? slash : text + strlen(text), &rate->num)) {
        return false;
    }
    if (slash != NULL && !parse_number(p, "C", slash + 1, &rate->den)) {
        return false;
    }
    if (rate->den == 0 || rate->num < rate->den) {
        return parse_error(p, "C: \"%s\" is not a rate of at least 1", text);
    }
    return true;
}

/* A word of `choices` (NULL at the end); its index. */
static bool parse_choice(const struct place *p, const char *what, const char *text,
                         const char *const *choices, unsigned int *index)
{
    for (unsigned int i = 0; choices[i] != NULL; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *index = i;
            return true;
        }
    }
    return parse_error(p, "%s: unknown word \"%s\"", what, text);
}

static bool parse_policy_choice(const struct place *p, const char *word, struct vtime_policy *policy)
{
    static const char *const gaps[] = {"smooth", "jump", NULL};
    static const char *const hysts[] = {"5c", "rtc", "artp", NULL};
    static const char *const rates[] = {"fixed", "adaptive", NULL};
    const char *value;
    unsigned int index = 0;
    bool ok;

    if ((value = parse_value(word, "gap")) != NULL) {
        ok = parse_choice(p, "gap", value, gaps, &index);
        policy->gap = (enum vt_gap)index;
    } else if ((value = parse_value(word, "hyst")) != NULL) {
        ok = parse_choice(p, "hyst", value, hysts, &index);
        policy->hyst = (enum vt_hyst)index;
    } else if ((value = parse_value(word, "rate")) != NULL) {
        ok = parse_choice(p, "rate", value, rates, &index);
        policy->rate = (enum vt_rate)index;
    } else {
        ok = parse_error(p, "unknown word \"%s\"", word);
    }
    return ok;
}

static bool parse_policy_word(const struct place *p, const char *word, struct vtime_policy *policy)
{
    static const char *const names[] = {"K1", "K2", "leap", "progress"};
    uint64_t *const numbers[] = {&policy->k1, &policy->k2, &policy->leap, &policy->progress};
    const char *value = parse_value(word, "C");

    if (value != NULL) {
        return parse_rate(p, value, &policy->c);
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        value = parse_value(word, names[i]);
        if (value != NULL) {
            return parse_number(p, names[i], value, numbers[i]);
        }
    }
    return parse_policy_choice(p, word, policy);
}

bool parse_policy(const struct place *p, char *const *words, size_t count, struct vtime_policy *policy)
{
    for (size_t i = 0; i < count; i++) {
        if (!parse_policy_word(p, words[i], policy)) {
            return false;
        }
    }
    policy->maxrate = policy->c; /* rate=adaptive: C is the most it may be */
    return true;
}
