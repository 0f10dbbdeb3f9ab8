/* What the monitor shows of VMs: states, shares, exits, registers, screens. */
#include "kernel/monitor_internal.h"
#include "kernel/smp.h"
#include "kernel/text_page.h"
#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/run.h"
#include "vmm/string.h"

#define TEXT_PAGE 0xb8000u

/* ---- shares ---- */

/* What each VM had used at two moments, the later one at most a second ago. */
static struct {
    rt_t at;
    uint64_t used[GUESTS_MAX];
} earlier, later;

static uint64_t used(const struct guest *g)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < VM_MAX_VCPUS; i++)
        sum += g->entities[i].used;
    return sum;
}

void monitor_sample(rt_t now)
{
    if (now - later.at < host_hz())
        return;
    earlier = later;
    later.at = now;
    for (unsigned int i = 0; i < guests_count(); i++)
        later.used[i] = used(guests_get(i));
}

unsigned int monitor_share(const struct guest *g)
{
    uint64_t elapsed = host_now() - earlier.at;
    uint64_t had = used(g) - earlier.used[g->vm.index];

    return (unsigned int)(had / (elapsed / 1000 + 1));
}

/* ---- vms ---- */

/* The reason of a crash has no place in a table. */
static void show_end(const struct vm *vm, char *out, size_t size)
{
    char words[GUESTS_END_WORDS];
    size_t n = 0;

    guests_end_words(words, vm);
    while (words[n] != 0 && (words[n] != ' ' || vm->end == VM_END_EXIT))
        n++;
    words[n] = 0;
    host_snprintf(out, size, "ended %s", words);
}

static void show_state(const struct guest *g, char *out, size_t size)
{
    const struct vm *vm = &g->vm;
    bool halted = true;

    for (unsigned int i = 0; i < vm->nvcpus; i++)
        halted = halted && vm->vcpus[i]->state != VCPU_RUNNABLE;
    if (vm->state != VM_RUNNING)
        show_end(vm, out, size);
    else if (g->paused)
        host_snprintf(out, size, "paused %s", monitor_meanings(g->meaning));
    else
        host_snprintf(out, size, "%s", halted ? "halted" : "running");
}

static uint64_t all_exits(const struct vm *vm)
{
    uint64_t sum = 0;

    for (unsigned int k = 0; k < EXIT_KINDS; k++)
        sum += vm_exits(vm, (enum exit_kind)k);
    return sum;
}

/* The processors of its vCPUs, in their order: "0", or "0,1,0". */
static void show_seats(const struct guest *g, char *out, size_t size)
{
    size_t n = (size_t)host_snprintf(out, size, "%u", guest_home(g));

    for (unsigned int i = 1; i < g->vm.nvcpus && n < size; i++)
        n += (size_t)host_snprintf(out + n, size - n, ",%u", g->seats[i].processor);
}

/* On its processor: it may end there at any moment. */
static void show_vm(struct guest *g, void *arg)
{
    unsigned int share = monitor_share(g);
    char state[24], seats[4 * VM_MAX_VCPUS];

    (void)arg;
    show_state(g, state, sizeof state);
    show_seats(g, seats, sizeof seats);
    monitor_say("%2u  %-16s  %-14s  %9s  %3u.%u%%  %10llu  %10llu  %6u", g->vm.index + 1, g->vm.config.name,
                state, seats, share / 10, share % 10,
                (unsigned long long)((g->vm.ram.low + g->vm.ram.high) >> 20),
                (unsigned long long)all_exits(&g->vm), g->vm.restarts);
}

void command_vms(unsigned int argc, char **argv)
{
    (void)argc;
    (void)argv;
    monitor_say(" #  %-16s  %-14s  processor   share  memory MiB       exits  resets", "vm", "state");
    for (unsigned int i = 0; i < guests_count(); i++)
        processor_call(guests_get(i), show_vm, NULL);
}

/* ---- one VM ---- */

static void show_exits(struct guest *g, void *arg)
{
    uint64_t sum = all_exits(&g->vm);

    (void)arg;
    for (unsigned int kind = 0; kind < EXIT_KINDS; kind++) {
        uint64_t n = vm_exits(&g->vm, (enum exit_kind)kind);

        if (n)
            monitor_say("%12llu  %3llu%%  %s", (unsigned long long)n, (unsigned long long)(n * 100 / sum),
                        exit_kind_name((enum exit_kind)kind));
    }
    monitor_say("%12llu  all exits of %s", (unsigned long long)sum, g->vm.config.name);
}

void command_exits(unsigned int argc, char **argv)
{
    (void)argc;
    monitor_on_vm(argv[1], show_exits, NULL);
}

static void show_registers(struct guest *g, void *arg)
{
    (void)arg;
    for (unsigned int i = 0; i < g->vm.nvcpus; i++)
        vcpu_dump(g->vm.vcpus[i]);
}

void command_regs(unsigned int argc, char **argv)
{
    (void)argc;
    monitor_on_whole_vm(argv[1], show_registers, NULL);
}

static void show_screen(struct guest *g, void *arg)
{
    const uint8_t *crtc = g->vm.platform.crtc;
    const uint8_t *cells = vm_ram(&g->vm, TEXT_PAGE, TEXT_PAGE_MEMORY);
    unsigned int row, column;
    char text[TEXT_PAGE_COLUMNS + 1];

    (void)arg;
    if (!cells) {
        monitor_say("%s has no text page", g->vm.config.name);
        return;
    }
    for (row = 0; row < TEXT_PAGE_ROWS; row++) {
        text_page_row(text, cells, crtc, row);
        monitor_say("%2u|%s", row + 1, text);
    }
    if (text_page_cursor(crtc, &row, &column))
        monitor_say("cursor: row %u, column %u", row + 1, column + 1);
    else
        monitor_say("cursor: none to be seen");
}

void command_screen(unsigned int argc, char **argv)
{
    (void)argc;
    monitor_on_vm(argv[1], show_screen, NULL);
}
