/* The serial port against the PC16550D data sheet, and the probes that operating systems make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/support/fake_host.h"
#include "vmm/uart.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
enum { FCR = IIR, DLL = DATA, DLM = IER };

static struct uart u;
static bool line;
static unsigned int raises;

static bool line_raise(void *ctx, unsigned int irq)
{
    (void)ctx;
    assert_int_equal(irq, 4);
    assert_false(line);
    line = true;
    raises++;
    return true;
}

static void line_lower(void *ctx, unsigned int irq)
{
    (void)ctx;
    assert_int_equal(irq, 4);
    assert_true(line);
    line = false;
}

static bool line_no(void *ctx, unsigned int irq)
{
    (void)ctx;
    (void)irq;
    return false;
}

static const struct vt_line_ops line_ops = {line_raise, line_lower, line_no, line_no};

static int setup(void **state)
{
    (void)state;
    fake_host_reset();
    line = false;
    raises = 0;
    uart_init(&u, NULL, (struct vt_line){.ops = &line_ops, .line = 4});
    return 0;
}

/* A byte comes in on the console. False: the port leaves it there. */
static bool receive(uint8_t byte)
{
    bool taken;

    fake_host.input = &byte;
    fake_host.input_length = 1;
    taken = uart_feed(&u);
    assert_int_equal(fake_host.input_length, taken ? 0 : 1);
    fake_host.input = NULL;
    fake_host.input_length = 0;
    return taken;
}

static void out(unsigned int reg, unsigned int value)
{
    uart_io_write(&u, NULL, reg, 1, value);
}

static unsigned int in(unsigned int reg)
{
    return (unsigned int)uart_io_read(&u, NULL, reg, 1);
}

static void text(const char *s)
{
    while (*s)
        assert_true(receive((uint8_t)*s++));
}

/* Table I, "UART reset configuration". */
static void power_on(void **state)
{
    (void)state;
    assert_int_equal(in(IER), 0);
    assert_int_equal(in(IIR), 0x01);
    assert_int_equal(in(LCR), 0);
    assert_int_equal(in(MCR), 0);
    assert_int_equal(in(LSR), 0x60);
    assert_int_equal(in(MSR), 0xb0);
    assert_int_equal(in(DATA), 0);
    assert_false(line);
    out(LCR, 0x80);
    assert_int_equal(in(DLM) << 8 | in(DLL), 1); /* 115200 baud */
}

static void read_back(void **state)
{
    (void)state;
    out(SCR, 0x5a);
    assert_int_equal(in(SCR), 0x5a);
    out(IER, 0xff);
    assert_int_equal(in(IER), 0x0f);
    out(MCR, 0xff);
    assert_int_equal(in(MCR), 0x1f);
    out(LCR, 0x7f);
    assert_int_equal(in(LCR), 0x7f);
    /* 8.1: the divisor behind DLAB, apart from data and IER. */
    out(LCR, 0x83);
    out(DLL, 0x0c);
    out(DLM, 0x34);
    assert_int_equal(in(DLL), 0x0c);
    assert_int_equal(in(DLM), 0x34);
    out(LCR, 0x03);
    assert_int_equal(in(IER), 0x0f);
    assert_int_equal(in(DATA), 0);
    assert_int_equal(fake_host.console_length, 0);
    out(LSR, 0xff); /* 8.6.3: not writable */
    out(MSR, 0xff);
    assert_int_equal(in(LSR), 0x60);
}

static void transmit(void **state)
{
    (void)state;
    for (const char *s = "Hello"; *s; s++) {
        assert_int_equal(in(LSR), 0x60);
        out(DATA, (unsigned int)*s);
    }
    assert_string_equal(fake_host.console, "Hello");
}

/* 8.6.7: the THRE interrupt comes on enabling, goes by reading IIR or writing THR, comes back as THR empties.
 */
