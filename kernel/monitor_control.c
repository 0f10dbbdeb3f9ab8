/* What the monitor does to VMs. */
#include "kernel/console.h"
#include "kernel/monitor.h"
#include "kernel/monitor_internal.h"
#include "kernel/processor.h"
#include "kernel/smp.h"
#include "vmm/settings.h"
#include "vmm/string.h"
#include "vmm/words.h"

static const char *const meaning_texts[] = {
    [PAUSE_FREEZE] = "for it no time passes meanwhile",
    [PAUSE_CATCHUP] = "what passes is caught up after it (past leap= it is jumped over)",
    [PAUSE_LEAP] = "what passes is jumped over after it",
};

/* argv[2], if it is given. False after saying that it is none. */
static bool parse_meaning(unsigned int argc, char **argv, enum pause_meaning *meaning)
{
    const char *name;
    char text[WORD_SHOWN + 4];

    if (argc < 3)
        return true;
    for (unsigned int i = 0; (name = monitor_meanings(i)) != NULL; i++) {
        if (strcmp(argv[2], name) == 0) {
            *meaning = (enum pause_meaning)i;
            return true;
        }
    }
    name = command_meant_of(monitor_meanings, argv[2]);
    words_shown(text, argv[2]);
    monitor_say("'%s' is none of freeze, catchup, leap%s%s%s", text, name ? ": did you mean " : "",
                name ? name : "", name ? "?" : "");
    return false;
}

static void pause(struct guest *g, void *arg)
{
    enum pause_meaning meaning = *(enum pause_meaning *)arg;

    if (g->paused) {
        monitor_say("%s is paused already (%s)", g->vm.config.name, monitor_meanings(g->meaning));
        return;
    }
    processor_pause(&g->vm);
    g->meaning = meaning;
    monitor_say("%s is paused (%s): %s", g->vm.config.name, monitor_meanings(meaning),
                meaning_texts[meaning]);
}

void command_pause(unsigned int argc, char **argv)
{
    enum pause_meaning meaning = PAUSE_FREEZE;

    if (parse_meaning(argc, argv, &meaning))
        monitor_on_whole_vm(argv[1], pause, &meaning);
}

struct typed {
    unsigned int argc;
    char **argv;
};

static void resume(struct guest *g, void *arg)
{
    const struct typed *w = arg;

    if (!g->paused) {
        monitor_say("%s is not paused", g->vm.config.name);
        return;
    }
    if (!parse_meaning(w->argc, w->argv, &g->meaning))
        return;
    processor_resume(&g->vm, g->meaning);
    monitor_say("%s goes on (%s)", g->vm.config.name, monitor_meanings(g->meaning));
}

void command_resume(unsigned int argc, char **argv)
{
    struct typed typed = {argc, argv};

    monitor_on_whole_vm(argv[1], resume, &typed);
}

/* All words, or none: a wrong one changes nothing. */
static bool parse_settings(struct vm_config *config, unsigned int argc, char **argv)
{
    struct settings_line line = {.vm = config, .role = ROLE_KERNEL};
    uint32_t given = 0;
    char why[VM_REASON_MAX];
    char text[WORD_SHOWN + 4];

    for (unsigned int i = 2; i < argc; i++) {
        if (!words_apply(vm_settings, vm_settings_count, &line, &given, argv[i], why, sizeof why)) {
            monitor_say("%s; nothing has been changed", why);
            return false;
        }
        if (!settings_live(argv[i])) {
            words_shown(text, argv[i]);
            monitor_say("'%s' is for the start of a VM; nothing has been changed", text);
            return false;
        }
    }
    return true;
}

static void set(struct guest *g, void *arg)
{
    static struct vm_config config; /* too large for a stack; the monitor does one thing at a time */
    const struct typed *w = arg;

    config = g->vm.config;
    if (!parse_settings(&config, w->argc, w->argv))
        return;
    if (!vm_set_time(&g->vm, &config.time)) {
        monitor_say("these values together are out of range; nothing has been changed");
        return;
    }
    monitor_say("%s: from its next event on", g->vm.config.name);
}

void command_set(unsigned int argc, char **argv)
{
    struct typed typed = {argc, argv};

    monitor_on_vm(argv[1], set, &typed);
}

static void reset(struct guest *g, void *arg)
{
    (void)arg;
    processor_reset(&g->vm);
}

void command_reset(unsigned int argc, char **argv)
{
    (void)argc;
    monitor_on_whole_vm(argv[1], reset, NULL);
}

static void kill(struct guest *g, void *arg)
{
    (void)arg;
    processor_kill(&g->vm);
    monitor_say("%s has been killed", g->vm.config.name);
}

void command_kill(unsigned int argc, char **argv)
{
    (void)argc;
    monitor_on_whole_vm(argv[1], kill, NULL);
}

void command_console(unsigned int argc, char **argv)
{
    struct guest *g = argc > 1 ? monitor_running_vm(argv[1]) : NULL;

    if (g)
        console_look(VIEW_TERMINAL, g->vm.index);
    else if (argc == 1)
        console_look(VIEW_LINES, 0);
}

static bool quit;

bool monitor_has_quit(void)
{
    return quit;
}

static void kill_quietly(struct guest *g, void *arg)
{
    (void)arg;
    if (g->vm.state == VM_RUNNING)
        processor_kill(&g->vm);
}

void command_quit(unsigned int argc, char **argv)
{
    (void)argc;
    (void)argv;
    quit = true;
    for (unsigned int i = 0; i < guests_count(); i++) {
        if (guests_get(i)->vm.state == VM_RUNNING)
            processor_call_alone(guests_get(i), kill_quietly, NULL);
    }
    console_look(VIEW_LINES, 0);
}
