#include "kernel/scrub.h"

#include <stdint.h>

#include "vmm/host.h"
#include "vmm/string.h"

#define PAGE 4096u

/* In the piece's first page, which is cleared last. */
struct scrub_piece {
    struct scrub_piece *next;
    size_t pages; /* of the piece */
    size_t dirty; /* of them, from the start */
};

void scrub_add(struct scrub *s, void *p, size_t pages)
{
    struct scrub_piece *piece = p;

    ASSERT(pages > 0 && (uintptr_t)p % PAGE == 0);
    *piece = (struct scrub_piece){s->first, pages, pages};
    s->first = piece;
}

struct scrubbed scrub_step(struct scrub *s, size_t pages)
{
    struct scrub_piece *piece = s->first;
    struct scrubbed done = {NULL, 0};
    size_t n;

    if (piece == NULL)
        return done;
    ASSERT(pages > 0);
    n = pages < piece->dirty ? pages : piece->dirty;
    piece->dirty -= n;
    if (piece->dirty == 0) {
        done = (struct scrubbed){piece, piece->pages};
        s->first = piece->next;
        memset(piece, 0, n * PAGE);
    } else {
        memset((uint8_t *)piece + piece->dirty * PAGE, 0, n * PAGE);
    }
    return done;
}