static void thre_interrupt(void **state)
{
    (void)state;
    out(MCR, 0x08);
    assert_false(line);
    out(IER, 0x02);
    assert_true(line);
    assert_int_equal(in(IIR), 0x02);
    assert_false(line);
    assert_int_equal(in(IIR), 0x01);
    out(DATA, 'a');
    assert_true(line);
    assert_int_equal(raises, 2);
    out(DATA, 'b'); /* each byte makes an edge */
    assert_true(line);
    assert_int_equal(raises, 3);
    assert_int_equal(in(IIR), 0x02);
    out(IER, 0x02); /* no change: no new interrupt */
    assert_int_equal(in(IIR), 0x01);
    out(IER, 0x00);
    out(IER, 0x02); /* enabled anew with THR empty */
    assert_int_equal(in(IIR), 0x02);
    out(IER, 0x00);
    assert_int_equal(in(IIR), 0x01);
}

/* A full console ring holds THRE and TEMT back, and nothing else. */
static void held_back(void **state)
{
    (void)state;
    out(MCR, 0x08);
    out(IER, 0x03);
    in(IIR);
    fake_host.console_full = true;
    out(DATA, 'x');
    assert_int_equal(in(LSR), 0);
    assert_int_equal(in(IIR), 0x01);
    assert_false(line);
    receive('k');
    assert_int_equal(in(LSR), 0x01);
    assert_int_equal(in(DATA), 'k');
    out(IER, 0x00);
    out(IER, 0x02); /* THR is not empty: no interrupt */
    assert_int_equal(in(IIR), 0x01);
    uart_poll(&u);
    assert_false(line);
    fake_host.console_full = false;
    uart_poll(&u);
    assert_true(line);
    assert_int_equal(in(IIR), 0x02);
    assert_int_equal(in(LSR), 0x60);
    uart_poll(&u); /* only once */
    assert_false(line);
    /* An access looks as well. */
    fake_host.console_full = true;
    out(DATA, 'y');
    assert_int_equal(in(LSR), 0);
    fake_host.console_full = false;
    assert_int_equal(in(LSR), 0x60);
    assert_string_equal(fake_host.console, "xy");
}

/* A driver writes a whole FIFO after one look at THRE: all of it arrives, though the console is full by then.
 */
static void held_back_fifo(void **state)
{
    (void)state;
    out(FCR, 0x01);
    fake_host.console_full = true;
    for (unsigned int i = 0; i < 17; i++)
        out(DATA, (uint8_t)('a' + i));
    assert_int_equal(in(LSR), 0);
    assert_string_equal(fake_host.console, "");
    fake_host.console_full = false;
    uart_poll(&u);
    assert_int_equal(in(LSR), 0x60);
    assert_string_equal(fake_host.console, "abcdefghijklmnop"); /* the 17th had no place: an overrun */
}

static void receive_without_fifo(void **state)
{
    (void)state;
    out(MCR, 0x08);
    out(IER, 0x01);
    assert_true(receive('q'));
    assert_false(receive('r')); /* kept by the console: no overrun */
    assert_true(line);
    assert_int_equal(in(IIR), 0x04);
    assert_int_equal(in(LSR), 0x61);
    assert_int_equal(in(DATA), 'q');
    assert_false(line);
    assert_int_equal(in(LSR), 0x60);
    assert_int_equal(in(DATA), 0);
}

/* 8.4 and 8.5: trigger levels, and the character time-out below them. */
/* A long paste: the FIFO is filled as it drains, whether the guest asks LSR or takes one byte an interrupt.
 */
