/* The hypervisor's own lines. */
#include "kernel/log.h"

#include "kernel/console.h"
#include "kernel/format.h"
#include "kernel/lines.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"

/* Lines that a guest can trigger: as many at once, and one more in each tenth of a second. A dump fits. */
#define BURST          64u
#define REFILL_DIVISOR 10u

size_t log_format(char line[LINES_HOST_MAX], const char *fmt, va_list args)
{
    size_t n = LOG_PREFIX_LENGTH;

    memcpy(line, LOG_PREFIX, n);
    n += (size_t)format_va(line + n, LINES_HOST_MAX - n, fmt, args);
    return n < LINES_HOST_MAX ? n : LINES_HOST_MAX - 1;
}

void log_va(const char *fmt, va_list args)
{
    char line[LINES_HOST_MAX];

    console_line(line, log_format(line, fmt, args));
}

void host_log(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    log_va(fmt, args);
    va_end(args);
}

/* Of each VM: lines it may still have, since when that is so, and how many were left out. */
static struct budget {
    uint64_t since;
    unsigned int used;
    unsigned int left_out;
} budgets[LINES_VMS];

static bool allow(struct budget *b)
{
    uint64_t now = host_now();
    uint64_t step = host_hz() / REFILL_DIVISOR;
    uint64_t refill = step ? (now - b->since) / step : 0;

    if (b->used == 0 || refill >= b->used) {
        b->used = 0;
        b->since = now;
    } else {
        b->used -= (unsigned int)refill;
        b->since += refill * step;
    }
    if (b->used == BURST)
        return false;
    b->used++;
    return true;
}

void host_log_vm(struct vm *vm, const char *fmt, ...)
{
    struct budget *b = &budgets[vm->index % LINES_VMS];
    char text[LINES_HOST_MAX];
    va_list args;

    if (!allow(b)) {
        b->left_out++;
        return;
    }
    if (b->left_out) {
        host_log("vm %s: %u lines left out", vm->config.name, b->left_out);
        b->left_out = 0;
    }
    va_start(args, fmt);
    format_va(text, sizeof text, fmt, args);
    va_end(args);
    host_log("vm %s: %s", vm->config.name, text);
}
