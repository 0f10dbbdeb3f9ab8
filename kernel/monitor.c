/* The monitor's turns and its table of commands; see monitor.h. */
#include "kernel/monitor.h"

#include <stdarg.h>

#include "kernel/console.h"
#include "kernel/editor.h"
#include "kernel/format.h"
#include "kernel/monitor_internal.h"
#include "kernel/trace.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/words.h"

#define PROMPT "(escapement) "
#define LINE   200
/* Free space that a command starts with: more than any one writes (32 VMs, a line of under 200 each). */
#define ROOM        12288u
#define DUMP_LOOKS  1000 /* in a second, while a trace dump is under way */
#define WATCH_LIMIT 1u   /* seconds from one picture to the next */

static struct editor editor;
static bool open;
static char watched[EDITOR_LINE + 1]; /* the command that `watch` repeats; "" while it does not */
static rt_t next_picture;
static rt_t look; /* the last one */

static void command_help(unsigned int argc, char **argv);
static void command_watch(unsigned int argc, char **argv);

static const struct command table[] = {
    {"help", "[COMMAND]", "this list, or one command", 0, 1, {ARG_COMMAND, ARG_NONE}, command_help},
    {"vms",
     "",
     "all VMs: state, share of the processor, memory, exits",
     0,
     0,
     {ARG_NONE, ARG_NONE},
     command_vms},
    {"time", "[VM]", "apparent time of all VMs; one with its ledger", 0, 1, {ARG_VM, ARG_NONE}, command_time},
    {"queue", "VM", "its timer event queue (figure 6A)", 1, 1, {ARG_VM, ARG_NONE}, command_queue},
    {"deadlines", "", "what the processor's timer waits for", 0, 0, {ARG_NONE, ARG_NONE}, command_deadlines},
    {"exits", "VM", "how often and why it left guest mode", 1, 1, {ARG_VM, ARG_NONE}, command_exits},
    {"regs", "VM", "its registers", 1, 1, {ARG_VM, ARG_NONE}, command_regs},
    {"screen", "VM", "its VGA text page", 1, 1, {ARG_VM, ARG_NONE}, command_screen},
    {"pause",
     "VM [freeze|catchup|leap]",
     "stop it; what the time until `resume` is to be",
     1,
     2,
     {ARG_VM, ARG_MEANING},
     command_pause},
    {"resume",
     "VM [freeze|catchup|leap]",
     "let it go on, with another meaning if given",
     1,
     2,
     {ARG_VM, ARG_MEANING},
     command_resume},
    {"set",
     "VM WORD=VALUE...",
     "change how its time is kept, as on its module line",
     2,
     COMMAND_WORDS - 1,
     {ARG_VM, ARG_SETTING},
     command_set},
    {"reset", "VM", "start it again from its images", 1, 1, {ARG_VM, ARG_NONE}, command_reset},
    {"kill", "VM", "end it", 1, 1, {ARG_VM, ARG_NONE}, command_kill},
    {"trace",
     "[on|full|off|dump]",
     "what is recorded; bring it out, for tools/trace",
     0,
     1,
     {ARG_TRACE, ARG_NONE},
     command_trace},
    {"watch",
     "COMMAND...",
     "repeat a command each second, until a key",
     1,
     COMMAND_WORDS - 1,
     {ARG_COMMAND, ARG_NONE},
     command_watch},
    {"console",
     "[VM]",
     "leave the monitor: all lines, or a VM's terminal",
     0,
     1,
     {ARG_VM, ARG_NONE},
     command_console},
    {"quit",
     "",
     "end all VMs, and leave the machine with the verdict",
     0,
     0,
     {ARG_NONE, ARG_NONE},
     command_quit},
};

static const struct command_set commands = {
    .table = table,
    .n = sizeof table / sizeof table[0],
    .names = {[ARG_VM] = monitor_vm_names,
              [ARG_MEANING] = monitor_meanings,
              [ARG_SETTING] = monitor_settings,
              [ARG_TRACE] = monitor_trace_words},
};

void monitor_say(const char *fmt, ...)
{
    char text[LINE + 2];
    va_list args;
    int n;

    va_start(args, fmt);
    n = format_va(text, LINE, fmt, args);
    va_end(args);
    n = n < LINE ? n : LINE - 1;
    text[n] = '\r';
    text[n + 1] = '\n';
    console_say(text, (size_t)n + 2);
}

/* ---- help ---- */

static void help_one(const struct command *c)
{
    char synopsis[48];

    host_snprintf(synopsis, sizeof synopsis, "%s %s", c->name, c->args);
    monitor_say("  %-32s %s", synopsis, c->help);
}

