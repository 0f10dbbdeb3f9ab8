/* The clock guest. Words: pit=HZ rtc=HZ lapic=HZ hpet=HZ (0: off) seconds=N busy=on|off irq=pic|ioapic
 * reads=all|few|none limit=NS work=ROUNDS rest=MS. */
#include "guests/clock/clock.h"

#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"
#include "guests/lib/timers.h"

#define MIN_HZ 19 /* the PIT's slowest */
#define MAX_HZ 100000

static bool parse(const char *words)
{
    static const char *const names[] = {"pit", "rtc",   "lapic", "hpet", "seconds", "busy",
                                        "irq", "reads", "limit", "work", "rest",    NULL};
    struct settings *s = &run.set;
    bool bad = !words_check(words, names);

    s->hz[TICK_PIT] = word_number(words, "pit", 100, &bad);
    s->hz[TICK_RTC] = word_number(words, "rtc", 128, &bad);
    s->hz[TICK_LAPIC] = word_number(words, "lapic", 100, &bad);
    s->hz[TICK_HPET] = hpet_find() ? word_number(words, "hpet", 50, &bad) : 0;
    s->seconds = word_number(words, "seconds", 5, &bad);
    s->work = word_number(words, "work", 0, &bad);
    s->rest_ms = word_number(words, "rest", 0, &bad);
    s->limit_ns = word_number(words, "limit", 20000, &bad);
    s->busy = !word_is(words, "busy", "off");
    s->few_reads = word_is(words, "reads", "few");
    s->no_reads = word_is(words, "reads", "none");
    s->ioapic = word_is(words, "irq", "ioapic");

    uint64_t total = 0;

    for (unsigned int i = 0; i < TICK_SOURCES; i++) {
        total += s->hz[i];
        bad |= s->hz[i] != 0 && (s->hz[i] < MIN_HZ || s->hz[i] > MAX_HZ);
    }
    bad |= s->hz[TICK_RTC] != 0 && rtc_rate_select(s->hz[TICK_RTC]) == 0;
    bad |= s->limit_ns > 1000000000 || s->work > 1000000000 || s->rest_ms > 10000;
    bad |= s->seconds == 0 || s->seconds > MAX_TICKS || total == 0 ||
           total * (s->seconds * 1000 + s->rest_ms) / 1000 > MAX_TICKS - 1024;
    return !bad;
}

int guest_main(uint64_t magic, uint64_t info)
{
    const struct multiboot_info *mb = guest_init(magic, info);
    const char *words = multiboot_cmdline(mb);

    if (!parse(words)) {
        printf("clock: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    printf("clock: pit=%lu rtc=%lu lapic=%lu seconds=%lu busy=%s irq=%s hpet=%lu\n", run.set.hz[TICK_PIT],
           run.set.hz[TICK_RTC], run.set.hz[TICK_LAPIC], run.set.seconds, run.set.busy ? "on" : "off",
           run.set.ioapic ? "ioapic" : "pic", run.set.hz[TICK_HPET]);
    record_run();

    int code = judge();

    record_settle();
    return code;
}
