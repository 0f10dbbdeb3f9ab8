/* COM1 (PC16550D data sheet, National Semiconductor). */
#include "arch/x86/serial.h"

#include "arch/x86/cpu.h"
#include "kernel/inject.h"

#define COM1 0x3f8
#define THR  (COM1 + 0) /* RBR when read; DLL with LCR_DLAB */
#define IER  (COM1 + 1) /* DLM with LCR_DLAB */
#define IIR  (COM1 + 2) /* FCR when written */
#define LCR  (COM1 + 3)
#define MCR  (COM1 + 4)
#define LSR  (COM1 + 5)
#define SCR  (COM1 + 7)

#define IER_RX        (1u << 0)
#define IER_TX        (1u << 1)
#define IIR_NONE      (1u << 0)
#define FCR_ENABLE    (1u << 0)
#define FCR_CLEAR     (3u << 1)
#define FCR_TRIGGER_8 (2u << 6) /* half full; a time-out of four characters brings the rest */
#define LCR_8N1       0x03u
#define LCR_DLAB      (1u << 7)
#define MCR_DTR       (1u << 0)
#define MCR_RTS       (1u << 1)
#define MCR_OUT2      (1u << 3) /* on a PC: lets the interrupt out of the chip */
#define LSR_DATA      (1u << 0)
#define LSR_OVERRUN   (1u << 1) /* until LSR is read */
#define LSR_THR_EMPTY (1u << 5)
#define LSR_ALL_EMPTY (1u << 6)

#define DIVISOR_115200 1
#define FIFO_SIZE      16
/* Polls of a status register until the UART is taken for dead: some ten seconds on real machines, where 16
 * bytes leave in 1.4 ms; and under an emulator long enough for a reader that is slow to empty its pipe. */
#define PATIENCE 10000000

static bool present;
static unsigned long overruns;

static uint8_t line_status(void)
{
    uint8_t lsr = inb(LSR);

    overruns += (lsr & LSR_OVERRUN) != 0;
    return lsr;
}

bool serial_init(void)
{
    /* A register that only stores: where it does not, there is no UART. */
    outb(SCR, 0x5a);
    if (inb(SCR) != 0x5a)
        return false;
    outb(IER, 0);
    outb(LCR, LCR_DLAB);
    outb(THR, DIVISOR_115200);
    outb(IER, DIVISOR_115200 >> 8);
    outb(LCR, LCR_8N1);
    outb(IIR, FCR_ENABLE | FCR_CLEAR | FCR_TRIGGER_8);
    outb(MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
    present = true;
    return true;
}

size_t serial_put(const char *data, size_t n)
{
    size_t i;

    /* The transmitter tells only whether its FIFO is empty. */
    if (!present || !(line_status() & LSR_THR_EMPTY) || inject_serial_busy())
        return 0;
    for (i = 0; i < n && i < FIFO_SIZE; i++)
        outb(THR, (uint8_t)data[i]);
    return i;
}

void serial_put_wait(const char *data, size_t n)
{
    for (unsigned int polls = 0; present && n;) {
        size_t done = serial_put(data, n);

        data += done;
        n -= done;
        polls = done ? 0 : polls + 1;
        if (polls > PATIENCE)
            present = false;
    }
}

void serial_flush(void)
{
    for (unsigned int polls = 0; present && polls < PATIENCE && !(line_status() & LSR_ALL_EMPTY); polls++)
        cpu_pause();
}

int serial_get(void)
{
    if (!present || !(line_status() & LSR_DATA))
        return -1;
    return inb(THR);
}

unsigned long serial_overruns(void)
{
    return overruns;
}

void serial_irq_enable(bool rx, bool tx)
{
    if (!present)
        return;
    outb(IER, (uint8_t)((rx ? IER_RX : 0) | (tx ? IER_TX : 0)));
    outb(MCR, (uint8_t)(MCR_DTR | MCR_OUT2 | (rx ? MCR_RTS : 0)));
}

bool serial_irq_pending(void)
{
    return present && !(inb(IIR) & IIR_NONE);
}