/* False after saying what may have been meant. */
static const struct command *find(const char *word)
{
    char text[WORD_SHOWN + 4];
    unsigned int several;
    const struct command *c = command_find(&commands, word, &several);
    const char *meant = command_meant(&commands, word);

    if (c)
        return c;
    words_shown(text, word);
    if (several > 1)
        monitor_say("'%s' could be %u commands; Tab twice shows them", text, several);
    else if (meant)
        monitor_say("no command '%s': did you mean %s?", text, meant);
    else
        monitor_say("no command '%s'; `help` lists them", text);
    return NULL;
}

static void command_help(unsigned int argc, char **argv)
{
    const struct command *one = argc > 1 ? find(argv[1]) : NULL;

    if (one)
        help_one(one);
    if (argc > 1)
        return;
    for (unsigned int i = 0; i < commands.n; i++)
        help_one(&table[i]);
    monitor_say(
        "A VM is named or numbered. Tab completes, the cursor keys recall. Ctrl-A a: back to all lines.");
}

/* ---- lines ---- */

static void run(char *line)
{
    char *argv[COMMAND_WORDS];
    unsigned int argc = command_split(line, argv);
    const struct command *c;
    char name[16];

    if (argc == 0)
        return;
    c = find(argv[0]);
    if (!c)
        return;
    if (argc - 1 < c->min || argc - 1 > c->max) {
        monitor_say("usage: %s %s", c->name, c->args);
        return;
    }
    host_snprintf(name, sizeof name, "%s", c->name);
    argv[0] = name;
    c->run(argc, argv);
}

static void draw_watched(rt_t now)
{
    static const char home[] = "\033[H\033[2J";
    char line[sizeof watched];

    next_picture = now + WATCH_LIMIT * host_hz();
    console_say(home, sizeof home - 1);
    monitor_say("every second: %s (any key ends it)", watched);
    memcpy(line, watched, sizeof line);
    run(line);
}

static bool may_be_watched(const struct command *c)
{
    static void (*const looks[])(unsigned int, char **) = {command_vms,       command_time,  command_queue,
                                                           command_deadlines, command_exits, command_screen};

    for (unsigned int i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        if (c->run == looks[i])
            return true;
    }
    monitor_say("%s cannot be watched: it does not only look", c->name);
    return false;
}

static void command_watch(unsigned int argc, char **argv)
{
    const struct command *c = find(argv[1]);
    size_t n = 0;

    if (!c || !may_be_watched(c))
        return;
    for (unsigned int i = 1; i < argc; i++) {
        memcpy(watched + n, argv[i], strlen(argv[i]));
        n += strlen(argv[i]);
        watched[n++] = ' ';
    }
    watched[n - 1] = 0;
    next_picture = 0;
}

/* ---- turns ---- */

static void write(const char *text, size_t n)
{
    console_say(text, n);
}

static const char *candidate(const char *line, unsigned int i, size_t *start)
{
    return command_candidate(&commands, line, i, start);
}

static void begin(void)
{
    if (!open && editor.prompt == NULL)
        editor_init(&editor, PROMPT, write, candidate);
    if (!open)
        monitor_say("monitor: the guests run on. `help` lists the commands, Ctrl-D leaves");
    open = true;
    editor_begin(&editor);
    (void)console_interrupted();
}

static void close(void)
{
    open = false;
    watched[0] = 0;
}

/* Something goes on that leaves no room for a prompt. */
static bool busy(void)
{
    return watched[0] != 0 || trace_dumping();
}

/* Any key ends it, and does nothing else. */
static void stop(void)
{
    watched[0] = 0;
    if (trace_dumping())
        monitor_dump_stop();
    begin();
}

/* Acts on one typed byte. */
static void take(uint8_t byte)
{
    if (busy()) {
        stop();
        return;
    }
    switch (editor_key(&editor, byte)) {
    case EDITOR_MORE:
        return;
    case EDITOR_LEAVE:
        console_leave_monitor();
        return;
    case EDITOR_LINE_DONE:
        run(editor.line);
        if (!busy() && console_view() == VIEW_MONITOR)
            begin();
        return;
    }
}

void monitor_service(rt_t now)
{
    int byte;

    monitor_sample(now);
    look = now;
    if (trace_dumping() && !monitor_dump_step() && console_view() == VIEW_MONITOR)
        begin();
    if (console_view() != VIEW_MONITOR) {
        close();
        return;
    }
    if (!open && !busy())
        begin();
    while (console_room() >= ROOM && console_view() == VIEW_MONITOR && (byte = console_monitor_getc()) >= 0)
        take((uint8_t)byte);
    if (console_view() != VIEW_MONITOR) {
        close();
        return;
    }
    if (watched[0] != 0 && now >= next_picture && console_room() >= ROOM)
        draw_watched(now);
    else if (console_interrupted() && !busy())
        editor_redraw(&editor);
}

rt_t monitor_deadline(void)
{
    if (trace_dumping())
        return look + host_hz() / DUMP_LOOKS;
    return open && watched[0] != 0 ? next_picture : RT_NEVER;
}
