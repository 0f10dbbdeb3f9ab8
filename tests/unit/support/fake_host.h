/* The host services of vmm/host.h for native tests: a clock that stands still until a test moves it, memory
 * that can run out, and everything that was said kept for looking at. */
#ifndef TESTS_FAKE_HOST_H
#define TESTS_FAKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/trace.h"

struct vm;

struct fake_host {
    uint64_t now;          /* host_now() */
    uint64_t hz;           /* host_hz() */
    uint64_t boot_seconds; /* host_boot_seconds() */
    size_t pages;          /* allocated now */
    size_t page_limit;     /* host_alloc_pages() gives NULL beyond it */
    size_t largest;        /* pages that it gives at once, at most; 0: any number */
    void *lent; /* a block that host_alloc_pages() gives where lent_size bytes are asked for: one VM's RAM, */
    size_t lent_size; /* whose page faults are most of what a fuzzer's VM costs */
    struct vm *deadline_vm;
    uint64_t deadline;      /* the latest host_deadline() ... */
    uint64_t deadlines;     /* ... and how many there were */
    uint64_t earliest;      /* what host_deadline() answers if it is less than the VM's */
    void (*on_relax)(void); /* what another processor does meanwhile */
    uint32_t kicked;        /* bit n: host_kick() of vCPU n */
    uint32_t yielded;       /* ... host_yield() by it, */
    struct vcpu *to;        /* the last time to this one */
    bool console_full;
    char console[65536]; /* guest output, always a string */
    size_t console_length;
    const uint8_t *input; /* what host_console_getc() gives, */
    size_t input_length;  /* and how much of it there is */
    char log[65536];      /* host_log() and host_log_vm(): one line each, "\n" added */
    size_t log_length;
    struct trace_rings trace; /* host_trace() */
};

#define FAKE_TRACE 4096u /* records in each ring */

extern struct fake_host fake_host;

/* Start values: now 0, 1 GHz, 2001-09-09 01:46:40 UTC, 1 GiB of pages, nothing said. Call in each test's
 * set-up. */
void fake_host_reset(void);

#endif
