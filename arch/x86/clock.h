/* Real time: the processor's time stamp counter, and how many of its ticks make a second. */
#ifndef ARCH_X86_CLOCK_H
#define ARCH_X86_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Measures the TSC against PIT channel 2 over more than 50 ms, or where the PIT is switched off against the
 * ACPI PM timer (acpi_init() first). Among the frequencies that the measurement allows (every reading has an
 * earliest and a latest instant) it takes the roundest number: crystals are made round, and emulators'
 * figures then come out exact and the same in each run. CPUID leaves 15H/16H are not asked: emulators give
 * figures of other machines there. Panics when neither counts. Interrupts disabled. */
void clock_init(void);

/* Ticks a second; frozen by clock_init(). */
uint64_t clock_hz(void);

/* Busy until the TSC shows this, some microseconds more. Costs an emulator little real time. */
void clock_spin_until(uint64_t tsc);

/* CPUID says that it counts at one rate in all states. */
bool clock_is_invariant(void);

#endif
