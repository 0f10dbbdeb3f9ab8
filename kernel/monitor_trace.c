/* The monitor's `trace`: what is recorded, and the dump. */
#include "kernel/console.h"
#include "kernel/monitor_internal.h"
#include "kernel/trace.h"
#include "kernel/trace_pack.h"
#include "vmm/string.h"
#include "vmm/words.h"

#define LINES_AT_ONCE 4u /* of a dump, in one look at the console: a tenth of a millisecond or so */

enum trace_word { WORD_ON, WORD_FULL, WORD_OFF, WORD_DUMP };

static const char *const trace_words[] = {
    [WORD_ON] = "on", [WORD_FULL] = "full", [WORD_OFF] = "off", [WORD_DUMP] = "dump"};

static unsigned int said; /* lines of the dump */

const char *monitor_trace_words(unsigned int i)
{
    return i < sizeof trace_words / sizeof trace_words[0] ? trace_words[i] : NULL;
}

static void show_ring(const char *what, uint64_t written, uint64_t room)
{
    monitor_say("  %-12s %12llu records, of which the latest %llu are kept", what,
                (unsigned long long)written, (unsigned long long)(written < room ? written : room));
}

static void show_status(void)
{
    struct trace_status s = trace_status();

    monitor_say("trace: %s", !s.on    ? "off; what was recorded is kept"
                             : s.full ? "on, in full: exits, reads and injections, too"
                                      : "on; `trace full` adds exits, reads and injections");
    show_ring("events", s.events, s.room);
    show_ring("exits", s.exits, s.room);
}

static void begin_dump(void)
{
    monitor_say("trace dump: goes out as lines for tools/trace, the guests run on; any key stops it");
    trace_dump_begin();
    said = 0;
}

void command_trace(unsigned int argc, char **argv)
{
    static const enum trace_setting settings[] = {
        [WORD_ON] = TRACE_SETTING_ON, [WORD_FULL] = TRACE_SETTING_FULL, [WORD_OFF] = TRACE_SETTING_OFF};
    char text[WORD_SHOWN + 4];
    const char *meant;
    unsigned int i = 0;

    if (!trace_status().there) {
        monitor_say("there is no trace: it was switched off at the start (trace=), or had no memory");
        return;
    }
    if (argc > 1) {
        while (monitor_trace_words(i) && strcmp(argv[1], trace_words[i]) != 0)
            i++;
        if (!monitor_trace_words(i)) {
            meant = command_meant_of(monitor_trace_words, argv[1]);
            words_shown(text, argv[1]);
            monitor_say("'%s' is none of on, full, off, dump%s%s%s", text, meant ? ": did you mean " : "",
                        meant ? meant : "", meant ? "?" : "");
            return;
        }
        if (i == WORD_DUMP) {
            begin_dump();
            return;
        }
        (void)trace_switch(settings[i]);
    }
    show_status();
}

void monitor_dump_stop(void)
{
    trace_dump_stop();
    monitor_say("trace dump: stopped after %u lines", said);
}

bool monitor_dump_step(void)
{
    for (unsigned int i = 0; i < LINES_AT_ONCE && console_line_room() > TRACE_LINE_MAX + 16; i++) {
        said++;
        if (!trace_dump_step())
            return false;
    }
    return true;
}
