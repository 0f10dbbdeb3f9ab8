/* The host's 8259 pair: moved out of the exceptions' way, masked except for the lines asked for. */
#ifndef ARCH_X86_PIC8259_H
#define ARCH_X86_PIC8259_H

/* Vectors VECTOR_PIC + 0..15, everything masked. */
void pic8259_init(void);
void pic8259_unmask(unsigned int irq);
/* Non-specific EOI for a line's controller(s). */
void pic8259_eoi(unsigned int irq);

#endif
