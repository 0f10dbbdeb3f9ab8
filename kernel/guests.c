/* All VMs of this machine; see guests.h. */
#include "kernel/guests.h"

#include "kernel/describe.h"
#include "kernel/host.h"
#include "kernel/spread.h"
#include "timers/vtime.h"
#include "vmm/backend.h"
#include "vmm/host.h"

#define PAGE      4096u
#define DESCRIBED 11u /* VMs that have a power-on line */

static struct guest *guests; /* an array of `count`, in the order of the command line */
static unsigned int count;
static uint64_t held; /* bytes in use before the first VM */

static void complain(const char *line)
{
    host_log("%s", line);
}

/* A line for each of the first VMs: the power-on screen is to hold all of it. */
static void describe(const struct vm_config *c, unsigned int index)
{
    char settings[160];

    if (index == DESCRIBED)
        host_log("... and more VMs; `vms` in the monitor lists them");
    if (index >= DESCRIBED)
        return;
    describe_settings(settings, sizeof settings, &c->time, c->time.maxrate);
    host_log("vm %s: %llu MiB, %u processor%s, image %s%s; %s", c->name, (unsigned long long)(c->mem >> 20),
             c->cpus, c->cpus == 1 ? "" : "s", c->image_name, c->initrd ? " and initrd" : "", settings);
}

static void create_one(struct guest *g, const struct hv_ops *ops, const char *why,
                       const struct vm_config *config, unsigned int index)
{
    char pins[VM_REASON_MAX];

    if (!ops || (!config->refused && spread_refuses(config, pins, sizeof pins))) {
        g->vm.config = *config;
        vm_end_refused(&g->vm, "%s", config->refused ? config->reason : ops ? pins : why);
    } else if (vm_create(&g->vm, ops, config, index)) {
        describe(config, index);
        return;
    }
    host_log("vm %s refused: %s", g->vm.config.name, g->vm.end_reason);
}

/* What the hypervisor has taken for itself: its image and what it allocated, but for the guests' RAM. */
static void report_memory(void)
{
    uint64_t ram = 0;

    for (unsigned int i = 0; i < count; i++)
        ram += guests[i].vm.ram.low + guests[i].vm.ram.high;
    host_log("memory: %llu KiB for the guests, %llu KiB for the hypervisor", (unsigned long long)ram >> 10,
             (unsigned long long)(host_image_bytes() + host_bytes_used() - ram) >> 10);
}

bool guests_create(const struct hv_ops *ops, const char *why, const struct boot_module *modules,
                   unsigned int nmodules, bool qemu)
{
    size_t config_pages = (GUESTS_MAX * sizeof(struct vm_config) + PAGE - 1) / PAGE;
    struct vm_config *configs = host_alloc_pages(config_pages, PAGE);

    if (nmodules == 0) {
        host_log("no module: give at least one guest image, e.g. `module2 /vmlinuz vm=alpha mem=192M`");
        return false;
    }
    if (!configs) {
        host_log("no memory for the VMs' settings");
        return false;
    }
    count = config_parse_modules(configs, GUESTS_MAX, modules, nmodules, qemu, complain);
    guests = host_alloc_pages((count * sizeof *guests + PAGE - 1) / PAGE, PAGE);
    if (!guests) {
        host_log("no memory for %u VMs", count);
        count = 0;
    }
    held = host_bytes_used() - config_pages * PAGE;
    for (unsigned int i = 0; i < count; i++) {
        create_one(&guests[i], ops, why, &configs[i], i);
    }
    host_free_pages(configs, config_pages);
    report_memory();
    return count > 0 && ops != NULL;
}

unsigned int guests_count(void)
{
    return count;
}

struct guest *guests_get(unsigned int index)
{
    ASSERT(index < count);
    return &guests[index];
}

unsigned int guests_alive(void)
{
    unsigned int alive = 0;

    for (unsigned int i = 0; i < count; i++) {
        alive += guests[i].vm.state == VM_RUNNING;
    }
    return alive;
}

const char *guests_end_words(char out[GUESTS_END_WORDS], const struct vm *vm)
{
    static const char *const words[] = {
        [VM_END_EXIT] = "exit",   [VM_END_POWEROFF] = "poweroff", [VM_END_RESET] = "reset",
        [VM_END_CRASH] = "crash", [VM_END_KILLED] = "killed",     [VM_END_REFUSED] = "refused",
    };
    bool why = vm->end == VM_END_CRASH || vm->end == VM_END_REFUSED;

    if (vm->end == VM_END_EXIT)
        host_snprintf(out, GUESTS_END_WORDS, "exit %u", vm->exit_code);
    else
        host_snprintf(out, GUESTS_END_WORDS, "%s%s%s", words[vm->end], why ? " " : "",
                      why ? vm->end_reason : "");
    return out;
}

/* True if that was an end as it should be. */
static bool report_one(const struct vm *vm)
{
    char words[GUESTS_END_WORDS];

    host_log("vm %s ended %s", vm->config.name, guests_end_words(words, vm));
    return vm->end == VM_END_POWEROFF || (vm->end == VM_END_EXIT && vm->exit_code == 0);
}

/* All have ended, so all that they took must be free again. */
static void report_leak(void)
{
    if (count > 0 && host_bytes_used() != held)
        host_log("memory: leak: %lld bytes of ended VMs were not given back",
                 (long long)(host_bytes_used() - held));
}

bool guests_report(void)
{
    unsigned int ok = 0;

    for (unsigned int i = 0; i < count; i++) {
        ok += report_one(&guests[i].vm);
    }
    report_leak();
    host_log("all VMs ended, %u ok, %u failed", ok, count - ok);
    return count > 0 && ok == count;
}
