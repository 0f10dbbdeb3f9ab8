/* What a fuzzer's bytes are read with, and what a broken property ends with. Header only. */
#ifndef TESTS_FUZZ_BYTES_H
#define TESTS_FUZZ_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A property of the code under test does not hold: libFuzzer keeps the input. */
#define CHECK(e, ...)                                                                                        \
    do {                                                                                                     \
        if (!(e)) {                                                                                          \
            fprintf(stderr, "%s:%d: does not hold: %s: ", __FILE__, __LINE__, #e);                           \
            fprintf(stderr, __VA_ARGS__);                                                                    \
            fputc('\n', stderr);                                                                             \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* libFuzzer's two entries. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Bytes from the front; zeros when there are none left. */
struct bytes {
    const uint8_t *data;
    size_t left;
};

static inline uint64_t take(struct bytes *in, size_t bytes)
{
    uint64_t value = 0;
    size_t n = bytes < in->left ? bytes : in->left;

    memcpy(&value, in->data, n);
    in->data += n;
    in->left -= n;
    return value;
}

static inline uint8_t take8(struct bytes *in)
{
    return (uint8_t)take(in, 1);
}

/* A number of any magnitude: the first byte says how many bits it has. */
static inline uint64_t take_number(struct bytes *in)
{
    unsigned int bits = take8(in) % 65;

    return bits == 0 ? 0 : take(in, (bits + 7) / 8) >> (8 * ((bits + 7) / 8) - bits);
}

/* The next n bytes at most, in place; *length says how many there are. */
static inline const uint8_t *take_bytes(struct bytes *in, size_t n, size_t *length)
{
    const uint8_t *at = in->data;

    *length = n < in->left ? n : in->left;
    in->data += *length;
    in->left -= *length;
    return at;
}

/* A string of at most `most` characters, ended by a zero byte or the input's end, on the heap: ASan sees a
 * read behind its end. */
static inline char *take_string(struct bytes *in, size_t most)
{
    size_t n = 0;
    char *s;

    while (n < most && n < in->left && in->data[n] != 0)
        n++;
    s = malloc(n + 1);
    CHECK(s, "no memory");
    memcpy(s, in->data, n);
    s[n] = 0;
    n += n < in->left ? 1 : 0;
    in->data += n;
    in->left -= n;
    return s;
}

#endif
