#include "kernel/trace.h"

#include "arch/x86/percpu.h"
#include "kernel/guests.h"
#include "kernel/trace_pack.h"
#include "vmm/host.h"

#define PAGE 4096u

static struct trace_rings rings[MAX_CPUS];

/* A ring that is off: every record overwrites the last one, and the writer needs to ask nothing. What the
 * rings held is kept meanwhile. */
static struct trace_record nowhere[MAX_CPUS];
static struct trace_rings kept[MAX_CPUS];
static bool enabled;
static bool full; /* as it was asked for */
bool trace_is_full;

static void switch_off(unsigned int cpu)
{
    const struct trace_ring off = {.records = &nowhere[cpu]};

    if (rings[cpu].events.records != &nowhere[cpu]) /* else it never had any */
        kept[cpu] = rings[cpu];
    rings[cpu] = (struct trace_rings){.events = off, .exits = off, .full = false};
}

static void switch_on(unsigned int cpu)
{
    if (kept[cpu].events.records)
        rings[cpu] = kept[cpu];
}

void trace_init(const struct global_config *global)
{
    unsigned int cpu = this_cpu()->id;
    uint64_t bytes = global->trace_bytes;
    uint64_t half = bytes / sizeof(struct trace_record) / 2;
    struct trace_record *records;

    switch_off(cpu);
    if (global->trace == TRACE_SETTING_OFF)
        return;
    records = host_alloc_pages(bytes / PAGE, PAGE);
    if (!records) {
        host_log("trace: no memory for %llu KiB (trace-buffer=): off", (unsigned long long)bytes >> 10);
        return;
    }
    kept[cpu].events = (struct trace_ring){.records = records, .mask = half - 1};
    kept[cpu].exits = (struct trace_ring){.records = records + half, .mask = half - 1};
    full = global->trace != TRACE_SETTING_ON;
    kept[cpu].full = full;
    trace_is_full = full;
    enabled = true;
    switch_on(cpu);
}

struct trace_rings *host_trace(void)
{
    return &rings[this_cpu()->id];
}

bool trace_enable(bool on)
{
    if (!kept[0].events.records)
        return false;
    if (on == enabled)
        return true;
    for (unsigned int cpu = 0; cpu < percpu_count(); cpu++) {
        if (on)
            switch_on(cpu);
        else
            switch_off(cpu);
    }
    enabled = on;
    trace_is_full = on && full;
    return true;
}

bool trace_enabled(void)
{
    return enabled;
}

/* ---- the dump ---- */

static void say(const char *line)
{
    host_log("%s", line);
}

static void add_accounts(void)
{
    for (unsigned int i = 0; i < guests_count(); i++) {
        struct vm *vm = &guests_get(i)->vm;

        if (vm->state == VM_RUNNING)
            trace_vm_account(vm);
    }
}

void trace_dump(void)
{
    char line[TRACE_LINE_MAX];
    unsigned int blocks = 0;
    unsigned int cpus = percpu_count();
    bool was = enabled;

    if (was)
        add_accounts();
    (void)trace_enable(false);
    host_snprintf(line, sizeof(line), "trace: begin %u hz=%llu rings=%u", TRACE_FORMAT,
                  (unsigned long long)host_hz(), 2 * cpus);
    trace_pack_seal(line);
    say(line);
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        blocks += trace_pack_ring(&kept[cpu].events, 2 * cpu, "events", say);
        blocks += trace_pack_ring(&kept[cpu].exits, 2 * cpu + 1, "exits", say);
    }
    host_snprintf(line, sizeof(line), "trace: end blocks=%u", blocks);
    trace_pack_seal(line);
    say(line);
    (void)trace_enable(was);
}
