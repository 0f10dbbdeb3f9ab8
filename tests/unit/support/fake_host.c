/* Host services for native tests: see fake_host.h. */
#include "tests/unit/support/fake_host.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timers/vtime.h"
#include "vmm/host.h"
#include "vmm/lock.h"
#include "vmm/vcpu.h"

#define PAGE 4096u

static struct trace_record events[FAKE_TRACE], exits[FAKE_TRACE];

#define START_VALUES                                                                                         \
    {                                                                                                        \
        .hz = 1000000000u, .boot_seconds = 1000000000u, .page_limit = (1u << 30) / PAGE,                     \
        .deadline = RT_NEVER, .earliest = RT_NEVER,                                                          \
        .trace.events = {.records = events, .mask = FAKE_TRACE - 1}, .trace.exits = {                        \
            .records = exits,                                                                                \
            .mask = FAKE_TRACE - 1                                                                           \
        }                                                                                                    \
    }

struct fake_host fake_host = START_VALUES;

void fake_host_reset(void)
{
    /* What is allocated stays allocated: the leak checker shall see what a test forgets. */
    size_t pages = fake_host.pages;
    fake_host = (struct fake_host)START_VALUES;
    fake_host.pages = pages;
}

uint64_t host_now(void)
{
    return fake_host.now;
}

uint64_t host_now_in_order(void)
{
    return host_now();
}

/* One thread plays several processors here. The order of locks is test_smp's. */
#ifdef ESC_DEBUG /* not in builds that measure coverage */
void host_lock_taking(enum lock_class class)
{
    (void)class;
}

void host_lock_given_back(enum lock_class class)
{
    (void)class;
}
#endif

void host_relax(void)
{
    if (fake_host.on_relax)
        fake_host.on_relax();
}

uint64_t host_hz(void)
{
    return fake_host.hz;
}

uint64_t host_boot_seconds(void)
{
    return fake_host.boot_seconds;
}

void *host_alloc_pages(size_t n, size_t align)
{
    if ((fake_host.largest && n > fake_host.largest) || n == 0 || n > fake_host.page_limit ||
        fake_host.pages > fake_host.page_limit - n)
        return NULL;
    /* aligned_alloc wants a multiple of the alignment. */
    size_t size = (n * PAGE + align - 1) & ~(align - 1);
    void *p = size == fake_host.lent_size ? fake_host.lent : aligned_alloc(align, size);
    if (!p)
        return NULL;
    memset(p, 0, n * PAGE);
    fake_host.pages += n;
    return p;
}

void host_free_pages(void *p, size_t n)
{
    if (!p)
        return;
    if (p != fake_host.lent)
        free(p);
    fake_host.pages -= n;
}

uint64_t host_free_bytes(size_t align, uint64_t *largest)
{
    uint64_t free = (fake_host.page_limit - fake_host.pages) * PAGE;

    (void)align;
    *largest = fake_host.largest ? fake_host.largest * PAGE : free;
    return free;
}

uint64_t host_phys(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

uint64_t host_deadline(struct vm *vm, uint64_t rt)
{
    fake_host.deadline_vm = vm;
    fake_host.deadline = rt;
    fake_host.deadlines++;
    return rt < fake_host.earliest ? rt : fake_host.earliest;
}

void host_kick(struct vcpu *vcpu)
{
    fake_host.kicked |= 1u << vcpu->id;
}

void host_yield(struct vcpu *vcpu, struct vcpu *to)
{
    fake_host.yielded |= 1u << vcpu->id;
    fake_host.to = to;
}

static void append_log(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

static void append_log(const char *fmt, va_list args)
{
    char *at = fake_host.log + fake_host.log_length;
    size_t room = sizeof fake_host.log - fake_host.log_length;
    int n = vsnprintf(at, room, fmt, args);
    /* A full log keeps its first lines: they say what went wrong first. */
    if (n < 0 || (size_t)n + 2 > room) {
        *at = '\0';
        return;
    }
    at[n] = '\n';
    at[n + 1] = '\0';
    fake_host.log_length += (size_t)n + 1;
}

void host_log(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    append_log(fmt, args);
    va_end(args);
}

void host_log_vm(struct vm *vm, const char *fmt, ...)
{
    (void)vm;
    va_list args;
    va_start(args, fmt);
    append_log(fmt, args);
    va_end(args);
}

bool host_console_ready(struct vm *vm)
{
    (void)vm;
    return !fake_host.console_full;
}

void host_console_putc(struct vm *vm, uint8_t byte)
{
    (void)vm;
    if (fake_host.console_length + 1 >= sizeof fake_host.console)
        return;
    fake_host.console[fake_host.console_length++] = (char)byte;
    fake_host.console[fake_host.console_length] = '\0';
}

int host_console_getc(struct vm *vm)
{
    (void)vm;
    if (fake_host.input_length == 0)
        return -1;
    fake_host.input_length--;
    return *fake_host.input++;
}

int host_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(buf, size, fmt, args);
    va_end(args);
    return n;
}

int host_vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    return vsnprintf(buf, size, fmt, args);
}

struct trace_rings *host_trace(void)
{
    return &fake_host.trace;
}

_Noreturn void host_assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
    abort();
}