static void fed_as_it_drains(void **state)
{
    uint8_t paste[300];
    bool edge = true;

    (void)state;
    for (unsigned int i = 0; i < sizeof paste; i++)
        paste[i] = (uint8_t)(i * 7);
    for (unsigned int fcr = 0; fcr < 2; fcr++) {
        out(FCR, fcr);
        out(IER, 1);
        out(MCR, 0x0b);
        fake_host.input = paste;
        fake_host.input_length = sizeof paste;
        assert_true(uart_feed(&u));
        for (unsigned int i = 0; i < sizeof paste; i++) {
            unsigned int before = raises;

            assert_true(line);
            assert_int_equal(in(DATA), paste[i]);
            edge = edge && (fcr || i + 1 == sizeof paste || raises > before);
        }
        assert_true(edge); /* without FIFOs each byte is an interrupt of its own */
        assert_false(line);
        assert_int_equal(fake_host.input_length, 0);
        assert_int_equal(in(LSR)&1, 0);
    }
}

static void receive_fifo(void **state)
{
    (void)state;
    static const unsigned int trigger[] = {1, 4, 8, 14};
    out(MCR, 0x08);
    out(IER, 0x01);
    for (unsigned int t = 0; t < 4; t++) {
        out(FCR, t << 6 | 0x07);
        assert_int_equal(in(IIR), 0xc1);
        for (unsigned int i = 1; i <= 16; i++) {
            assert_true(receive((uint8_t)i));
            assert_int_equal(in(IIR), i < trigger[t] ? 0xcc : 0xc4);
        }
        assert_false(receive(17));
        for (unsigned int i = 1; i <= 16; i++) {
            assert_int_equal(in(IIR), 17 - i < trigger[t] ? 0xcc : 0xc4);
            assert_int_equal(in(LSR), 0x61);
            assert_int_equal(in(DATA), i);
        }
        assert_int_equal(in(LSR), 0x60);
        assert_false(line);
    }
}

/* What is typed before a driver starts is not lost when that clears the FIFOs. */
static void early_bytes_wait(void **state)
{
    (void)state;
    assert_false(receive('a'));
    out(IER, 0x00);
    out(FCR, 0x07);
    in(IIR);
    in(MSR);
    out(LCR, 0x80);
    in(DATA); /* the divisor */
    out(LCR, 0x03);
    assert_false(receive('a'));
    out(IER, 0x02);
    assert_false(receive('a'));
    out(IER, 0x01);
    assert_true(receive('a'));
    uart_reset(&u);
    assert_false(receive('a'));
    in(DATA);
    assert_true(receive('b'));
    uart_reset(&u);
    in(LSR);
    assert_true(receive('c'));
    assert_int_equal(in(DATA), 'c');
}

static void fifo_control(void **state)
{
    (void)state;
    out(FCR, 0x01);
    assert_int_equal(in(IIR), 0xc1);
    assert_int_equal(in(LSR), 0x60);
    text("abc");
    out(FCR, 0x01);
    assert_int_equal(in(DATA), 'a');
    out(FCR, 0x03); /* clear the receiver */
    assert_int_equal(in(LSR), 0x60);
    text("de");
    out(FCR, 0x00); /* off clears it too */
    assert_int_equal(in(LSR), 0x60);
    assert_int_equal(in(IIR), 0x01);
    text("f");
    out(FCR, 0xc2); /* without bit 0 the others do not count */
    assert_int_equal(in(LSR), 0x61);
    assert_int_equal(in(IIR), 0x01);
    /* The ring's end. */
    in(DATA);
    out(FCR, 0x01);
    for (unsigned int i = 0; i < 100; i++) {
        text("12345");
        for (unsigned int n = 0; n < 5; n++)
            assert_int_equal(in(DATA), "12345"[n]);
    }
}

