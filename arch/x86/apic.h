/* The processor's local APIC: xAPIC or x2APIC, and its timer, one-shot or TSC-deadline (SDM vol. 3, chapter
 * 11). */
#ifndef ARCH_X86_APIC_H
#define ARCH_X86_APIC_H

#include <stdbool.h>
#include <stdint.h>

/* Switches it on for the calling processor: spurious vector, LINT0 as ExtINT (the 8259's virtual wire), LINT1
 * as NMI, everything else masked. x2APIC is used where CPUID has it and allow_x2apic is set, or where the
 * firmware has already switched it on. Panics on a processor without a LAPIC. */
void apic_init(bool allow_x2apic);

/* Measures the timer's frequency against the TSC (clock_init first) and chooses the mode: TSC-deadline where
 * CPUID has it and allow_deadline is set, else one-shot. fn is called in the timer's interrupt, interrupts
 * disabled, EOI already given, never before the armed deadline has come. Boot processor, once; its timer is
 * switched on. */
void apic_timer_init(bool allow_deadline, void (*fn)(void));
/* Switches the calling processor's timer on, in the same mode; disarmed. */
void apic_timer_enable(void);

/* Arms the calling processor's timer for RT `deadline` (TSC ticks), instead of whatever was armed. A deadline
 * that has passed fires at once; none fires early: a rest that the hardware cannot count in one go is counted
 * in several. UINT64_MAX disarms. Interrupts disabled. */
void apic_timer_arm(uint64_t deadline);

/* Input clock of the timer, Hz (divider 1). */
uint64_t apic_hz(void);

bool apic_is_x2apic(void);
bool apic_timer_is_deadline(void);
uint32_t apic_id(void);
void apic_eoi(void);

/* To another processor, by its APIC id: a fixed interrupt; an NMI; INIT; SIPI, which starts it in real mode
 * at physical address `page`, a multiple of 4 KiB below 1 MiB. Interrupts disabled. */
void apic_send_ipi(uint32_t target, uint8_t vector);
void apic_send_nmi(uint32_t target);
void apic_send_init(uint32_t target);
void apic_send_startup(uint32_t target, uint64_t page);
/* apic_send_nmi() in an NMI's handler, which may have interrupted a sending between its two registers. */
void apic_relay_nmi(uint32_t target);

#endif
