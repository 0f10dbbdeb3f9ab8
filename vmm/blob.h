/* A little-endian byte writer over a piece of memory, for tables that guests read. Writing past the end
 * writes nothing more and is remembered, so that the caller checks once. */
#ifndef VMM_BLOB_H
#define VMM_BLOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct blob {
    uint8_t *mem;
    size_t size;
    size_t used;
    bool full; /* something did not fit */
};

void blob_u8(struct blob *b, uint8_t v);
void blob_u16(struct blob *b, uint16_t v);
void blob_u32(struct blob *b, uint32_t v);
void blob_u64(struct blob *b, uint64_t v);
void blob_bytes(struct blob *b, const void *p, size_t n);
void blob_zeros(struct blob *b, size_t n);
/* Zeros up to the next multiple of a power of two. */
void blob_align(struct blob *b, size_t align);

/* Values at an offset already written (dropped if it is not). */
void blob_patch_u16(struct blob *b, size_t at, uint16_t v);
void blob_patch_u32(struct blob *b, size_t at, uint32_t v);
/* Sets the byte at `at` so that the bytes [from, from + n) add up to 0. */
void blob_checksum(struct blob *b, size_t from, size_t n, size_t at);

#endif
