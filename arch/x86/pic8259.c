/* The 8259A pair (Intel 8259A data sheet, 231468). */
#include "arch/x86/pic8259.h"

#include <stdint.h>

#include "arch/x86/cpu.h"
#include "arch/x86/traps.h"

#define MASTER  0x20
#define SLAVE   0xa0
#define DATA    1 /* offset of the register that A0 selects */
#define CASCADE 2

#define ICW1_INIT (1u << 4)
#define ICW1_ICW4 (1u << 0)
#define ICW4_8086 (1u << 0)
#define OCW2_EOI  (1u << 5)

void pic8259_init(void)
{
    outb(MASTER + DATA, 0xff);
    outb(SLAVE + DATA, 0xff);
    outb(MASTER, ICW1_INIT | ICW1_ICW4);
    outb(SLAVE, ICW1_INIT | ICW1_ICW4);
    outb(MASTER + DATA, VECTOR_PIC);
    outb(SLAVE + DATA, VECTOR_PIC + 8);
    outb(MASTER + DATA, 1u << CASCADE);
    outb(SLAVE + DATA, CASCADE);
    outb(MASTER + DATA, ICW4_8086);
    outb(SLAVE + DATA, ICW4_8086);
    outb(MASTER + DATA, 0xff);
    outb(SLAVE + DATA, 0xff);
}

static void unmask(uint16_t port, unsigned int line)
{
    outb(port + DATA, (uint8_t)(inb(port + DATA) & ~(1u << line)));
}

void pic8259_unmask(unsigned int irq)
{
    if (irq >= 8) {
        unmask(SLAVE, irq - 8);
        irq = CASCADE;
    }
    unmask(MASTER, irq);
}

void pic8259_eoi(unsigned int irq)
{
    if (irq >= 8)
        outb(SLAVE, OCW2_EOI);
    outb(MASTER, OCW2_EOI);
}
