#include "vmm/config.h"

#include "vmm/host.h"
#include "vmm/settings.h"
#include "vmm/string.h"
#include "vmm/words.h"

#define SLICE_DEFAULT    10000000ull
#define MEM_DEFAULT      (64ull << 20)
#define LEAP_DEFAULT     60000000000ull
#define PROGRESS_DEFAULT 50000ull
#define WATCHDOG_DEFAULT 10000000000ull
#define TRACE_DEFAULT    (1ull << 20)

void config_parse_global(struct global_config *out, const char *cmdline, bool strip_first,
                         void (*complain)(const char *line))
{
    char *line = (char *)(uintptr_t)cmdline; /* writable, as the contract says */
    char why[VM_REASON_MAX];
    uint32_t given = 0;
    struct words w;
    const char *word;

    *out = (struct global_config){.slice_ns = SLICE_DEFAULT,
                                  .boost = true,
                                  .halt_on_empty = false,
                                  .trace = TRACE_SETTING_ON,
                                  .trace_bytes = TRACE_DEFAULT,
                                  .watchdog_ns = WATCHDOG_DEFAULT};
    words_split(&w, line);
    if (strip_first)
        (void)words_next(&w);
    while ((word = words_next(&w)) != NULL) {
        char text[VM_REASON_MAX + 16];

        if (words_apply(global_settings, global_settings_count, out, &given, word, why, sizeof(why)))
            continue;
        host_snprintf(text, sizeof(text), "command line: %s", why);
        complain(text);
    }
}

/* The first reason stands: later ones may follow from it. */
static void refuse(struct vm_config *vm, unsigned int number, const char *why)
{
    if (vm->refused)
        return;
    vm->refused = true;
    host_snprintf(vm->reason, sizeof(vm->reason), "module %u: %s", number, why);
}

static void vm_defaults(struct vm_config *vm, unsigned int number)
{
    *vm = (struct vm_config){
        .mem = MEM_DEFAULT,
        .cpus = 1,
        .rtc_host = true,
        .pvclock = true,
        .tsc_deadline = true,
        .x2apic = true,
        .time = {.rate_p = 2, .rate_q = 1, .leap_ns = LEAP_DEFAULT, .progress_ns = PROGRESS_DEFAULT},
        .image_name = "",
        .cmdline = "",
        .first_module = number,
    };
}

/* The value of vm=, if it is there and a name. */
static const char *find_name(struct words w)
{
    const char *word;

    while ((word = words_next(&w)) != NULL) {
        if (strncmp(word, "vm=", 3) == 0)
            return vm_settings[0].parse(NULL, word + 3) ? word + 3 : NULL;
    }
    return NULL;
}

/* The VM of that name, new if need be; NULL if there are too many. */
static struct vm_config *vm_named(struct vm_config *vms, unsigned int *n, unsigned int max, const char *name,
                                  unsigned int number)
{
    unsigned int i;

    for (i = 0; i < *n; i++) {
        if (strcmp(vms[i].name, name) == 0)
            return &vms[i];
    }
    if (*n == max)
        return NULL;
    vm_defaults(&vms[*n], number);
    memcpy(vms[*n].name, name, strlen(name) + 1);
    return &vms[(*n)++];
}

static void take_kernel(struct vm_config *vm, const struct boot_module *m, unsigned int number,
                        const char *file, const char *rest)
{
    if (vm->image != NULL) {
        refuse(vm, number, "this VM's name has a kernel already (is this its initrd or a module?)");
        return;
    }
    vm->image = m->data;
    vm->image_size = m->size;
    vm->image_name = file;
    vm->image_module = number;
    vm->cmdline = rest != NULL ? rest : "";
}

static void take_initrd(struct vm_config *vm, const struct boot_module *m, unsigned int number,
                        const char *rest)
{
    if (vm->initrd != NULL) {
        refuse(vm, number, "this VM has an initrd already");
        return;
    }
    if (rest != NULL && *rest != '\0') {
        refuse(vm, number, "an initrd takes no words after '--'");
        return;
    }
    vm->initrd = m->data;
    vm->initrd_size = m->size;
}

static void take_module(struct vm_config *vm, const struct boot_module *m, unsigned int number,
                        const char *rest)
{
    char why[64];

    if (vm->nmodules == VM_MAX_MODULES) {
        host_snprintf(why, sizeof(why), "this VM has more than %u modules", VM_MAX_MODULES);
        refuse(vm, number, why);
        return;
    }
    vm->modules[vm->nmodules++] =
        (struct guest_module){.data = m->data, .size = m->size, .cmdline = rest != NULL ? rest : ""};
}

/* Applies all words of a line; the first wrong one refuses the VM. False then. */
static bool apply_words(struct settings_line *line, struct words w, unsigned int number)
{
    char why[VM_REASON_MAX];
    const char *word;

    line->vm->given &= ~SETTINGS_PER_LINE;
    while ((word = words_next(&w)) != NULL) {
        if (!words_apply(vm_settings, vm_settings_count, line, &line->vm->given, word, why, sizeof(why))) {
            refuse(line->vm, number, why);
            return false;
        }
    }
    return true;
}

/* A module that no VM can be told for: a refused VM, and a line. It has no name yet, so that no vm= can mean
 * it. */
static void orphan(struct vm_config *vm, struct words w, unsigned int number,
                   void (*complain)(const char *line))
{
    struct settings_line line = {.vm = vm, .role = ROLE_KERNEL};

    vm_defaults(vm, number);
    /* A misspelt vm= is what the person wants to hear of, not that there is none. */
    if (apply_words(&line, w, number))
        refuse(vm, number, "no vm=NAME says which VM it is for");
    complain(vm->reason);
}

static void parse_line(struct vm_config *vms, unsigned int *n, unsigned int max, const struct boot_module *m,
                       unsigned int number, bool qemu, void (*complain)(const char *line))
{
    struct settings_line line = {.role = ROLE_KERNEL};
    const char *file = NULL;
    const char *name;
    struct words w;
    char text[64];

    words_split(&w, (char *)(uintptr_t)m->words); /* writable, as the contract says */
    if (qemu)
        file = words_next(&w);
    name = find_name(w);
    if (name == NULL && *n < max) {
        orphan(&vms[(*n)++], w, number, complain);
        return;
    }
    line.vm = name == NULL ? NULL : vm_named(vms, n, max, name, number);
    if (line.vm == NULL) {
        host_snprintf(text, sizeof(text), "module %u: left out, there are %u VMs already", number, max);
        complain(text);
        return;
    }
    if (!apply_words(&line, w, number))
        return;
    if (line.role == ROLE_KERNEL)
        take_kernel(line.vm, m, number, file != NULL ? file : name, w.rest);
    else if (line.role == ROLE_INITRD)
        take_initrd(line.vm, m, number, w.rest);
    else
        take_module(line.vm, m, number, w.rest);
}

unsigned int config_parse_modules(struct vm_config *vms, unsigned int max, const struct boot_module *modules,
                                  unsigned int nmodules, bool qemu, void (*complain)(const char *line))
{
    unsigned int n = 0;
    unsigned int i;

    for (i = 0; i < nmodules; i++)
        parse_line(vms, &n, max, &modules[i], i + 1, qemu, complain);
    for (i = 0; i < n; i++) {
        if (vms[i].name[0] == '\0')
            host_snprintf(vms[i].name, sizeof(vms[i].name), "module%u", vms[i].first_module);
        if (vms[i].image == NULL)
            refuse(&vms[i], vms[i].first_module, "this VM has no kernel, only an initrd or modules");
    }
    return n;
}
