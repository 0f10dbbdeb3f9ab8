/* Words: mode=trips|busy|spin only=NAME tries=N (trips), ticks=N count=N (busy), rounds=N side=a|b (spin). */
#include "guests/bench/bench.h"

#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"

bool bench_wanted(const struct bench_run *run, const char *name)
{
    return run->length == 0 || (strlen(name) == run->length && memcmp(name, run->only, run->length) == 0);
}

static void sort(uint64_t *v, unsigned int n)
{
    for (unsigned int i = 1; i < n; i++) {
        uint64_t x = v[i];
        unsigned int j = i;

        for (; j > 0 && v[j - 1] > x; j--) {
            v[j] = v[j - 1];
        }
        v[j] = x;
    }
}

uint64_t bench_median(uint64_t *samples, unsigned int n)
{
    sort(samples, n);
    return samples[n / 2];
}

void bench_result(const char *name, uint64_t *samples, unsigned int n, uint64_t base)
{
    MARK(MARK_RESULT);

    uint64_t median = bench_median(samples, n);

    printf("bench: %s median=%ld min=%ld max=%ld tries=%u\n", name, (long)(median - base),
           (long)(samples[0] - base), (long)(samples[n - 1] - base), n);
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"mode", "only", "tries", "ticks", "count", "rounds", "side", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    uint64_t tries = word_number(words, "tries", 501, &bad), ticks = word_number(words, "ticks", 1000, &bad);
    uint64_t count = word_number(words, "count", 1000000, &bad);
    uint64_t rounds = word_number(words, "rounds", 1000, &bad);
    struct bench_run run = {"", 0, (unsigned int)tries};
    size_t length = 0;
    const char *only = word_find(words, "only", &length);

    if (bad || tries == 0 || tries > BENCH_MAX_TRIES || count < 1000 || count > UINT32_MAX) {
        printf("bench: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    if (only != NULL) {
        run.only = only;
        run.length = (unsigned int)length;
    }
    if (word_is(words, "mode", "busy")) {
        bench_busy(ticks, (uint32_t)count);
    } else if (word_is(words, "mode", "spin")) {
        bench_spin(rounds, word_is(words, "side", "b"));
    } else {
        bench_trips(&run);
        bench_delivery(&run);
    }
    printf("bench: done\n");
    return EXIT_OK;
}
