/* The last words. */
#include "kernel/panic.h"

#include <stdarg.h>
#include <stdint.h>

#include "arch/x86/cpu.h"
#include "arch/x86/machine.h"
#include "arch/x86/percpu.h"
#include "arch/x86/traps.h"
#include "kernel/console.h"
#include "kernel/format.h"
#include "kernel/inject.h"
#include "kernel/lines.h"
#include "kernel/log.h"
#include "kernel/smp.h"
#include "kernel/verdict.h"
#include "kernel/watchdog.h"
#include "vmm/host.h"

#define BACK_TRACE_MAX 32

static unsigned int depth;

/* What happened; no lock is taken, no clock waited for, nobody else needed. A fault while panicking says so,
 * and no more; one more on that way says nothing. */
static void begin(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));
static void begin(const char *fmt, va_list args)
{
    char text[LINES_HOST_MAX];

    cli();
    processors_stop();
    depth++;
    if (depth > 2)
        machine_leave(VERDICT_CODE_PANIC);
    if (depth == 1) {
        watchdog_stop();
        console_panic();
    }
    format_va(text, sizeof text, fmt, args);
    host_log("panic: %s%s", depth == 2 ? "while panicking: " : "", text);
    if (depth == 2)
        verdict_leave(VERDICT_PANIC);
    inject_panic();
}

/* Frames are linked through RBP (-fno-omit-frame-pointer); nothing is read outside a stack of ours. */
static void back_trace(uint64_t rbp)
{
    uint64_t end = percpu_stack_end(rbp);

    for (unsigned int i = 0; i < BACK_TRACE_MAX; i++) {
        const uint64_t *frame = (const uint64_t *)rbp;

        if (!end || rbp % 8 || rbp + 16 > end || frame[1] == 0)
            return;
        host_log("panic:   called from %p", (void *)frame[1]);
        if (frame[0] <= rbp)
            return; /* the stack grows down: callers are above */
        rbp = frame[0];
    }
}

static void registers(const struct trap_frame *f)
{
    host_log("panic: rip %016llx rflags %llx cs %llx ss %llx", (unsigned long long)f->rip,
             (unsigned long long)f->rflags, (unsigned long long)f->cs, (unsigned long long)f->ss);
    host_log("panic: rax %016llx rbx %016llx rcx %016llx rdx %016llx", (unsigned long long)f->rax,
             (unsigned long long)f->rbx, (unsigned long long)f->rcx, (unsigned long long)f->rdx);
    host_log("panic: rsi %016llx rdi %016llx rbp %016llx rsp %016llx", (unsigned long long)f->rsi,
             (unsigned long long)f->rdi, (unsigned long long)f->rbp, (unsigned long long)f->rsp);
    host_log("panic: r8  %016llx r9  %016llx r10 %016llx r11 %016llx", (unsigned long long)f->r8,
             (unsigned long long)f->r9, (unsigned long long)f->r10, (unsigned long long)f->r11);
    host_log("panic: r12 %016llx r13 %016llx r14 %016llx r15 %016llx", (unsigned long long)f->r12,
             (unsigned long long)f->r13, (unsigned long long)f->r14, (unsigned long long)f->r15);
}

static void control_registers(void)
{
    host_log("panic: cr0 %llx cr2 %llx cr3 %llx cr4 %llx tsc %llu processor %u",
             (unsigned long long)read_cr0(), (unsigned long long)read_cr2(), (unsigned long long)read_cr3(),
             (unsigned long long)read_cr4(), (unsigned long long)host_now(), this_cpu()->id);
}

static void back_trace_header(void)
{
    host_log("panic: back-trace (addr2line -f -e build/escapement.debug ADDRESS):");
}

void panic(const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    begin(fmt, args);
    va_end(args);
    control_registers();
    back_trace_header();
    back_trace((uint64_t)__builtin_frame_address(0));
    verdict_leave(VERDICT_PANIC);
}

void panic_trap(const struct trap_frame *frame, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    begin(fmt, args);
    va_end(args);
    registers(frame);
    control_registers();
    back_trace_header();
    host_log("panic:   at %p", (void *)frame->rip);
    back_trace(frame->rbp);
    verdict_leave(VERDICT_PANIC);
}

void host_assert_failed(const char *expr, const char *file, int line)
{
    panic("%s:%d: assertion failed: %s", file, line, expr);
}