/* 8.5, table IV: the order of the sources, and what ends each. */
static void priorities(void **state)
{
    (void)state;
    /* Modem status and overrun can be had in loopback, where the line is gated; the sources are there. */
    out(MCR, 0x10);
    in(MSR);
    out(IER, 0x0f);
    out(MCR, 0x11); /* DTR: delta DSR */
    out(DATA, 'a');
    out(DATA, 'b'); /* no FIFO: overrun */
    assert_int_equal(in(IIR), 0x06);
    assert_int_equal(in(IIR), 0x06); /* reading IIR ends THRE only */
    assert_int_equal(in(LSR), 0x63);
    assert_int_equal(in(IIR), 0x04);
    assert_int_equal(in(DATA), 'a');
    assert_int_equal(in(IIR), 0x02);
    assert_int_equal(in(IIR), 0x00);
    assert_int_equal(in(MSR), 0x22);
    assert_int_equal(in(IIR), 0x01);
    assert_false(line);
    assert_int_equal(fake_host.console_length, 0);
}

/* 8.6.4: outputs come back as inputs. */
static void loopback(void **state)
{
    (void)state;
    static const struct {
        unsigned int mcr, msr;
    } want[] = {{0x10, 0x00}, {0x11, 0x20}, {0x12, 0x10}, {0x14, 0x40},
                {0x18, 0x80}, {0x1f, 0xf0}, {0x00, 0xb0}};
    for (unsigned int i = 0; i < sizeof want / sizeof want[0]; i++) {
        out(MCR, want[i].mcr);
        assert_int_equal(in(MSR)&0xf0, want[i].msr);
    }
    out(MCR, 0x10);
    in(MSR);
    assert_int_equal(in(MSR)&0x0f, 0);
    out(MCR, 0x14); /* RI rises: no TERI ... */
    assert_int_equal(in(MSR), 0x40);
    out(MCR, 0x10); /* ... its trailing edge is */
    assert_int_equal(in(MSR), 0x04);
    out(MCR, 0x12);
    out(MCR, 0x10); /* deltas gather */
    assert_int_equal(in(MSR), 0x01);
    out(FCR, 0x01);
    for (unsigned int i = 0; i < 16; i++)
        out(DATA, 'A' + i);
    assert_false(receive('z')); /* the wire is off */
    assert_int_equal(in(LSR), 0x61);
    out(DATA, 'Q');
    assert_int_equal(in(LSR), 0x63);
    assert_int_equal(in(LSR), 0x61);
    for (unsigned int i = 0; i < 16; i++)
        assert_int_equal(in(DATA), 'A' + i);
    assert_int_equal(fake_host.console_length, 0);
}

/* OUT2 gates the line; loopback takes OUT2 off. */
static void out2_gate(void **state)
{
    (void)state;
    out(IER, 0x02);
    assert_false(line);
    out(MCR, 0x08);
    assert_true(line);
    out(MCR, 0x18);
    assert_false(line);
    out(MCR, 0x08);
    assert_true(line);
    out(MCR, 0x07);
    assert_false(line);
    uart_reset(&u);
    assert_false(line);
}

static void reset_drops_the_line(void **state)
{
    (void)state;
    out(MCR, 0x08);
    out(IER, 0x02);
    assert_true(line);
    fake_host.console_full = true;
    out(DATA, 'x');
    receive('y');
    uart_reset(&u);
    assert_false(line);
    assert_false(u.held);
    fake_host.console_full = false;
    power_on(state);
}

/* Linux 6.1, drivers/tty/serial/8250/8250_port.c: autoconfig() and autoconfig_16550a(), step by step; the
 * port must come out as a 16550A and not as one of its successors. */
