/* The 16550A: see uart.h. Section numbers are those of the PC16550D data sheet. */
#include "vmm/uart.h"

#include "vmm/host.h"
#include "vmm/string.h"

enum uart_reg { REG_RBR_THR_DLL, REG_IER_DLM, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RDA  0x01u
#define IER_THRE 0x02u
#define IER_RLS  0x04u
#define IER_MS   0x08u
#define IER_ALL  0x0fu

#define IIR_MS   0x00u
#define IIR_NONE 0x01u
#define IIR_THRE 0x02u
#define IIR_RDA  0x04u
#define IIR_RLS  0x06u
#define IIR_CTI  0x0cu
#define IIR_FIFO 0xc0u

#define FCR_ENABLE   0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_TRIGGER  0xc0u

#define LCR_DLAB 0x80u

#define MCR_DTR  0x01u
#define MCR_RTS  0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u
#define MCR_ALL  0x1fu

#define LSR_DR   0x01u
#define LSR_OE   0x02u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u

#define MSR_DELTA 0x0fu
#define MSR_TERI  0x04u
#define MSR_CTS   0x10u
#define MSR_DSR   0x20u
#define MSR_RI    0x40u
#define MSR_DCD   0x80u

/* Reset leaves the divisor alone (8.2); this is 115200 baud, what a PC's firmware sets for a console. */
#define DIVISOR 1u

/* 8.5, "interrupt identification": the highest of the enabled sources. */
static uint8_t source(const struct uart *u)
{
    static const uint8_t trigger[] = {1, 4, 8, 14};
    bool fifo = (u->fcr & FCR_ENABLE) != 0;
    if ((u->ier & IER_RLS) && u->lsr_errors)
        return IIR_RLS;
    if ((u->ier & IER_RDA) && u->count >= (fifo ? trigger[u->fcr >> 6] : 1))
        return IIR_RDA;
    if ((u->ier & IER_RDA) && u->count)
        return IIR_CTI;
    if ((u->ier & IER_THRE) && u->thre_irq)
        return IIR_THRE;
    if ((u->ier & IER_MS) && (u->msr & MSR_DELTA))
        return IIR_MS;
    return IIR_NONE;
}

/* On a PC OUT2 gates INTR onto the bus, and loopback forces OUT2 inactive (8.6.4). */
static void update_irq(struct uart *u)
{
    bool open = (u->mcr & MCR_OUT2) && !(u->mcr & MCR_LOOP);
    bool level = open && source(u) != IIR_NONE;
    if (level == u->irq_line)
        return;
    u->irq_line = level;
    if (level)
        u->irq.ops->raise(u->irq.ctx, u->irq.line);
    else
        u->irq.ops->lower(u->irq.ctx, u->irq.line);
}

/* The modem's lines: a terminal that is always there and ready, or in loopback the outputs (8.6.4). */
static uint8_t modem_lines(const struct uart *u)
{
    if (!(u->mcr & MCR_LOOP))
        return MSR_CTS | MSR_DSR | MSR_DCD;
    return (uint8_t)((u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) |
                     (u->mcr & MCR_OUT1 ? MSR_RI : 0) | (u->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* 8.8: the delta bits gather changes until MSR is read; RI counts by its trailing edge only. */
static void update_modem(struct uart *u)
{
    uint8_t old = u->msr & 0xf0;
    uint8_t now = modem_lines(u);
    uint8_t delta = (uint8_t)((old ^ now) >> 4);
    if (now & MSR_RI)
        delta &= (uint8_t)~MSR_TERI;
    u->msr = (uint8_t)(now | (u->msr & MSR_DELTA) | delta);
}

static void clear_rx(struct uart *u)
{
    u->head = 0;
    u->count = 0;
}

void uart_init(struct uart *u, struct vm *vm, struct vt_line irq)
{
    memset(u, 0, sizeof *u);
    u->vm = vm;
    u->irq = irq;
    uart_reset(u);
}

/* Table I, "UART reset configuration". */
void uart_reset(struct uart *u)
{
    u->ier = 0;
    u->fcr = 0;
    u->lcr = 0;
    u->mcr = 0;
    u->lsr_errors = 0;
    u->msr = modem_lines(u);
    u->scr = 0;
    u->dll = DIVISOR & 0xff;
    u->dlm = DIVISOR >> 8;
    u->thre_irq = false;
    u->held = false;
    u->tx_count = 0;
    u->listens = false;
    clear_rx(u);
    update_irq(u);
}

/* Of each FIFO; without them there are only RBR and THR. */
static unsigned int fifo_size(const struct uart *u)
{
    return u->fcr & FCR_ENABLE ? UART_FIFO_SIZE : 1;
}

static bool push(struct uart *u, uint8_t byte)
{
    if (u->count >= fifo_size(u))
        return false;
    u->fifo[(u->head + u->count) % UART_FIFO_SIZE] = byte;
    u->count++;
    return true;
}

bool uart_feed(struct uart *u)
{
    bool open = u->listens && !(u->mcr & MCR_LOOP);
    bool any = false;
    int c;

    while (open && u->count < fifo_size(u) && (c = host_console_getc(u->vm)) >= 0)
        any = push(u, (uint8_t)c);
    if (any)
        update_irq(u);
    return any;
}

/* Sends what waits, as far as the console has room. */
static void drain(struct uart *u)
{
    unsigned int sent = 0;

    while (sent < u->tx_count && host_console_ready(u->vm))
        host_console_putc(u->vm, u->tx[sent++]);
    u->tx_count = (uint8_t)(u->tx_count - sent);
    memmove(u->tx, u->tx + sent, u->tx_count);
    u->held = u->tx_count > 0 || !host_console_ready(u->vm);
}

void uart_poll(struct uart *u)
{
    if (!u->held || !host_console_ready(u->vm))
        return;
    drain(u);
    u->thre_irq = !u->held;
    update_irq(u);
}

/* Writing THR takes the THRE interrupt back (8.6.7) before the byte is gone, so each byte makes an edge of
 * its own. A driver fills the whole FIFO after one look at THRE; a byte for which even that has no room is
 * lost. */
static void write_thr(struct uart *u, uint8_t byte)
{
    u->thre_irq = false;
    update_irq(u);
    if (u->mcr & MCR_LOOP) {
        if (!push(u, byte))
            u->lsr_errors |= LSR_OE;
    } else if (u->tx_count < fifo_size(u)) {
        u->tx[u->tx_count++] = byte;
        drain(u);
    }
    u->thre_irq = !u->held;
}

/* Enabling the THRE interrupt while THR is empty raises it at once (8.6.7 with 8.7); drivers' tests rely on
 * it. */
static void write_ier(struct uart *u, uint8_t value)
{
    bool enabled = (value & IER_THRE) && !(u->ier & IER_THRE);
    u->ier = value & IER_ALL;
    u->listens = u->listens || (value & IER_RDA);
    if (enabled && !u->held)
        u->thre_irq = true;
}

/* 8.4: switching the FIFOs on or off clears them; the other bits count only if bit 0 is set. The
 * transmitter's is not cleared: a line without wire time has sent its bytes, they only wait for the console.
 */
static void write_fcr(struct uart *u, uint8_t value)
{
    bool toggled = ((value ^ u->fcr) & FCR_ENABLE) != 0;
    if (toggled || ((value & FCR_ENABLE) && (value & FCR_CLEAR_RX)))
        clear_rx(u);
    u->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | FCR_TRIGGER) : 0;
}

static uint8_t read_rbr(struct uart *u)
{
    u->listens = true;
    if (u->count == 0)
        return 0;
    uint8_t byte = u->fifo[u->head];
    u->head = (uint8_t)((u->head + 1) % UART_FIFO_SIZE);
    u->count--;
    return byte;
}

/* Reading IIR takes the THRE interrupt back if that is what it shows (table IV). */
static uint8_t read_iir(struct uart *u)
{
    uint8_t iir = source(u);
    if (iir == IIR_THRE)
        u->thre_irq = false;
    return (uint8_t)(iir | (u->fcr & FCR_ENABLE ? IIR_FIFO : 0));
}

static uint8_t read_lsr(struct uart *u)
{
    uint8_t lsr = (uint8_t)(u->lsr_errors | (u->count ? LSR_DR : 0) | (u->held ? 0 : LSR_THRE | LSR_TEMT));
    u->lsr_errors = 0;
    u->listens = true;
    return lsr;
}

static uint8_t read_msr(struct uart *u)
{
    uint8_t msr = u->msr;
    u->msr &= (uint8_t)~MSR_DELTA;
    return msr;
}

static uint8_t read_register(struct uart *u, enum uart_reg reg)
{
    bool dlab = (u->lcr & LCR_DLAB) != 0;
    switch (reg) {
    case REG_RBR_THR_DLL:
        return dlab ? u->dll : read_rbr(u);
    case REG_IER_DLM:
        return dlab ? u->dlm : u->ier;
    case REG_IIR_FCR:
        return read_iir(u);
    case REG_LCR:
        return u->lcr;
    case REG_MCR:
        return u->mcr;
    case REG_LSR:
        return read_lsr(u);
    case REG_MSR:
        return read_msr(u);
    case REG_SCR:
        return u->scr;
    }
    return 0xff;
}

static void write_register(struct uart *u, enum uart_reg reg, uint8_t value)
{
    bool dlab = (u->lcr & LCR_DLAB) != 0;
    switch (reg) {
    case REG_RBR_THR_DLL:
        if (dlab)
            u->dll = value;
        else
            write_thr(u, value);
        break;
    case REG_IER_DLM:
        if (dlab)
            u->dlm = value;
        else
            write_ier(u, value);
        break;
    case REG_IIR_FCR:
        write_fcr(u, value);
        break;
    case REG_LCR:
        u->lcr = value;
        break;
    case REG_MCR:
        u->mcr = value & MCR_ALL;
        update_modem(u);
        break;
    case REG_SCR:
        u->scr = value;
        break;
    case REG_LSR: /* 8.6.3: not meant to be written */
    case REG_MSR:
        break;
    }
}

uint64_t uart_io_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    struct uart *u = self;
    (void)vcpu;
    (void)size;
    uart_poll(u);
    uint8_t value = read_register(u, (enum uart_reg)(offset % UART_LENGTH));
    update_irq(u);
    uart_feed(u); /* after the interrupt line has seen the FIFO drained: each refill is an edge of its own */
    return value;
}

void uart_io_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct uart *u = self;
    (void)vcpu;
    (void)size;
    uart_poll(u);
    write_register(u, (enum uart_reg)(offset % UART_LENGTH), (uint8_t)value);
    update_irq(u);
}
