/* Interrupt controllers: the 8259 pair, the local APIC, the IOAPIC. */
#ifndef GUESTS_LIB_IRQ_H
#define GUESTS_LIB_IRQ_H

#include <stdint.h>

#define PIC_VECTOR_BASE 0x20 /* IRQ 0-15 come as vectors 20h-2Fh */

#define LAPIC_BASE      0xFEE00000
#define LAPIC_ID        0x020
#define LAPIC_TPR       0x080
#define LAPIC_EOI       0x0B0
#define LAPIC_LDR       0x0D0
#define LAPIC_DFR       0x0E0
#define LAPIC_SVR       0x0F0
#define LAPIC_ESR       0x280
#define LAPIC_ICR_LOW   0x300
#define LAPIC_ICR_HIGH  0x310
#define LAPIC_LVT_TIMER 0x320
#define LAPIC_LVT_LINT0 0x350
#define LAPIC_LVT_LINT1 0x360
#define LAPIC_LVT_ERROR 0x370
#define LAPIC_TIMER_ICR 0x380
#define LAPIC_TIMER_CCR 0x390
#define LAPIC_TIMER_DCR 0x3E0
#define LVT_MASKED      (1u << 16)
#define LVT_PERIODIC    (1u << 17)

#define LAPIC_SPURIOUS_VECTOR 0xFF

static inline uint32_t lapic_read(uint32_t reg)
{
    return *(volatile uint32_t *)(uintptr_t)(LAPIC_BASE + reg);
}

static inline void lapic_write(uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)(LAPIC_BASE + reg) = value;
}

/* Remaps the pair to PIC_VECTOR_BASE, everything masked but the cascade. */
void pic_init(void);
void pic_unmask(unsigned int irq);
void pic_mask_all(void);
void pic_eoi(unsigned int irq);

/* Software-enables the local APIC, LINT0 = ExtINT (the PIC comes through), LINT1 = NMI, timer masked. */
void lapic_init(void);

/* Routes an input of the IOAPIC to a vector: fixed, edge, active high, this processor. */
void ioapic_route(unsigned int gsi, uint8_t vector);

#endif
