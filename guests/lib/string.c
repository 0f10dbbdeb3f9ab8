#include "guests/lib/string.h"

#include "guests/lib/print.h"

void *memcpy(void *to, const void *from, size_t n)
{
    void *start = to;

    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
    return start;
}

void *memmove(void *to, const void *from, size_t n)
{
    uint8_t *t = to;
    const uint8_t *f = from;

    if (t < f) {
        return memcpy(to, from, n);
    }
    while (n-- > 0) {
        t[n] = f[n];
    }
    return to;
}

void *memset(void *to, int value, size_t n)
{
    void *start = to;

    __asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
    return start;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;

    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i]) {
            return x[i] - y[i];
        }
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0') {
        n++;
    }
    return n;
}

uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low, high;

    __asm__("mulq %3" : "=a"(low), "=d"(high) : "a"(a), "r"(b) : "cc");
    __asm__("divq %2" : "+a"(low), "+d"(high) : "r"(c) : "cc");
    return low;
}

/* The next word at or after s: its start, with its length in *length; NULL at the end. */
static const char *next_word(const char *s, size_t *length)
{
    while (*s == ' ') {
        s++;
    }
    *length = 0;
    while (s[*length] != '\0' && s[*length] != ' ') {
        (*length)++;
    }
    return *length > 0 ? s : NULL;
}

static bool has_name(const char *word, size_t length, const char *name)
{
    size_t n = strlen(name);

    return length > n && memcmp(word, name, n) == 0 && word[n] == '=';
}

const char *word_find(const char *cmdline, const char *name, size_t *length)
{
    const char *found = NULL;
    size_t n;

    for (const char *w = next_word(cmdline, &n); w != NULL; w = next_word(w + n, &n)) {
        if (has_name(w, n, name)) {
            found = w + strlen(name) + 1;
            *length = n - strlen(name) - 1;
        }
    }
    return found;
}

bool word_is(const char *cmdline, const char *name, const char *value)
{
    size_t n;
    const char *found = word_find(cmdline, name, &n);

    return found != NULL && n == strlen(value) && memcmp(found, value, n) == 0;
}

uint64_t word_number(const char *cmdline, const char *name, uint64_t fallback, bool *bad)
{
    size_t n;
    const char *s = word_find(cmdline, name, &n);
    uint64_t value = 0;

    if (s == NULL) {
        return fallback;
    }
    if (n == 0 || n > 18) {
        *bad = true;
    }
    for (size_t i = 0; i < n && i < 18; i++) {
        if (s[i] < '0' || s[i] > '9') {
            *bad = true;
            return fallback;
        }
        value = value * 10 + (uint64_t)(s[i] - '0');
    }
    return value;
}

static bool known(const char *word, size_t length, const char *const *names)
{
    for (; *names != NULL; names++) {
        if (has_name(word, length, *names)) {
            return true;
        }
    }
    return false;
}

static bool contains(const char *word, size_t length, char c)
{
    for (size_t i = 0; i < length; i++) {
        if (word[i] == c) {
            return true;
        }
    }
    return false;
}

bool words_check(const char *cmdline, const char *const *names)
{
    bool ok = true;
    size_t n;

    for (const char *w = next_word(cmdline, &n); w != NULL; w = next_word(w + n, &n)) {
        bool image_name = w == cmdline && !contains(w, n, '=');

        if (!image_name && !known(w, n, names)) {
            printf("unknown word ");
            for (size_t i = 0; i < n; i++) {
                printf("%c", w[i]);
            }
            printf("\n");
            ok = false;
        }
    }
    return ok;
}
