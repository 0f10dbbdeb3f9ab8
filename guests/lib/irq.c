#include "guests/lib/irq.h"

#include "guests/lib/io.h"
#include "guests/lib/traps.h"

#define PIC1_COMMAND 0x20
#define PIC1_DATA    0x21
#define PIC2_COMMAND 0xA0
#define PIC2_DATA    0xA1
#define ICW1_INIT    0x11 /* edge triggered, cascade, ICW4 follows */
#define ICW4_8086    0x01
#define OCW2_EOI     0x20
#define CASCADE      2

#define SVR_ENABLE 0x100
#define LVT_EXTINT 0x700
#define LVT_NMI    0x400

#define IOAPIC_BASE 0xFEC00000
#define IOREDTBL    0x10

void pic_init(void)
{
    outb(PIC1_COMMAND, ICW1_INIT);
    outb(PIC2_COMMAND, ICW1_INIT);
    outb(PIC1_DATA, PIC_VECTOR_BASE);
    outb(PIC2_DATA, PIC_VECTOR_BASE + 8);
    outb(PIC1_DATA, 1u << CASCADE);
    outb(PIC2_DATA, CASCADE);
    outb(PIC1_DATA, ICW4_8086);
    outb(PIC2_DATA, ICW4_8086);
    outb(PIC1_DATA, 0xFF & ~(1u << CASCADE));
    outb(PIC2_DATA, 0xFF);
}

void pic_unmask(unsigned int irq)
{
    uint16_t port = irq < 8 ? PIC1_DATA : PIC2_DATA;

    outb(port, (uint8_t)(inb(port) & ~(1u << (irq & 7))));
}

void pic_mask_all(void)
{
    outb(PIC1_DATA, 0xFF);
    outb(PIC2_DATA, 0xFF);
}

void pic_eoi(unsigned int irq)
{
    if (irq >= 8) {
        outb(PIC2_COMMAND, OCW2_EOI);
    }
    outb(PIC1_COMMAND, OCW2_EOI);
}

static void ignore_spurious(struct trap_frame *frame)
{
    (void)frame; /* a spurious interrupt is not acknowledged (SDM vol. 3, 10.9) */
}

void lapic_init(void)
{
    traps_set(LAPIC_SPURIOUS_VECTOR, ignore_spurious);
    lapic_write(LAPIC_SVR, SVR_ENABLE | LAPIC_SPURIOUS_VECTOR);
    lapic_write(LAPIC_TPR, 0);
    lapic_write(LAPIC_LVT_TIMER, LVT_MASKED);
    lapic_write(LAPIC_LVT_LINT0, LVT_EXTINT);
    lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
    lapic_write(LAPIC_LVT_ERROR, LVT_MASKED);
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
    *(volatile uint32_t *)(uintptr_t)IOAPIC_BASE = reg;
    *(volatile uint32_t *)(uintptr_t)(IOAPIC_BASE + 0x10) = value;
}

void ioapic_route(unsigned int gsi, uint8_t vector)
{
    ioapic_write(IOREDTBL + 2 * gsi + 1, lapic_read(LAPIC_ID) & 0xFF000000);
    ioapic_write(IOREDTBL + 2 * gsi, vector);
}
