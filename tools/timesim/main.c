/* timesim: what a virtual machine's timers do, when the machine does not have the processor all the time.
 * DESIGN.md section 4 is the contract. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "simulate.h"
#include "svg.h"

struct options {
    const char *file;
    const char *svg;
    bool naive;
    bool ledger;
    bool points;
    bool quiet;
};

struct output {
    const struct scenario *scenario;
    bool rows;
    bool points;
    struct svg *svg;
};

static const char usage[] = "usage: timesim [--svg FILE] [--naive] [--ledger] [--points] [--quiet] FILE|-\n";

static bool read_options(int argc, char **argv, struct options *o)
{
    bool words = true;

    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];

        if (!words || a[0] != '-' || strcmp(a, "-") == 0) {
            if (o->file != NULL) {
                return false;
            }
            o->file = a;
        } else if (strcmp(a, "--") == 0) {
            words = false;
        } else if (strcmp(a, "--svg") == 0 && i + 1 < argc) {
            o->svg = argv[++i];
        } else if (strcmp(a, "--naive") == 0) {
            o->naive = true;
        } else if (strcmp(a, "--ledger") == 0) {
            o->ledger = true;
        } else if (strcmp(a, "--points") == 0) {
            o->points = true;
        } else if (strcmp(a, "--quiet") == 0) {
            o->quiet = true;
        } else {
            return false;
        }
    }
    return o->file != NULL;
}

static void print_row(const struct scenario *s, const struct row *row)
{
    static const char *const kinds[] = {"event", "read", "drop"};
    static const char *const modes[] = {"normal", "catchup", "leap"};
    const char *timer = row->timer == ROW_NO_TIMER ? "-" : s->timers[row->timer].name;

    printf("%" PRIu64 "\t%" PRIu64 "\t%s\t%s\t", row->rt, row->at, kinds[row->kind], timer);
    if (row->kind == ROW_DROP) {
        printf("%" PRIu64 "\n", row->dropped);
    } else {
        puts(modes[row->mode]);
    }
}

static void on_row(void *ctx, const struct row *row)
{
    const struct output *out = ctx;

    if (out->rows && row->kind != ROW_POINT) {
        print_row(out->scenario, row);
    }
    if (out->points && row->kind == ROW_POINT) {
        printf("# point %" PRIu64 " %" PRIu64 "\n", row->rt, row->at);
    }
    if (out->svg != NULL) {
        svg_row(out->svg, row);
    }
}

static void print_ledger(const struct scenario *s, const struct result *r)
{
    const struct vt_ledger *l = &r->ledger;

    printf("# vm rt=%" PRIu64 " at=%" PRIu64 " run=%" PRIu64 " leapt=%" PRIu64 " lag=%" PRId64
           " paused=%" PRIu64 "\n",
           l->elapsed, l->at, l->run, l->leapt, l->lag, l->paused);
    printf("# vm catchups=%" PRIu64 " leaps=%" PRIu64 " maxlag=%" PRId64 "\n", l->catchups, l->leaps,
           l->max_lag);
    for (size_t i = 0; i < s->timer_count; i++) {
        const struct vt_ticks *k = &r->ticks[i];

        printf("# timer %s due=%" PRIu64 " delivered=%" PRIu64 " merged=%" PRIu64 " dropped=%" PRIu64
               " cancelled=%" PRIu64 " pending=%" PRIu64 "\n",
               s->timers[i].name, k->due, k->delivered, k->merged, k->dropped, k->cancelled, k->pending);
    }
    printf("# balance %s\n", r->balances ? "ok" : "BROKEN");
}

/* Standard output must have taken everything. */
static int finish(bool balances)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "timesim: standard output: %s\n", strerror(errno));
        return 1;
    }
    if (!balances) {
        fputs("timesim: an invariant is broken\n", stderr);
        return 3;
    }
    return 0;
}

static int run(const struct options *o, const struct scenario *s)
{
    struct output out = {.scenario = s, .rows = !o->quiet, .points = o->points};
    struct row_sink sink = {on_row, &out};
    struct result result = {0};

    if (o->svg != NULL) {
        out.svg = svg_open(o->svg, s, o->naive);
        if (out.svg == NULL) {
            fprintf(stderr, "timesim: %s: %s\n", o->svg, strerror(errno));
            return 2;
        }
    }
    puts("rt\tat\tkind\ttimer\tmode");
    simulate(s, &sink, &result);
    if (o->ledger) {
        print_ledger(s, &result);
    }
    free(result.ticks);
    if (out.svg != NULL && !svg_close(out.svg)) {
        fprintf(stderr, "timesim: %s: %s\n", o->svg, strerror(errno));
        return 1;
    }
    return finish(result.balances);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct scenario s;
    FILE *file;
    int status = 2;

    if (!read_options(argc, argv, &o)) {
        fputs(usage, stderr);
        return 2;
    }
    file = strcmp(o.file, "-") == 0 ? stdin : fopen(o.file, "r");
    if (file == NULL) {
        fprintf(stderr, "timesim: %s: %s\n", o.file, strerror(errno));
        return 2;
    }
    if (scenario_read(file, file == stdin ? "stdin" : o.file, &s)) {
        s.policy.naive = o.naive;
        status = run(&o, &s);
    }
    scenario_free(&s);
    if (file != stdin) {
        fclose(file);
    }
    return status;
}
