/* The console on COM1; see console.h. What leaves is kernel/lines.c's to say, whose input it is
 * kernel/input.c's. */
#include "kernel/console.h"

#include <stdarg.h>

#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "arch/x86/pic8259.h"
#include "arch/x86/serial.h"
#include "arch/x86/traps.h"
#include "kernel/inject.h"
#include "kernel/input.h"
#include "kernel/lines.h"
#include "kernel/log.h"
#include "kernel/screen.h"
#include "kernel/spinlock.h"
#include "vmm/host.h"
#include "vmm/string.h"

#define SILENCE_DIVISOR 5   /* of a second: 200 ms (DESIGN.md section 4, "End") */
#define FIFO            16  /* the transmitter takes as many at once */
#define PATIENCE        5   /* seconds that input waits for a guest that reads nothing */
#define LOST_DIVISOR    100 /* of a second: so long the port's interrupt is waited for */

/* All of this file's. What is called with it held says so; the others take it. */
static struct lock lock = {.class = LOCK_CONSOLE};

static struct lines lines;
static bool by_interrupt; /* console_start() has been called and no panic has come */
static enum { NO_PANIC, PANIC, PANIC_UNSENT } panic; /* UNSENT: what waited for the port waits still */
static bool transmitting;                            /* the transmitter's interrupt is on */

/* Taken from the ring, not yet by the port. */
static char chunk[FIFO];
static size_t chunk_length;
static size_t chunk_at;

static struct input input;
static bool receiving;  /* the receiver's interrupt is on */
static uint8_t pending; /* a byte that had no room */
static bool has_pending;
static void (*on_input)(void);
static bool nothing_begun; /* when the boot processor last asked, no line was waiting to be flushed */

/* What lines shows, as far as it knows; the view that the operator wants is input.view. */
static enum input_view shown;
static unsigned int shown_guest;

/* A guest's terminal may have left the operator's in any state: strings ended (CAN, ST), a soft reset
 * (DECSTR: attributes, margins, modes), characters, cursor, mouse reports and bracketed paste as usual. */
static const char sane[] =
    "\030\033\\\033[!p\033[0m\033(B\017\033[?25h\033[?1000l\033[?1002l\033[?1003l\033[?2004l";

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

static void enable(void)
{
    serial_irq_enable(receiving, transmitting);
}

/* Gives the port what it takes, and lets the interrupt do the rest. */
static void kick(void)
{
    bool more = transmit(false);

    if (by_interrupt && more != transmitting) {
        transmitting = more;
        enable();
    }
}

static void drain(void)
{
    while (transmit(true))
        ;
}

/* Takes what the port has and the queues have room for. Without room the port is left alone, until room has
 * come or the reader is taken for gone. */
static void receive(void)
{
    uint64_t now = host_now();
    uint64_t patience = PATIENCE * host_hz();
    bool any = false; /* not for a byte that still waits: it would have the guest taken out again at once */

    for (int c; has_pending || (c = serial_get()) >= 0; any = true) {
        pending = has_pending ? pending : (uint8_t)c;
        has_pending = !input_put(&input, pending, now, patience);
        if (has_pending)
            break;
    }
    if (any && on_input)
        on_input();
    if (by_interrupt && receiving == has_pending) {
        receiving = !has_pending;
        enable();
    }
}

static void serial_interrupt(struct trap_frame *frame)
{
    uint64_t flags = spinlock_take(&lock);

    (void)frame;
    while (serial_irq_pending()) {
        receive();
        if (transmitting)
            kick();
        else if (!receiving)
            break;
    }
    spinlock_release(&lock, flags);
    pic8259_eoi(SERIAL_IRQ);
}

void console_init(void)
{
    lines_init(&lines);
    input_init(&input);
    serial_init();
}

void console_start(void)
{
    trap_set_handler(VECTOR_PIC + SERIAL_IRQ, serial_interrupt);
    by_interrupt = true;
    receiving = true;
    enable();
    pic8259_unmask(SERIAL_IRQ);
}

/* The screen has no need to say whose line it is. */
static void show_line(const char *text, size_t n)
{
    screen_line(text + LOG_PREFIX_LENGTH, n - LOG_PREFIX_LENGTH);
}

/* Held. */
static void put_line(const char *text, size_t n)
{
    show_line(text, n);
    while (!lines_host(&lines, text, n))
        transmit(true);
    inject_console();
    if (by_interrupt)
        kick();
    else
        drain();
}

/* A panic's: past the lock and the ring, in whatever state these are. */
static void panic_line(const char *text, size_t n)
{
    show_line(text, n);
    serial_put_wait(text, n);
    serial_put_wait(lines.eol, strlen(lines.eol));
}

