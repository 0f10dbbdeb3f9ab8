/* A plug-in of QEMU that counts executed instructions by where they lie, and writes the counts down whenever
 * a guest executes a mark (guests/lib/mark.h). Halted time executes nothing, so it counts for nothing. One
 * processor.
 *
 *   -plugin count.so,out=FILE[,host=LOW-HIGH][,guest=LOW-HIGH][,start=ADDRESS][,profile=on]
 *
 * Instructions at `host` addresses are the hypervisor's, at `guest` addresses the bench guests', all others
 * are "other". The first time that the instruction at `start` is executed counts as a MARK_BEGIN. In FILE,
 * numbers in decimal:
 *
 *   result TRIES HOST GUEST OTHER    medians of the tries before a MARK_RESULT: from MARK_BEGIN to MARK_END,
 * or from the last MARK_SIDE_A (or B) in a row to the first of the other at ADDRESS COUNT with profile=on,
 * behind a result: the host's instructions of all its tries mark NUMBER TIMES H G O H G O    any other mark,
 * as often as it came in a row: at its first and its last end H G O                        of the whole run
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guests/lib/mark.h"
#include "tests/bench/qemu_plugin.h"

#define MAX_TRIES 4096
#define MARK_SIZE 7 /* bytes of the instruction */

enum where { HOST, GUEST, OTHER, WHERES };

struct counts {
    uint64_t n[WHERES];
};

struct range {
    uint64_t low, high;
};

const int qemu_plugin_version = 1;

static struct range ranges[WHERES]; /* OTHER's is unused */
static struct counts now;           /* translated code adds to it */
static uint64_t start_address;      /* 0: none, or it has been there */
static FILE *out;

/* ---- tries ---- */

static struct counts begin;
static uint64_t tries[WHERES][MAX_TRIES];
static size_t ntries;
static uint64_t *profile;     /* a count for each byte address of the host's range; NULL: none wanted */
static uint64_t *profile_sum; /* of the tries so far */

static size_t host_bytes(void)
{
    return ranges[HOST].high - ranges[HOST].low;
}

static void begin_try(void)
{
    begin = now;
    if (profile)
        memset(profile, 0, host_bytes() * sizeof *profile);
}

static void end_try(void)
{
    if (ntries == MAX_TRIES)
        return;
    for (int w = 0; w < WHERES; w++)
        tries[w][ntries] = now.n[w] - begin.n[w];
    ntries++;
    for (size_t i = 0; profile && i < host_bytes(); i++)
        profile_sum[i] += profile[i];
}

static void forget(void)
{
    ntries = 0;
    if (profile)
        memset(profile_sum, 0, host_bytes() * sizeof *profile_sum);
}

