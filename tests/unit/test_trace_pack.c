/* links: kernel/trace_pack.c */
/* A dump as it leaves (kernel/trace_pack.h): a ring that has wrapped around, oldest first, with numbers at
 * their limits. tests/golden/trace.dump has the lines; tools/traceview reads the same file in
 * tests/unit/test_trace.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/trace_pack.h"
#include "vmm/trace.h"

#define SIZE    64u
#define WRITTEN 100u
#define GOLDEN  "tests/golden/trace.dump"

static struct trace_record records[SIZE];
static char said[65536];
static unsigned int lines;

static void say(const char *line)
{
    size_t n = strlen(said);

    assert_true(strlen(line) < TRACE_LINE_MAX);
    snprintf(said + n, sizeof(said) - n, "escapement: %s\n", line);
    lines++;
}

/* All lines of a ring; the number of its blocks. */
static unsigned int say_ring(const struct trace_ring *ring, unsigned int number, const char *what)
{
    char line[TRACE_LINE_MAX];
    struct trace_reader r;

    trace_pack_open(&r, ring, number, what);
    while (trace_pack_line(&r, line))
        say(line);
    assert_false(trace_pack_line(&r, line)); /* the end stays the end */
    return r.blocks;
}

static int set_up(void **state)
{
    (void)state;
    memset(records, 0, sizeof(records));
    said[0] = '\0';
    lines = 0;
    return 0;
}

/* What test_trace.py expects: record n of the run. */
static void put(struct trace_ring *ring, uint64_t n)
{
    enum trace_kind kind = (enum trace_kind)(1 + n % (TRACE_KINDS - 1));
    uint64_t value = n % 7 == 0 ? UINT64_MAX - n : n * n;

    trace_put(ring, trace_who((unsigned int)n % 5, (unsigned int)n % 3, n % 4 == 0 ? TRACE_NO_TIMER : 2),
              kind, n % 10 == 9 ? n * 1000 - 5 : n * 1000 + (n << 40), n % 11 == 0 ? 0 : n << (n % 60), value,
              (uint32_t)(n * 0x9E3779B1u));
}

static struct trace_ring filled(uint64_t written)
{
    struct trace_ring ring = {.records = records, .mask = SIZE - 1};

    for (uint64_t n = 0; n < written; n++)
        put(&ring, n);
    return ring;
}

static void a_ring_keeps_the_latest(void **state)
{
    struct trace_ring ring = filled(WRITTEN);

    (void)state;
    assert_int_equal(ring.next, WRITTEN);
    for (uint64_t n = WRITTEN - SIZE; n < WRITTEN; n++)
        assert_int_equal(records[n % SIZE].arg, (uint32_t)(n * 0x9E3779B1u));
    assert_int_equal(records[WRITTEN % SIZE].rt,
                     (WRITTEN - SIZE) * 1000 + ((uint64_t)(WRITTEN - SIZE) << 40));
}

static void lost_ones_are_counted(void **state)
{
    struct trace_ring ring = filled(WRITTEN);

    (void)state;
    assert_true(say_ring(&ring, 3, "exits") > 0);
    assert_non_null(strstr(said, "escapement: trace: ring 3 cpu=1 exits records=64 lost=36 "));
}

static void nothing_is_lost_up_to_the_size(void **state)
{
    struct trace_ring ring = filled(SIZE);

    (void)state;
    say_ring(&ring, 0, "events");
    assert_non_null(strstr(said, " records=64 lost=0 "));
}

static void an_empty_ring_is_one_line(void **state)
{
    struct trace_ring ring = filled(0);

    (void)state;
    assert_int_equal(say_ring(&ring, 0, "events"), 0);
    assert_int_equal(lines, 1);
}

/* The text in full, so that neither end changes alone. TRACE_GOLDEN=1 writes it. */
static void as_in_the_golden_file(void **state)
{
    struct trace_ring ring = filled(WRITTEN);
    struct trace_ring empty = {.records = records, .mask = SIZE - 1};
    char line[TRACE_LINE_MAX], golden[sizeof(said)] = "";
    unsigned int blocks;
    FILE *file;

    (void)state;
    snprintf(line, sizeof(line), "trace: begin %u hz=%llu rings=2", TRACE_FORMAT, 1000000000ull);
    trace_pack_seal(line);
    say(line);
    blocks = say_ring(&ring, 0, "events");
    blocks += say_ring(&empty, 1, "exits");
    snprintf(line, sizeof(line), "trace: end blocks=%u", blocks);
    trace_pack_seal(line);
    say(line);
    file = fopen(GOLDEN, getenv("TRACE_GOLDEN") ? "w+" : "r");
    assert_non_null(file);
    if (getenv("TRACE_GOLDEN"))
        fputs(said, file);
    rewind(file);
    assert_true(fread(golden, 1, sizeof(golden) - 1, file) > 0);
    fclose(file);
    assert_string_equal(said, golden);
}

/* zlib's crc32(b"123456789") is cbf43926, the check value of the catalogues. */
static void the_checksum_is_crc_32(void **state)
{
    char line[TRACE_LINE_MAX] = "trace: 123456789";

    (void)state;
    trace_pack_seal(line);
    assert_string_equal(line, "trace: 123456789 cbf43926");
}

static void a_full_block_takes_no_more(void **state)
{
    static struct trace_pack p;
    struct trace_record r = {UINT64_MAX, 0, UINT64_MAX, UINT32_MAX, UINT32_MAX};
    unsigned int n = 0;

    (void)state;
    trace_pack_start(&p);
    for (; trace_pack_add(&p, &r); n++) {
        r.rt ^= UINT64_MAX >> 1;
        r.at ^= UINT64_MAX >> 1;
        r.value ^= UINT64_MAX >> 1;
        r.arg ^= 0x7FFFFFFFu;
        r.who ^= 0xFFFFFF00u;
        assert_true(p.length <= TRACE_BLOCK);
    }
    assert_true(n >= TRACE_BLOCK / TRACE_RECORD_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_ring_keeps_the_latest, set_up),
        cmocka_unit_test_setup(lost_ones_are_counted, set_up),
        cmocka_unit_test_setup(nothing_is_lost_up_to_the_size, set_up),
        cmocka_unit_test_setup(an_empty_ring_is_one_line, set_up),
        cmocka_unit_test_setup(as_in_the_golden_file, set_up),
        cmocka_unit_test(the_checksum_is_crc_32),
        cmocka_unit_test(a_full_block_takes_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