void console_line(const char *text, size_t n)
{
    uint64_t flags;

    if (panic) {
        panic_line(text, n);
        return;
    }
    flags = spinlock_take(&lock);
    put_line(text, n);
    spinlock_release(&lock, flags);
}

/* host_log() with the lock held. */
static void tell(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *fmt, ...)
{
    char line[LINES_HOST_MAX];
    va_list args;
    size_t n;

    va_start(args, fmt);
    n = log_format(line, fmt, args);
    va_end(args);
    put_line(line, n);
}

size_t console_line_room(void)
{
    uint64_t flags = spinlock_take(&lock);
    size_t room = lines_host_room(&lines);

    spinlock_release(&lock, flags);
    return room;
}

void console_poll(void)
{
    uint64_t flags = spinlock_take(&lock);
    uint64_t silence = host_hz() / SILENCE_DIVISOR;
    uint64_t now = host_now();

    if (now > silence)
        lines_flush_silent(&lines, now - silence);
    receive();
    kick();
    spinlock_release(&lock, flags);
}

uint64_t console_deadline(void)
{
    uint64_t flags = spinlock_take(&lock);
    uint64_t oldest = lines_oldest(&lines);
    uint64_t flush = oldest == UINT64_MAX ? UINT64_MAX : oldest + host_hz() / SILENCE_DIVISOR;
    uint64_t look = transmitting ? host_now() + host_hz() / LOST_DIVISOR : UINT64_MAX;

    nothing_begun = oldest == UINT64_MAX;
    spinlock_release(&lock, flags);
    return flush < look ? flush : look;
}

void console_vm_start(unsigned int index, const char *name)
{
    uint64_t flags = spinlock_take(&lock);

    ASSERT(index < LINES_VMS);
    lines_name(&lines, index, name);
    input_guest_starts(&input, index);
    spinlock_release(&lock, flags);
}

void console_vm_end(unsigned int index)
{
    uint64_t flags = spinlock_take(&lock);

    ASSERT(index < LINES_VMS);
    /* Its last words: room comes soon, and there is nobody left to hold back. */
    while (!lines_flush(&lines, index))
        transmit(true);
    input_guest_ends(&input, index);
    kick();
    spinlock_release(&lock, flags);
}

void console_vm_putc(unsigned int index, uint8_t byte)
{
    uint64_t flags = spinlock_take(&lock);

    ASSERT(index < LINES_VMS);
    lines_putc(&lines, index, byte, host_now());
    if (!transmitting)
        kick();
    if (nothing_begun && this_cpu()->id != 0) {
        nothing_begun = false;
        on_input(); /* the boot processor may sleep for long, and the line is to be flushed when it falls
                       silent */
    }
    spinlock_release(&lock, flags);
}

bool console_vm_ready(unsigned int index)
{
    uint64_t flags = spinlock_take(&lock);
    bool ready = lines_ready(&lines, index);

    spinlock_release(&lock, flags);
    return ready;
}

int console_vm_getc(unsigned int index)
{
    uint64_t flags = spinlock_take(&lock);
    int c = input_take(&input, index, host_now());

    spinlock_release(&lock, flags);
    return c;
}

bool console_vm_input(unsigned int index)
{
    return input_waits(&input, index);
}

void console_on_input(void (*fn)(void))
{
    on_input = fn;
}

/* ---- the operator's view ---- */

/* Text of ours that is no line. Never lost: it waits for the port where there is no room. */
static void say(const char *text)
{
    while (!lines_say(&lines, text, strlen(text)))
        transmit(true);
}

/* The operator's terminal as it should be, and, but for the other views, all lines. */
static void leave_view(void)
{
    bool midline = lines.midline;

    if (shown == VIEW_TERMINAL)
        say(sane);
    lines.midline = midline; /* it moves no cursor */
    if (input.view == VIEW_LINES)
        lines_view_all(&lines);
    else
        lines_view_monitor(&lines);
}

static void enter_view(void)
{
    unsigned long lost;

    if (shown == VIEW_TERMINAL) {
        tell("terminal of %s; Ctrl-A a: all lines, Ctrl-A ?: help", lines.writers[shown_guest].name);
        lines_view_terminal(&lines, shown_guest);
    }
    if (shown == VIEW_LINES && (lost = backlog_lost(&lines.backlog)) > 0)
        tell("%lu older lines of guests are left out", lost);
}

static void follow_view(void)
{
    if (shown == input.view && (shown != VIEW_TERMINAL || shown_guest == input.focus))
        return;
    leave_view();
    shown = input.view;
    shown_guest = input.focus;
    enter_view();
}

