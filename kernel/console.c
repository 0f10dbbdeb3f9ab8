/* The console on COM1; see console.h. The ring's logic is kernel/lines.c. */
#include "kernel/console.h"

#include "arch/x86/cpu.h"
#include "arch/x86/pic8259.h"
#include "arch/x86/serial.h"
#include "arch/x86/traps.h"
#include "kernel/lines.h"
#include "vmm/host.h"

#define SILENCE_DIVISOR 5  /* of a second: 200 ms (DESIGN.md section 4, "End") */
#define FIFO            16 /* the transmitter takes as many at once */
#define INPUT_SIZE      256u

static struct lines lines;
static bool by_interrupt; /* console_start() has been called and no panic has come */
static bool transmitting; /* the transmitter's interrupt is on */

/* Taken from the ring, not yet by the port. */
static char chunk[FIFO];
static size_t chunk_length;
static size_t chunk_at;

static uint8_t input[INPUT_SIZE];
static unsigned int input_head, input_tail; /* free-running */

/* One FIFO's worth, if the port takes it now. False: nothing waits any more. */
static bool transmit(bool wait)
{
    if (chunk_at == chunk_length) {
        chunk_at = 0;
        chunk_length = lines_take(&lines, chunk, FIFO);
        if (chunk_length == 0)
            return false;
    }
    if (wait) {
        serial_put_wait(chunk + chunk_at, chunk_length - chunk_at);
        chunk_at = chunk_length;
    } else {
        chunk_at += serial_put(chunk + chunk_at, chunk_length - chunk_at);
    }
    return true;
}

/* Gives the port what it takes, and lets the interrupt do the rest. */
static void kick(void)
{
    bool more = transmit(false);

    if (by_interrupt && more != transmitting) {
        transmitting = more;
        serial_irq_enable(transmitting);
    }
}

static void drain(void)
{
    while (transmit(true))
        ;
}

static void receive(void)
{
    for (int c; (c = serial_get()) >= 0;) {
        if (input_tail - input_head < INPUT_SIZE) /* else nobody listens: what came first is kept */
            input[input_tail++ % INPUT_SIZE] = (uint8_t)c;
    }
}

static void serial_interrupt(struct trap_frame *frame)
{
    (void)frame;
    while (serial_irq_pending()) {
        receive();
        if (!transmitting)
            break;
        kick();
    }
    pic8259_eoi(SERIAL_IRQ);
}

void console_init(void)
{
    lines_init(&lines);
    serial_init();
}

void console_start(void)
{
    trap_set_handler(VECTOR_PIC + SERIAL_IRQ, serial_interrupt);
    by_interrupt = true;
    serial_irq_enable(false);
    pic8259_unmask(SERIAL_IRQ);
}

void console_line(const char *text, size_t n)
{
    uint64_t flags = irq_save();

    while (!lines_host(&lines, text, n))
        transmit(true);
    if (by_interrupt)
        kick();
    else
        drain();
    irq_restore(flags);
}

void console_poll(void)
{
    uint64_t flags = irq_save();
    uint64_t silence = host_hz() / SILENCE_DIVISOR;
    uint64_t now = host_now();

    if (now > silence)
        lines_flush_silent(&lines, now - silence);
    receive();
    kick();
    irq_restore(flags);
}

uint64_t console_deadline(void)
{
    uint64_t oldest = lines_oldest(&lines);

    return oldest == UINT64_MAX ? UINT64_MAX : oldest + host_hz() / SILENCE_DIVISOR;
}

void console_vm_start(unsigned int index, const char *name)
{
    ASSERT(index < LINES_VMS);
    lines_name(&lines, index, name);
}

void console_vm_end(unsigned int index)
{
    uint64_t flags = irq_save();

    ASSERT(index < LINES_VMS);
    /* Its last words: room comes soon, and there is nobody left to hold back. */
    while (!lines_flush(&lines, index))
        transmit(true);
    kick();
    irq_restore(flags);
}

void console_vm_putc(unsigned int index, uint8_t byte)
{
    uint64_t flags = irq_save();

    ASSERT(index < LINES_VMS);
    lines_putc(&lines, index, byte, host_now());
    if (!transmitting)
        kick();
    irq_restore(flags);
}

bool console_vm_ready(unsigned int index)
{
    uint64_t flags = irq_save();
    bool ready = lines_ready(&lines, index);

    irq_restore(flags);
    return ready;
}

int console_getc(void)
{
    uint64_t flags = irq_save();
    int c = -1;

    if (input_head != input_tail)
        c = input[input_head++ % INPUT_SIZE];
    irq_restore(flags);
    return c;
}

void console_drain(void)
{
    uint64_t flags = irq_save();

    for (unsigned int i = 0; i < LINES_VMS; i++) {
        while (!lines_flush(&lines, i))
            transmit(true);
    }
    drain();
    serial_flush();
    irq_restore(flags);
}

void console_panic(void)
{
    cli();
    by_interrupt = false;
    serial_irq_enable(false);
    drain();
}
