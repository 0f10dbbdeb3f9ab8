/* The serial port: a 16550A at 3F8h, IRQ 4 (National Semiconductor PC16550D data sheet, 1995).
 *
 * The line behind it is idealised: a byte written to THR has left at once (THRE and TEMT set again), whatever
 * the divisor says, unless the hypervisor's console ring has no room (host_console_ready): then both are held
 * back until it has. A received byte is in the FIFO at once, and the FIFO's character time-out comes with it:
 * no guest waits for four character times of a line that has none. */
#ifndef VMM_UART_H
#define VMM_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/line.h"

struct vcpu;
struct vm;

#define UART_PORT      0x3f8u
#define UART_LENGTH    8u
#define UART_FIFO_SIZE 16u

struct uart {
    uint8_t ier;
    uint8_t fcr; /* bit 0 enable, bits 7:6 trigger level */
    uint8_t lcr;
    uint8_t mcr;
    uint8_t lsr_errors; /* overrun (in loopback only): cleared by reading LSR */
    uint8_t msr;
    uint8_t scr;
    uint8_t dll;
    uint8_t dlm;
    uint8_t fifo[UART_FIFO_SIZE];
    uint8_t head; /* oldest byte */
    uint8_t count;
    uint8_t tx[UART_FIFO_SIZE]; /* written while the console had no room */
    uint8_t tx_count;
    bool listens;  /* the guest has looked at its receiver since the reset: before, nothing is put into it */
    bool thre_irq; /* a THRE interrupt is pending (data sheet 8.6.7: read of IIR or write of THR clears it) */
    bool held;     /* the transmitter is not empty: the console ring is full */
    bool irq_line; /* INTR as last given to `irq` (after OUT2's gate) */
    struct vt_line irq;
    struct vm *vm; /* whose console */
};

/* Power-on state, nothing received. irq: its line to the interrupt controllers. */
void uart_init(struct uart *u, struct vm *vm, struct vt_line irq);
void uart_reset(struct uart *u);

/* Fills the receiver with what the console has for this guest (host_console_getc), as far as there is room:
 * nothing is lost by an overrun. True if anything came. The guest's own accesses to the port do the same, so
 * the FIFO is filled as it drains; this is for a guest that waits. In loopback nothing comes in; nor before
 * the guest has read LSR or RBR or asked for the receiver's interrupt: a driver begins by clearing the FIFO,
 * and what was typed early would be gone. */
bool uart_feed(struct uart *u);
/* Looks whether a held-back transmitter may go on; called once per turn of the run loop. */
void uart_poll(struct uart *u);

/* Bus handlers of width 1. */
uint64_t uart_io_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size);
void uart_io_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value);

#endif