static void help(void)
{
    tell("Ctrl-A and then  n: the next guest's terminal   1-9: that of guest number 1-9");
    tell("                 a or 0: all guests' lines      m or c: the monitor, and back");
    tell("                 Ctrl-A: Ctrl-A itself          ? or h: this help");
    for (unsigned int i = 0; i < LINES_VMS; i++) {
        if (input.alive >> i & 1)
            tell("guest %u is %s%s", i + 1, lines.writers[i].name,
                 i == input.focus && input.view != VIEW_MONITOR ? ": your input goes there" : "");
    }
}

static void notify(void)
{
    char key = (char)input.notice_key;

    switch (input.notice) {
    case NOTICE_NONE:
        return;
    case NOTICE_HELP:
        help();
        break;
    case NOTICE_NO_KEY:
        tell("Ctrl-A %c has no meaning; Ctrl-A ? lists the keys", key > ' ' && key <= '~' ? key : '?');
        break;
    case NOTICE_NO_GUEST:
        tell("Ctrl-A %c: no such guest runs; Ctrl-A ? lists them", key);
        break;
    }
    input.notice = NOTICE_NONE;
}

/* What could not be taken in is said, once a second. */
static void report_losses(void)
{
    static unsigned long reported;
    static uint64_t next;

    if (host_now() < next)
        return;
    next = host_now() + host_hz();
    if (serial_overruns() != reported) {
        tell("the serial port had no room %lu times: input is lost", serial_overruns() - reported);
        reported = serial_overruns();
    }
    for (unsigned int i = 0; i < LINES_VMS; i++) {
        struct input_queue *q = &input.queues[i];

        if (q->dropped && (input.alive >> i & 1)) {
            tell("vm %s did not read its input: %llu bytes left out", lines.writers[i].name,
                 (unsigned long long)q->dropped);
            q->dropped = 0;
        }
    }
}

enum input_view console_view(void)
{
    uint64_t flags = spinlock_take(&lock);

    if (input.person)
        lines_crlf(&lines);
    follow_view();
    notify();
    report_losses();
    kick();
    spinlock_release(&lock, flags);
    return shown;
}

/* ---- the monitor's ---- */

int console_monitor_getc(void)
{
    return console_vm_getc(INPUT_MONITOR);
}

bool console_say(const char *text, size_t n)
{
    uint64_t flags = spinlock_take(&lock);
    bool said = lines_say(&lines, text, n);

    kick();
    spinlock_release(&lock, flags);
    return said;
}

size_t console_room(void)
{
    return lines_room(&lines);
}

bool console_interrupted(void)
{
    uint64_t flags = spinlock_take(&lock);
    bool interrupted = lines.interrupted;

    lines.interrupted = false;
    spinlock_release(&lock, flags);
    return interrupted;
}

void console_leave_monitor(void)
{
    uint64_t flags = spinlock_take(&lock);

    input_leave_monitor(&input);
    spinlock_release(&lock, flags);
}

void console_look(enum input_view view, unsigned int index)
{
    uint64_t flags = spinlock_take(&lock);

    input_look(&input, view, index);
    spinlock_release(&lock, flags);
}

/* A panic's, behind its report: what waited is worth a try. */
static void drain_rest(void)
{
    static const char heading[] = LOG_PREFIX "panic: the console was in use; what it had not sent yet:";

    if (panic != PANIC_UNSENT || lines_empty(&lines))
        return;
    panic = PANIC;
    panic_line(heading, sizeof heading - 1);
    drain();
    serial_put_wait(lines.eol, strlen(lines.eol));
}

void console_drain(void)
{
    uint64_t flags;

    if (panic) {
        drain_rest();
        serial_flush();
        return;
    }
    flags = spinlock_take(&lock);
    input.view = VIEW_LINES;
    leave_view();
    for (unsigned int i = 0; i < LINES_VMS; i++) {
        while (!lines_flush(&lines, i))
            transmit(true);
    }
    drain();
    serial_flush();
    spinlock_release(&lock, flags);
}

/* Whoever had the lock, this processor or one that has been stopped, had not finished: then the report goes
 * first, as it depends on nothing. */
void console_panic(void)
{
    bool in_use = lock_is_held(&lock);

    panic = in_use ? PANIC_UNSENT : PANIC;
    by_interrupt = false;
    serial_irq_enable(false, false);
    if (in_use) {
        if (shown == VIEW_TERMINAL)
            serial_put_wait(sane, sizeof sane - 1);
        serial_put_wait(lines.eol, strlen(lines.eol)); /* a line may have begun to leave */
        return;
    }
    input.view = VIEW_LINES;
    leave_view();
    drain();
}