static int ascending(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void write_result(void)
{
    fprintf(out, "result %zu", ntries);
    for (int w = 0; w < WHERES; w++) {
        qsort(tries[w], ntries, sizeof tries[w][0], ascending);
        fprintf(out, " %" PRIu64, ntries > 0 ? tries[w][ntries / 2] : 0);
    }
    fprintf(out, "\n");
    for (size_t i = 0; profile && i < host_bytes(); i++) {
        if (profile_sum[i] > 0)
            fprintf(out, "at %" PRIu64 " %" PRIu64 "\n", ranges[HOST].low + i, profile_sum[i]);
    }
    forget();
}

/* ---- other marks ---- */

static struct {
    int number; /* 0: none yet */
    uint64_t times;
    struct counts first, last;
} row;

static void write_counts(const struct counts *c)
{
    fprintf(out, " %" PRIu64 " %" PRIu64 " %" PRIu64, c->n[HOST], c->n[GUEST], c->n[OTHER]);
}

static void write_row(void)
{
    if (row.number == 0)
        return;
    fprintf(out, "mark %d %" PRIu64, row.number, row.times);
    write_counts(&row.first);
    write_counts(&row.last);
    fprintf(out, "\n");
}

static void add_to_row(int number)
{
    if (row.number != number) {
        write_row();
        row.number = number;
        row.times = 0;
        row.first = now;
    }
    row.times++;
    row.last = now;
}

/* Who spins has the processor: between the last of one side and the first of the other lies one switch. */
static void on_side(int number)
{
    static int before;

    if (before != 0 && before != number)
        end_try();
    before = number;
    begin_try();
}

static void on_mark(unsigned int vcpu, void *data)
{
    int number = (int)(intptr_t)data;

    (void)vcpu;
    switch (number) {
    case MARK_BEGIN:
        begin_try();
        break;
    case MARK_END:
        end_try();
        break;
    case MARK_RESULT:
        write_result();
        break;
    case MARK_FORGET:
        forget();
        break;
    case MARK_SIDE_A:
    case MARK_SIDE_B:
        on_side(number);
        break;
    default:
        add_to_row(number);
    }
}

static void on_start(unsigned int vcpu, void *data)
{
    (void)vcpu;
    (void)data;
    if (start_address != 0)
        begin_try();
    start_address = 0;
}

/* ---- translation ---- */

static enum where where_is(uint64_t address)
{
    for (int w = HOST; w < OTHER; w++) {
        if (address >= ranges[w].low && address < ranges[w].high)
            return (enum where)w;
    }
    return OTHER;
}

/* The number of a mark, 0 if the instruction is none. */
static int mark_number(const struct qemu_plugin_insn *insn)
{
    static const uint8_t opcode[] = {0x0f, 0x1f, 0x80};
    const uint8_t *bytes = qemu_plugin_insn_data(insn);
    uint32_t displacement;

    if (qemu_plugin_insn_size(insn) != MARK_SIZE || memcmp(bytes, opcode, sizeof opcode) != 0)
        return 0;
    memcpy(&displacement, bytes + sizeof opcode, sizeof displacement);
    return (displacement & 0xFFFF0000) == MARK_MAGIC ? (int)(displacement & 0xFFFF) : 0;
}

static void on_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);
        enum where w = where_is(address);
        int number = mark_number(insn);

        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &now.n[w], 1);
        if (w == HOST && profile)
            qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64,
                                                       &profile[address - ranges[HOST].low], 1);
        if (start_address != 0 && address == start_address)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_start, QEMU_PLUGIN_CB_NO_REGS, NULL);
        if (number != 0)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS,
                                                   (void *)(intptr_t)number);
    }
}

/* ---- start and end ---- */

static void on_end(qemu_plugin_id_t id, void *data)
{
    (void)id;
    (void)data;
    write_row();
    fprintf(out, "end");
    write_counts(&now);
    fprintf(out, "\n");
    fclose(out);
}

static bool parse_range(const char *text, struct range *range)
{
    char *end;

    range->low = strtoull(text, &end, 0);
    if (*end != '-')
        return false;
    range->high = strtoull(end + 1, &end, 0);
    return *end == '\0' && range->high > range->low;
}

static bool parse(const char *word, bool *want_profile)
{
    if (strncmp(word, "out=", 4) == 0)
        return (out = fopen(word + 4, "w")) != NULL;
    if (strncmp(word, "host=", 5) == 0)
        return parse_range(word + 5, &ranges[HOST]);
    if (strncmp(word, "guest=", 6) == 0)
        return parse_range(word + 6, &ranges[GUEST]);
    if (strncmp(word, "start=", 6) == 0)
        return (start_address = strtoull(word + 6, NULL, 0)) != 0;
    *want_profile = strcmp(word, "profile=on") == 0;
    return *want_profile;
}

int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv)
{
    bool want_profile = false;

    for (int i = 0; i < argc; i++) {
        if (!parse(argv[i], &want_profile)) {
            fprintf(stderr, "count.so: cannot use %s\n", argv[i]);
            return 1;
        }
    }
    if (!out || !info->system_emulation || info->system.smp_vcpus != 1) {
        fprintf(stderr, "count.so: give out=FILE, and one processor of a whole machine\n");
        return 1;
    }
    if (want_profile && host_bytes() > 0) {
        profile = calloc(host_bytes(), sizeof *profile);
        profile_sum = calloc(host_bytes(), sizeof *profile_sum);
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    return 0;
}
