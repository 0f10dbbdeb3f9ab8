#include "kernel/trace.h"

#include "arch/x86/percpu.h"
#include "kernel/guests.h"
#include "kernel/smp.h"
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

/* The dump that is under way. */
static struct {
    bool going;
    bool was_enabled;
    unsigned int ring; /* the reader's */
    unsigned int blocks;
    struct trace_reader reader;
} dump;

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

/* On each processor: between a writer's look at its ring and the record nothing may change. */
static void switch_here(void *on)
{
    if (*(const bool *)on)
        switch_on(this_cpu()->id);
    else
        switch_off(this_cpu()->id);
}

static void enable(bool on)
{
    if (on != enabled)
        processors_each(switch_here, &on);
    enabled = on;
    trace_is_full = on && full;
}

bool trace_switch(enum trace_setting setting)
{
    ASSERT(!dump.going);
    if (!kept[0].events.records)
        return false;
    enable(false);
    full = setting > TRACE_SETTING_ON;
    for (unsigned int cpu = 0; cpu < percpu_count(); cpu++)
        kept[cpu].full = full;
    enable(setting != TRACE_SETTING_OFF);
    return true;
}

struct trace_status trace_status(void)
{
    struct trace_status s = {.there = kept[0].events.records != NULL, .on = enabled, .full = full};

    s.room = s.there ? kept[0].events.mask + 1 : 0;
    for (unsigned int cpu = 0; s.there && cpu < percpu_count(); cpu++) {
        const struct trace_rings *r = enabled ? &rings[cpu] : &kept[cpu];

        s.events += r->events.next;
        s.exits += r->exits.next;
    }
    return s;
}

void trace_end(struct vm *vm)
{
    bool on = true, was = enabled;

    if (!kept[0].events.records || dump.going)
        return; /* the dump has had its account */
    if (!was)
        switch_here(&on);
    trace_vm_account(vm);
    if (!was)
        switch_here(&was);
}

/* ---- the dump ---- */

static void say(const char *line)
{
    host_log("%s", line);
}

static void add_account(struct guest *g, void *arg)
{
    (void)arg;
    if (g->vm.state == VM_RUNNING)
        trace_end(&g->vm);
}

static void add_accounts(void)
{
    for (unsigned int i = 0; i < guests_count(); i++)
        processor_call(guests_get(i), add_account, NULL);
}

static void open_ring(unsigned int ring)
{
    const struct trace_rings *r = &kept[ring / 2];

    dump.ring = ring;
    if (ring % 2)
        trace_pack_open(&dump.reader, &r->exits, ring, "exits");
    else
        trace_pack_open(&dump.reader, &r->events, ring, "events");
}

bool trace_dumping(void)
{
    return dump.going;
}

void trace_dump_begin(void)
{
    char line[TRACE_LINE_MAX];

    if (dump.going)
        trace_dump_stop();
    add_accounts();
    dump.was_enabled = enabled;
    dump.going = true;
    enable(false);
    host_snprintf(line, sizeof(line), "trace: begin %u hz=%llu rings=%u", TRACE_FORMAT,
                  (unsigned long long)host_hz(), 2 * percpu_count());
    trace_pack_seal(line);
    say(line);
    dump.blocks = 0;
    open_ring(0);
}

bool trace_dump_step(void)
{
    char line[TRACE_LINE_MAX];

    if (trace_pack_line(&dump.reader, line)) {
        say(line);
        return true;
    }
    dump.blocks += dump.reader.blocks;
    if (dump.ring + 1 < 2 * percpu_count()) {
        open_ring(dump.ring + 1);
        return true;
    }
    host_snprintf(line, sizeof(line), "trace: end blocks=%u", dump.blocks);
    trace_pack_seal(line);
    say(line);
    trace_dump_stop();
    return false;
}

void trace_dump_stop(void)
{
    dump.going = false;
    enable(dump.was_enabled);
}
