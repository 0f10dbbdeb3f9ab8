/* The console: COM1 in both directions. Output goes through a ring that the transmitter's interrupt drains;
 * until console_start(), and in a panic, it is written at once. Input is taken by the receiver's interrupt
 * and given to whom the operator looks at (kernel/input.h); what he looks at is his to choose, by Ctrl-A and
 * a key.
 *
 * Guest output comes in through host_console_putc() and host_console_ready(), guest input goes out through
 * host_console_getc() (vmm/host.h, kernel/host.c).
 * Any processor, and its interrupt handlers, unless it says otherwise: one lock guards all of it. */
#ifndef KERNEL_CONSOLE_H
#define KERNEL_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/input.h"

/* First thing of all: output waits for the port. */
void console_init(void);

/* From now on output goes through the ring, by interrupts (PIC, LAPIC and clock_init() first). */
void console_start(void);

/* One line of the hypervisor, without newline. Any context but NMI. Never lost: when even the hypervisor's
 * share of the ring is full, it waits for the port. */
void console_line(const char *text, size_t n);
/* How many bytes of a line it would take now without waiting. */
size_t console_line_room(void);

/* To be called now and then (each slice, each wake-up): ends the lines of guests that have been silent for
 * 200 ms, and moves output and input by polling in case interrupts do not come. */
void console_poll(void);

/* RT at which console_poll() will have a line to flush, or is to see whether the port has become ready for
 * what waits (its interrupt may be lost, or the port slow); UINT64_MAX: neither. For the processor that is
 * about to idle. */
uint64_t console_deadline(void);

/* Guest number `index` writes under `name` from now on; its end flushes what it has begun. */
void console_vm_start(unsigned int index, const char *name);
void console_vm_end(unsigned int index);
void console_vm_putc(unsigned int index, uint8_t byte);
bool console_vm_ready(unsigned int index);

/* Next byte of input for guest number `index`, or -1; and whether there is one. */
int console_vm_getc(unsigned int index);
bool console_vm_input(unsigned int index);

/* fn is called, on any processor and in the port's interrupt, when the boot processor is to look at the
 * console soon: input has come, or another processor's guest has begun a line. It must not call the console.
 */
void console_on_input(void (*fn)(void));

/* What the operator looks at now, after his last key has been acted upon: called at each look. Boot
 * processor. */
enum input_view console_view(void);

/* The monitor's. Its next byte of input, or -1; output as it is, with CR LF: false, and nothing is taken,
 * when there is no room; how many bytes there is room for; whether a line came between since it was last
 * asked. */
int console_monitor_getc(void);
bool console_say(const char *text, size_t n);
size_t console_room(void);
bool console_interrupted(void);
/* Turns from the monitor to what was looked at before, to all lines, or to a running guest's terminal. */
void console_leave_monitor(void);
void console_look(enum input_view view, unsigned int index);

/* Waits until everything has gone out, begun lines included: before leaving the machine. */
void console_drain(void);

/* A panic's, once, when all other processors stand: from now on console_line() and console_drain() take no
 * lock and wait for the port. What is in the ring leaves now, or, if the lock was held, behind the report, as
 * far as it makes sense. Any context. */
void console_panic(void);

#endif
