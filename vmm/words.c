#include "vmm/words.h"

#include "vmm/host.h"
#include "vmm/string.h"

#define NEAREST_MAX 16u /* longer names are nobody's misspelling of a setting */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static char *skip_blanks(char *s)
{
    while (is_blank(*s))
        s++;
    return s;
}

void words_split(struct words *w, char *line)
{
    char *s = skip_blanks(line);

    w->next = s;
    w->end = s;
    w->rest = NULL;
    while (*s != '\0') {
        char *word = s;
        bool last;

        while (*s != '\0' && !is_blank(*s))
            s++;
        if (s - word == 2 && word[0] == '-' && word[1] == '-') {
            w->rest = skip_blanks(s);
            return;
        }
        last = *s == '\0';
        *s = '\0';
        w->end = s + 1;
        if (last)
            return;
        s = skip_blanks(s + 1);
    }
}

char *words_next(struct words *w)
{
    char *word = w->next;

    while (word < w->end && (*word == '\0' || is_blank(*word)))
        word++;
    if (word >= w->end)
        return NULL;
    w->next = word + strlen(word) + 1;
    return word;
}

/* Digits from s; returns the first character behind them, or NULL if there are none or the number exceeds
 * max. */
static const char *digits(const char *s, uint64_t max, uint64_t *out)
{
    uint64_t v = 0;

    if (*s < '0' || *s > '9')
        return NULL;
    for (; *s >= '0' && *s <= '9'; s++) {
        uint64_t digit = (uint64_t)(*s - '0');

        if (digit > max || v > (max - digit) / 10)
            return NULL;
        v = v * 10 + digit;
    }
    *out = v;
    return s;
}

bool words_number(const char *s, uint64_t max, uint64_t *out)
{
    uint64_t v;
    const char *end = digits(s, max, &v);

    if (end == NULL || *end != '\0')
        return false;
    *out = v;
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

static bool number_with_unit(const char *s, uint64_t max, const struct unit *units, size_t n, uint64_t *out)
{
    uint64_t v;
    const char *end = digits(s, max, &v);
    size_t i;

    if (end == NULL)
        return false;
    for (i = 0; i < n; i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        if (v > max / units[i].factor)
            return false;
        *out = v * units[i].factor;
        return true;
    }
    return false;
}

bool words_size(const char *s, uint64_t max, uint64_t *out)
{
    static const struct unit units[] = {
        {"", 1},           {"K", 1ull << 10}, {"M", 1ull << 20}, {"G", 1ull << 30},
        {"k", 1ull << 10}, {"m", 1ull << 20}, {"g", 1ull << 30},
    };

    return number_with_unit(s, max, units, sizeof(units) / sizeof(units[0]), out);
}

bool words_time(const char *s, uint64_t max, uint64_t *out)
{
    static const struct unit units[] = {{"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000}};

    if (strcmp(s, "0") == 0) {
        *out = 0;
        return true;
    }
    return number_with_unit(s, max, units, sizeof(units) / sizeof(units[0]), out);
}

/* The length of the name in `NAME=VALUE`, without the '='. */
static size_t name_length(const char *word)
{
    size_t n = 0;

    while (word[n] != '\0' && word[n] != '=')
        n++;
    return n;
}

static unsigned int min3(unsigned int a, unsigned int b, unsigned int c)
{
    unsigned int m = a < b ? a : b;

    return m < c ? m : c;
}

/* Levenshtein's distance of two names, case ignored by counting it: row by row, in place. */
static unsigned int distance(const char *a, size_t na, const char *b, size_t nb)
{
    unsigned int row[NEAREST_MAX + 1];
    size_t i, j;

    for (j = 0; j <= nb; j++)
        row[j] = (unsigned int)j;
    for (i = 1; i <= na; i++) {
        unsigned int diagonal = row[0];

        row[0] = (unsigned int)i;
        for (j = 1; j <= nb; j++) {
            unsigned int above = row[j];

            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[nb];
}

bool words_nearer(const char *word, const char *known, unsigned int *best)
{
    size_t length = name_length(word);
    size_t wanted = name_length(known);
    unsigned int d;

    if (length > NEAREST_MAX || wanted > NEAREST_MAX)
        return false;
    d = distance(word, length, known, wanted);
    if (d >= *best || d * 2 > wanted)
        return false;
    *best = d;
    return true;
}

/* The known name that a person most likely meant, or NULL. */
static const char *nearest(const struct setting *table, unsigned int n, const char *word)
{
    unsigned int best_distance = WORDS_FAR;
    const char *best = NULL;

    for (unsigned int i = 0; i < n; i++) {
        if (words_nearer(word, table[i].name, &best_distance))
            best = table[i].name;
    }
    return best;
}

void words_shown(char out[WORD_SHOWN + 4], const char *word)
{
    size_t i;

    for (i = 0; i < WORD_SHOWN && word[i] != '\0'; i++)
        out[i] = word[i] >= ' ' && word[i] <= '~' ? word[i] : '?';
    if (word[i] != '\0') {
        memcpy(out + i, "...", 3);
        i += 3;
    }
    out[i] = '\0';
}

static const struct setting *find(const struct setting *table, unsigned int n, const char *word)
{
    unsigned int i;

    for (i = 0; i < n; i++) {
        size_t length = strlen(table[i].name);
        bool valued = table[i].name[length - 1] == '=';

        if (valued ? strncmp(word, table[i].name, length) == 0 : strcmp(word, table[i].name) == 0)
            return &table[i];
    }
    return NULL;
}

static void explain_unknown(const struct setting *table, unsigned int n, const char *word, char *why,
                            size_t size)
{
    const char *meant = nearest(table, n, word);
    char text[WORD_SHOWN + 4];

    words_shown(text, word);
    if (meant == NULL)
        host_snprintf(why, size, "unknown setting '%s'", text);
    else
        host_snprintf(why, size, "unknown setting '%s' (did you mean %s?)", text, meant);
}

bool words_apply(const struct setting *table, unsigned int n, void *target, uint32_t *given, const char *word,
                 char *why, size_t size)
{
    const struct setting *s = find(table, n, word);
    char text[WORD_SHOWN + 4];
    uint32_t bit;

    if (s == NULL) {
        explain_unknown(table, n, word, why, size);
        return false;
    }
    words_shown(text, word);
    bit = 1u << (s - table);
    if ((*given & bit) != 0) {
        host_snprintf(why, size, "'%s': %s is given twice", text, s->name);
        return false;
    }
    *given |= bit;
    if (s->parse(target, word + strlen(s->name)))
        return true;
    host_snprintf(why, size, "wrong value in '%s' (%s)", text, s->form);
    return false;
}
