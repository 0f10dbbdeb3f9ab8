/* The trace rings, one for each processor, and the way out of them. What is recorded: vmm/trace.h; how a dump
 * looks: kernel/trace_pack.h. */
#ifndef KERNEL_TRACE_H
#define KERNEL_TRACE_H

#include <stdbool.h>

#include "vmm/config.h"
#include "vmm/trace.h"

/* The calling processor's rings, of trace-buffer= bytes together. Before its first VM runs. With
 * trace=off nothing is kept; without memory neither, and a line says so. */
void trace_init(const struct global_config *global);

/* Stops and continues the recording on all processors; what has been recorded stays. False: there are no
 * rings (trace=off, or no memory). */
bool trace_enable(bool on);
bool trace_enabled(void);

/* Whether IDLE, ALARM and FIRE are to be recorded (vmm/trace.h). Only kernel/trace.c changes it. */
extern bool trace_is_full;

/* Everything that the rings hold, oldest first, as lines on the console; the VMs that still run have their
 * accounts added first. Waits for the port whenever the console's ring is full: seconds at 115200 baud, in
 * which no VM runs. Boot processor. The rings stay as they are. */
void trace_dump(void);

#endif
