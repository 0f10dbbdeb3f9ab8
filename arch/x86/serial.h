/* COM1, a 16550 at 3F8h, IRQ 4: 115200 8N1, FIFO. The console's way out; nothing here buffers. */
#ifndef ARCH_X86_SERIAL_H
#define ARCH_X86_SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERIAL_IRQ 4

/* False: there is no UART there; every other call is then harmless. */
bool serial_init(void);

/* Writes what the transmitter takes at once, without waiting; returns how many bytes that were. */
size_t serial_put(const char *data, size_t n);

/* Waits for the transmitter (bounded: a dead UART is given up). For the early boot and for panics. */
void serial_put_wait(const char *data, size_t n);

/* Waits until everything has left the shift register (bounded). */
void serial_flush(void);

/* Next received byte, or -1. */
int serial_get(void);

/* How often the receiver had no room for a byte so far: the sender heeds no RTS, and nobody was quick enough.
 */
unsigned long serial_overruns(void);

/* Interrupts: on received bytes while `rx` is set, on an empty transmitter while `tx` is. Without `rx` RTS
 * asks the sender to wait, and what still comes stays in the FIFO. */
void serial_irq_enable(bool rx, bool tx);

/* Interrupt identification, read to acknowledge (16550 IIR); false when none is pending. */
bool serial_irq_pending(void);

#endif
