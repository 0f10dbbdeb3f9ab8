/* The words of the monitor's commands: which VM is meant, how times are written. */
#include "kernel/monitor_internal.h"
#include "kernel/smp.h"
#include "timers/muldiv.h"
#include "vmm/host.h"
#include "vmm/settings.h"
#include "vmm/string.h"
#include "vmm/words.h"

#define NS_PER_SECOND 1000000000ull

const char *monitor_vm_names(unsigned int i)
{
    return i < guests_count() ? guests_get(i)->vm.config.name : NULL;
}

const char *monitor_meanings(unsigned int i)
{
    static const char *const names[] = {
        [PAUSE_FREEZE] = "freeze", [PAUSE_CATCHUP] = "catchup", [PAUSE_LEAP] = "leap"};

    return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}

const char *monitor_settings(unsigned int i)
{
    for (unsigned int k = 0; k < vm_settings_count; k++) {
        if (settings_live(vm_settings[k].name) && i-- == 0)
            return vm_settings[k].name;
    }
    return NULL;
}

/* ---- VMs ---- */

static struct guest *named(const char *word)
{
    uint64_t number;

    for (unsigned int i = 0; i < guests_count(); i++) {
        if (strcmp(guests_get(i)->vm.config.name, word) == 0)
            return guests_get(i);
    }
    if (words_number(word, guests_count(), &number) && number > 0)
        return guests_get((unsigned int)number - 1);
    return NULL;
}

struct guest *monitor_vm(const char *word)
{
    struct guest *g = named(word);
    const char *meant;
    char text[WORD_SHOWN + 4];

    if (g)
        return g;
    meant = command_meant_of(monitor_vm_names, word);
    words_shown(text, word);
    if (meant)
        monitor_say("no VM '%s': did you mean %s?", text, meant);
    else
        monitor_say("no VM '%s'; `vms` lists them", text);
    return NULL;
}

struct guest *monitor_running_vm(const char *word)
{
    struct guest *g = monitor_vm(word);

    if (g && g->vm.state != VM_RUNNING) {
        monitor_say("%s has ended", g->vm.config.name);
        return NULL;
    }
    return g;
}

struct deed {
    void (*fn)(struct guest *g, void *arg);
    void *arg;
};

/* It may have ended while the request was on its way. */
static void do_deed(struct guest *g, void *arg)
{
    const struct deed *d = arg;

    if (g->vm.state == VM_RUNNING)
        d->fn(g, d->arg);
    else
        monitor_say("%s has ended", g->vm.config.name);
}

void monitor_on_vm(const char *word, void (*fn)(struct guest *g, void *arg), void *arg)
{
    struct guest *g = monitor_running_vm(word);
    struct deed deed = {fn, arg};

    if (g)
        processor_call(g, do_deed, &deed);
}

void monitor_on_whole_vm(const char *word, void (*fn)(struct guest *g, void *arg), void *arg)
{
    struct guest *g = monitor_running_vm(word);
    struct deed deed = {fn, arg};

    if (g)
        processor_call_alone(g, do_deed, &deed);
}

/* ---- times ---- */

/* The VM's clock stands where its last incident latched it: that may be a while ago for one that is halted.
 */
const struct vtime *monitor_time_of(const struct vm *vm, rt_t now)
{
    static struct vtime time;

    time = vm->time;
    time.rt_c = now > time.rt_c ? now : time.rt_c;
    return &time;
}

static uint64_t ns_of(uint64_t ticks)
{
    return vt_mul_div(ticks, NS_PER_SECOND, host_hz());
}

const char *monitor_seconds(char out[MONITOR_TIME], uint64_t ticks)
{
    uint64_t ns = ns_of(ticks);

    host_snprintf(out, MONITOR_TIME, "%llu.%06llu", (unsigned long long)(ns / NS_PER_SECOND),
                  (unsigned long long)(ns % NS_PER_SECOND / 1000));
    return out;
}

const char *monitor_signed_ms(char out[MONITOR_TIME], int64_t ticks)
{
    uint64_t us = ns_of(ticks < 0 ? -(uint64_t)ticks : (uint64_t)ticks) / 1000;

    host_snprintf(out, MONITOR_TIME, "%s%llu.%03llu", ticks < 0 ? "-" : "", (unsigned long long)(us / 1000),
                  (unsigned long long)(us % 1000));
    return out;
}