static void linux_autoconfig(void **state)
{
    (void)state;
    unsigned int save_ier = in(IER), save_mcr = in(MCR), save_lcr = in(LCR), a, b;
    out(IER, 0);
    assert_int_equal(in(IER)&0x0f, 0);
    out(IER, 0x0f);
    assert_int_equal(in(IER)&0x0f, 0x0f);
    out(IER, save_ier);
    out(MCR, 0x1a);
    assert_int_equal(in(MSR)&0xf0, 0x90);
    out(MCR, save_mcr);
    out(LCR, 0xbf);
    out(FCR, 0); /* EFR of others */
    out(LCR, 0);
    out(FCR, 1);
    assert_int_equal(in(IIR) >> 6, 3);
    out(LCR, 0x80);
    assert_int_not_equal(in(FCR), 0); /* EFR reads 0 on a 16650 */
    out(LCR, 0xbf);
    assert_int_not_equal(in(FCR), 0);
    /* National's super I/O: EXCR1 shows MCR's loop bit. */
    out(LCR, 0);
    a = in(MCR);
    out(LCR, 0xe0);
    b = in(FCR);
    assert_int_equal((a ^ b) & 0x10, 0);
    out(LCR, 0);
    out(MCR, a ^ 0x10);
    out(LCR, 0xe0);
    assert_int_equal(in(FCR)&0x10, 0);
    out(LCR, 0);
    out(MCR, a);
    /* 16750: a 64-byte FIFO bit in IIR. */
    out(FCR, 1);
    a = in(IIR) >> 5;
    out(FCR, 0);
    out(LCR, 0x80);
    out(FCR, 0x21);
    b = in(IIR) >> 5;
    out(FCR, 0);
    out(LCR, 0);
    assert_int_equal(a, 6);
    assert_int_equal(b, 6);
    /* XScale's UUE. */
    out(IER, 0x40);
    assert_int_equal(in(IER), 0);
    out(IER, save_ier);
    out(LCR, save_lcr);
    assert_int_equal(fake_host.console_length, 0);
}

/* ... and serial8250_do_startup(): the two tests of the THRE interrupt. */
static void linux_startup(void **state)
{
    (void)state;
    out(FCR, 1);
    out(FCR, 7);
    out(FCR, 0);
    in(LSR);
    in(DATA);
    in(IIR);
    in(MSR);
    assert_int_not_equal(in(LSR), 0xff);
    out(LCR, 3);
    out(IER, 0x02);
    assert_int_equal(in(IIR)&1, 0);
    out(IER, 0);
    out(IER, 0x02);
    assert_int_equal(in(IIR)&1, 0); /* else UART_BUG_THRE */
    out(IER, 0);
    out(MCR, 0x08);
    out(IER, 0x02);
    assert_int_equal(in(LSR)&0x40, 0x40);
    assert_int_equal(in(IIR)&1, 0); /* else UART_BUG_TXEN */
    out(IER, 0);
    assert_false(line);
}

static void random_registers(void **state)
{
    (void)state;
    uint32_t seed = 3;
    for (unsigned int i = 0; i < 200000; i++) {
        seed = seed * 1664525u + 1013904223u;
        unsigned int reg = seed >> 8 & 7;
        fake_host.console_full = (seed >> 28) == 0;
        fake_host.console_length = 0;
        if (seed >> 30 == 0)
            assert_in_range(in(reg), 0, 0xff);
        else if (seed >> 30 == 1) {
            bool room = !(u.mcr & 0x10) && u.count < (u.fcr & 1 ? UART_FIFO_SIZE : 1);
            assert_int_equal(receive((uint8_t)seed), room);
        } else
            out(reg, seed >> 16 & 0xff);
        assert_true(u.count <= UART_FIFO_SIZE);
        assert_true(u.head < UART_FIFO_SIZE);
        assert_int_equal(line, u.irq_line);
        if (line)
            assert_int_equal(u.mcr & 0x18, 0x08);
    }
}

#define TEST(f) cmocka_unit_test_setup(f, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(power_on),
        TEST(read_back),
        TEST(transmit),
        TEST(thre_interrupt),
        TEST(held_back),
        TEST(held_back_fifo),
        TEST(receive_without_fifo),
        TEST(receive_fifo),
        TEST(fed_as_it_drains),
        TEST(early_bytes_wait),
        TEST(fifo_control),
        TEST(priorities),
        TEST(loopback),
        TEST(out2_gate),
        TEST(reset_drops_the_line),
        TEST(linux_autoconfig),
        TEST(linux_startup),
        TEST(random_registers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
