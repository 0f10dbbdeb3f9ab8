/* Trace records as text: how a dump goes over the serial line. Pure. tools/traceview/dump.py is the other
 * end.
 *
 * Every line of a dump is `escapement: trace: WORDS CRC`. CRC is the CRC-32 (IEEE 802.3, as zlib's) of WORDS
 * in eight hex digits. A guest's line begins with its name and `| `, so it is none of these. WORDS are, in
 * order:
 * - `begin 1 hz=HZ rings=N`: the format, RT ticks a second, how many rings follow;
 * - for each ring `ring R cpu=C WHAT records=N lost=M`: its number from 0, whose it is, `events` or `exits`,
 * how many records follow, and how many were overwritten before them;
 * - behind it its blocks, oldest first, `data R S BASE64`, S from 0;
 * - `end blocks=N`: all blocks.
 *
 * A block can be read by itself, so that a damaged line costs no other. Each of its records is: the kind; a
 * mask of the fields that differ from those of the last record of this kind in the block (at first all zero);
 * the difference of RT from the record before; then the fields of the mask, in the order of its bits.
 * Differences are modulo 2^64 (arg: 2^32) and signed, in zigzag order (0, -1, 1, -2 ...), seven bits a byte,
 * low ones first, bit 7 set while more follow; vm, vcpu and timer are a byte each. */
#ifndef KERNEL_TRACE_PACK_H
#define KERNEL_TRACE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/trace.h"

#define TRACE_FORMAT     1
#define TRACE_BLOCK      330 /* bytes before base64; a multiple of 3 */
#define TRACE_RECORD_MAX 40  /* one packed record at most: 2 + 10 + 3 + 5 + 10 + 10 */
#define TRACE_LINE_MAX   500 /* a line without `escapement: ` and newline; what the console takes */

/* The mask's bits. */
#define TRACE_HAS_VM    1u
#define TRACE_HAS_VCPU  2u
#define TRACE_HAS_TIMER 4u
#define TRACE_HAS_ARG   8u
#define TRACE_HAS_AT    16u
#define TRACE_HAS_VALUE 32u

struct trace_pack {
    uint8_t bytes[TRACE_BLOCK];
    size_t length;
    uint64_t rt;                           /* of the record before */
    struct trace_record last[TRACE_KINDS]; /* of each kind, in this block */
};

/* An empty block. */
void trace_pack_start(struct trace_pack *p);

/* Adds a record. False: the block is full, and the record is not in it. */
bool trace_pack_add(struct trace_pack *p, const struct trace_record *r);

/* Puts a blank and the CRC behind `trace: WORDS`, which has room for nine more bytes and a zero. */
void trace_pack_seal(char *line);

/* One ring on its way out. */
struct trace_reader {
    const struct trace_ring *ring; /* nobody writes to it meanwhile */
    const char *what;
    unsigned int number;
    uint64_t count, at; /* how many records there are; the next one, counted as trace_ring.next is */
    unsigned int blocks;
    bool introduced;
};

/* Two rings belong to each processor. */
void trace_pack_open(struct trace_reader *r, const struct trace_ring *ring, unsigned int number,
                     const char *what);

/* The ring's next line, from `trace: ring NUMBER cpu=...` to its last block, without newline. False: that was
 * all. Not from two processors at once. */
bool trace_pack_line(struct trace_reader *r, char line[TRACE_LINE_MAX]);

#endif
