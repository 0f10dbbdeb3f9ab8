/* Several processors: found by the MADT, started by INIT and SIPI, called by interprocessor interrupts. */
#ifndef GUESTS_LIB_SMP_H
#define GUESTS_LIB_SMP_H

#include <stdbool.h>
#include <stdint.h>

#define SMP_MAX 8u

/* ICR, low half (SDM vol. 3, figure 10-12). */
#define ICR_FIXED   0x0000u
#define ICR_LOWEST  0x0100u
#define ICR_SMI     0x0200u
#define ICR_NMI     0x0400u
#define ICR_INIT    0x0500u
#define ICR_SIPI    0x0600u
#define ICR_LOGICAL 0x0800u
#define ICR_ASSERT  0x4000u
#define ICR_SELF    0x40000u
#define ICR_ALL     0x80000u
#define ICR_OTHERS  0xC0000u

static inline void cpu_relax(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/* Enabled processors in the ACPI MADT; 0: there is none. */
unsigned int smp_count(void);

/* Starts all of them but this one, whose local APIC must be on, one after the other: each runs entry(1..)
 * with its local APIC as it came and interrupts off, and halts for good when that returns. Answers how many
 * have begun. */
unsigned int smp_start(void (*entry)(unsigned int cpu));

/* ICR by the register page: `dest` is an APIC id, or a logical one. */
void smp_ipi(uint32_t dest, uint32_t low);
/* INIT and SIPI to a processor that has run before, or does. */
void smp_init(uint32_t dest);
void smp_sipi(uint32_t dest);

#endif
