/* The 8259A pair of a PC: master at 20h/21h, slave at A0h/A1h on the master's input 2, edge/level control
 * registers at 4D0h/4D1h (Intel 8259A data sheet, order no. 231468; the ELCRs: 82371SB data sheet, 2.5.1).
 *
 * All of the data sheet's modes are there: ICW1-4, OCW1-3, automatic EOI, rotation, special mask, special
 * fully nested, polling. Only MCS-80/85 mode (ICW4 bit 0 clear) is not: an x86 has no use for its three-byte
 * CALL, and the pair answers as in 8086 mode. Pure: no clock, no way up; outputs are asked for. The caller
 * holds the VM. */
#ifndef VMM_PIC_H
#define VMM_PIC_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

#define PIC_CASCADE 2u /* the master's input that the slave's INT drives */

/* One 8259A. */
struct pic {
    uint8_t irr; /* latched edges; level-triggered inputs follow `lines` */
    uint8_t isr;
    uint8_t imr;
    uint8_t lines;    /* present state of the eight inputs */
    uint8_t elcr;     /* 1: the input is level-triggered */
    uint8_t base;     /* ICW2 bits 7:3 */
    uint8_t lowest;   /* the input of lowest priority now: rotation moves it, 7 after ICW1 */
    uint8_t icw_next; /* the ICW (2..4) that port A0=1 takes next, 0: none, it is the IMR */
    bool icw4_wanted; /* ICW1 bit 0 */
    bool single;      /* ICW1 bit 1: no ICW3, no slave */
    bool auto_eoi;
    bool rotate_auto;
    bool nested; /* special fully nested mode */
    bool special_mask;
    bool read_isr;    /* OCW3: A0=0 reads ISR, else IRR */
    bool poll;        /* OCW3: the next read is an acknowledge */
    bool initialised; /* before ICW1..: no interrupts */
};

struct pic_pair {
    struct pic master;
    struct pic slave;
};

/* Power-on: all clear, not initialised, ELCRs zero. */
void pic_init(struct pic_pair *p);

/* Input irq (0..15, not 2) goes high: for an edge-triggered input each call is one low-to-high transition.
 * True if that is a new request, false if one was latched already (or a level line was high already). Masks
 * do not matter here: the IRR latches whatever the IMR says. */
bool pic_raise(struct pic_pair *p, unsigned int irq);
/* The input goes low. A latched edge stays latched. */
void pic_lower(struct pic_pair *p, unsigned int irq);

/* True while irq waits in the IRR and no mask (the slave's cascade included) holds it back. */
bool pic_waiting(const struct pic_pair *p, unsigned int irq);
/* True while the IMR (the slave's cascade included) shuts irq out, or the chip has not been initialised. */
bool pic_masked(const struct pic_pair *p, unsigned int irq);

/* The master's INT output. */
bool pic_output(const struct pic_pair *p);
/* The vector an acknowledge would give now, or -1 while INT is low. */
int pic_pending(const struct pic_pair *p);
/* The two INTA cycles: the highest request moves from IRR to ISR. Returns its vector, the spurious one (input
 * 7, of the master or of the slave) if the request has gone meanwhile. */
uint8_t pic_ack(struct pic_pair *p);

/* As bus handlers (vmm/bus.h) of width 1; self is the struct pic_pair. A write returns true if it may have
 * masked or unmasked an input. */
uint64_t pic_master_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size);
bool pic_master_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value);
uint64_t pic_slave_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size);
bool pic_slave_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value);
uint64_t pic_elcr_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size);
bool pic_elcr_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value);

#endif
