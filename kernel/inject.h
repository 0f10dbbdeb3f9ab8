/* Faults on purpose, in debug kernels (make debug) alone: inject=WORD[,WORD...] on the command line.
 * docs/reliability.md says what must come of each. Elsewhere all of this is empty. */
#ifndef KERNEL_INJECT_H
#define KERNEL_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/config.h"

#ifdef ESC_DEBUG

/* Each hook is called where its name says. */
void inject_start(uint32_t faults);
/* At each turn of a processor's loop, at RT `now`. What is done to one processor is done to the last one. */
void inject_turn(uint64_t now);
/* The deadline that the LAPIC timer is told; UINT64_MAX: it is told nothing. */
uint64_t inject_alarm(uint64_t deadline);
/* What a reading of the TSC is said to be. */
uint64_t inject_now(uint64_t tsc);
/* The serial port's transmitter is said to be busy. */
bool inject_serial_busy(void);
/* A line is being written, with the console's lock held. */
void inject_console(void);
/* A panic has said what happened, and goes on with its report. */
void inject_panic(void);
/* So many pages are said not to be there. */
bool inject_no_memory(size_t pages);

#else

static inline void inject_start(uint32_t faults)
{
    (void)faults;
}
static inline void inject_turn(uint64_t now)
{
    (void)now;
}
static inline uint64_t inject_alarm(uint64_t deadline)
{
    return deadline;
}
static inline uint64_t inject_now(uint64_t tsc)
{
    return tsc;
}
static inline bool inject_serial_busy(void)
{
    return false;
}
static inline void inject_console(void)
{
}
static inline void inject_panic(void)
{
}
static inline bool inject_no_memory(size_t pages)
{
    (void)pages;
    return false;
}

#endif

#endif
