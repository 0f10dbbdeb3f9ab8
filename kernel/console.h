/* The console: COM1 in both directions. Output goes through a ring that the transmitter's interrupt drains;
 * until console_start(), and in a panic, it is written at once.
 *
 * Guest output comes in through host_console_putc() and host_console_ready() (vmm/host.h, kernel/host.c).
 * Boot processor only for now; safe against its interrupt handlers. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* First thing of all: output waits for the port. */
void console_init(void);

/* From now on output goes through the ring, by interrupts (PIC, LAPIC and clock_init() first). */
void console_start(void);

/* One line of the hypervisor, without newline. Any context but NMI. Never lost: when even the hypervisor's
 * share of the ring is full, it waits for the port. */
void console_line(const char *text, size_t n);

/* To be called now and then (each slice, each wake-up): ends the lines of guests that have been silent for
 * 200 ms, and moves output and input by polling in case interrupts do not come. */
void console_poll(void);

/* RT at which console_poll() will have a line to flush; UINT64_MAX: none. For the processor that is about to
 * idle. */
uint64_t console_deadline(void);

/* Guest number `index` writes under `name` from now on; its end flushes what it has begun. */
void console_vm_start(unsigned int index, const char *name);
void console_vm_end(unsigned int index);
void console_vm_putc(unsigned int index, uint8_t byte);
bool console_vm_ready(unsigned int index);

/* Next byte received, or -1. */
int console_getc(void);

/* Waits until everything has gone out, begun lines included: before leaving the machine. */
void console_drain(void);

/* Everything waits for the port from now on, what is in the ring first. Any context. */
void console_panic(void);

#endif
