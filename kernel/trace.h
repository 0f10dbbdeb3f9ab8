/* The trace rings, one for each processor, and the way out of them. What is recorded: vmm/trace.h; how a dump
 * looks: kernel/trace_pack.h. */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <stdbool.h>

#include "vmm/config.h"
#include "vmm/host.h"
#include "vmm/trace.h"

/* The calling processor's rings, of trace-buffer= bytes together. Before its first VM runs. With
 * trace=off nothing is kept; without memory neither, and a line says so. */
void trace_init(const struct global_config *global);

/* What is recorded from now on, on all processors: TRACE_SETTING_OFF nothing, TRACE_SETTING_ON, or
 * everything; what has been recorded stays. False: there are no rings (trace=off at the start, or no memory).
 * Not while a dump is under way. Boot processor. */
bool trace_switch(enum trace_setting setting);

/* Whether IDLE, ALARM and FIRE are to be recorded (vmm/trace.h). Only kernel/trace.c changes it. */
extern bool trace_is_full;

/* One of them, with the RT that it is about. On the processor that it is of. */
static inline void trace_host(enum trace_kind kind, uint64_t rt)
{
    if (trace_is_full)
        trace_put(&host_trace()->events, trace_who(TRACE_NO_VM, 0, TRACE_NO_TIMER), kind, host_now(), 0, rt,
                  0);
}

struct trace_status {
    bool there, on, full;
    uint64_t events, exits; /* records ever written to the two kinds of rings, of all processors */
    uint64_t room;          /* how many records each ring keeps */
};
struct trace_status trace_status(void);

/* The end of a VM: trace_vm_account(), even if nothing else is recorded at present. On the processor where
 * it is at home. */
void trace_end(struct vm *vm);

/* A dump: everything that the rings hold, oldest first, as lines on the console, and first the accounts of
 * the VMs that run. Nothing is recorded while it is under way. trace_dump_step() gives the next line to the
 * console, which may wait for the port (kernel/console.h); false: that was the last one. trace_dump_stop()
 * ends it early. The rings stay as they are. Boot processor. */
void trace_dump_begin(void); /* also ends one that is under way */
bool trace_dumping(void);
bool trace_dump_step(void);
void trace_dump_stop(void);

#endif
