#include "kernel/inject.h"

#ifdef ESC_DEBUG

#include "arch/x86/apic.h"
#include "arch/x86/cpu.h"
#include "arch/x86/percpu.h"
#include "arch/x86/traps.h"
#include "vmm/host.h"
#include "vmm/string.h"

#define UNUSED_VECTOR 0xee
#define LOST_OF       8u    /* each eighth alarm is lost */
#define PAGES_THERE   8192u /* for no-memory: 32 MiB */

static uint32_t faults;
static uint64_t started, next; /* RT; the next NMI, spurious interrupt */
static uint64_t alarms;
static uint64_t jump;   /* what the TSC is wrong by */
static bool in_console; /* the next line of ours does not get far */
static size_t pages_used;

static bool is_on(enum injection fault)
{
    return faults & 1u << fault;
}

void inject_start(uint32_t wanted)
{
    faults = wanted;
    started = next = host_now();
    if (wanted)
        host_log("inject: faults on purpose, %x", wanted);
}

/* An array on the stack is overrun by what the compiler cannot see. */
static __attribute__((noinline)) void smash_stack(void)
{
    char array[16];
    size_t n = 64;

    __asm__ volatile("" : "+r"(n));
    memset(array, 'x', n);
    __asm__ volatile("" : : "r"(array) : "memory");
}

static __attribute__((noinline)) uint64_t overflow_stack(uint64_t depth)
{
    volatile uint8_t frame[512];

    frame[0] = (uint8_t)depth;
    return depth == UINT64_MAX ? frame[0] : overflow_stack(depth + 1) + frame[0];
}

/* Compilers and analysers must not see that it is constant. */
static __attribute__((noinline)) void write_text(void)
{
    uintptr_t text = (uintptr_t)trap_stubs;

    __asm__ volatile("" : "+r"(text));
    *(volatile uint8_t *)text = 0x90;
}

static void machine_check(void)
{
    __asm__ volatile("int $18" : : : "memory");
}

static void stall(void)
{
    for (;;)
        __asm__ volatile("" : : : "memory");
}

/* Once, after 800 ms: what is not survived, and what lasts. */
static void once(void)
{
    if (is_on(INJECT_MACHINE_CHECK))
        machine_check();
    if (is_on(INJECT_STACK))
        smash_stack();
    if (is_on(INJECT_STACK_OVERFLOW))
        (void)overflow_stack(0);
    if (is_on(INJECT_STALL))
        stall();
    if (is_on(INJECT_CONSOLE_STALL) || is_on(INJECT_CONSOLE_FAULT)) {
        in_console = true;
        host_log("inject: this line is written in part only");
    }
    if (is_on(INJECT_WRITE_TEXT))
        write_text();
    if (is_on(INJECT_TSC_FORWARD))
        jump = host_hz(); /* a second */
    if (is_on(INJECT_TSC_BACK))
        jump = 0 - host_hz() / 10;
}

/* Each millisecond. */
static void again(void)
{
    if (is_on(INJECT_NMI))
        apic_send_nmi(apic_id());
    if (is_on(INJECT_SPURIOUS)) {
        apic_send_ipi(apic_id(), VECTOR_SPURIOUS);
        apic_send_ipi(apic_id(), UNUSED_VECTOR);
    }
}

void inject_turn(uint64_t now)
{
    static bool done;

    if (!faults || this_cpu()->id != percpu_count() - 1)
        return;
    if (!done && now - started > host_hz() / 5 * 4) {
        done = true;
        once();
    }
    if (now >= next) {
        next = now + host_hz() / 1000;
        again();
    }
}

uint64_t inject_alarm(uint64_t deadline)
{
    const uint64_t us = host_hz() / 1000000;
    uint64_t soon;

    if (deadline == UINT64_MAX)
        return deadline;
    if (is_on(INJECT_LOST_TIMER) && ++alarms % LOST_OF == 0)
        return UINT64_MAX;
    if (is_on(INJECT_LATE_TIMER))
        deadline += 300 * us;
    soon = host_now() + 100 * us;
    deadline = is_on(INJECT_EARLY_TIMER) && soon < deadline ? soon : deadline;
    return deadline - jump; /* the LAPIC timer goes by the TSC itself */
}

uint64_t inject_now(uint64_t tsc)
{
    return tsc + jump;
}

/* slow: for a millisecond after it has taken what its FIFO holds, and its interrupt does not tell when it is
 * ready again; stuck: for the first half second; dead: from then on. */
bool inject_serial_busy(void)
{
    static uint64_t taken;
    uint64_t now = host_now();

    if (!started)
        return false;
    if (is_on(INJECT_SERIAL_STUCK) && now - started < host_hz() / 2)
        return true;
    if (is_on(INJECT_SERIAL_DEAD) && now - started > host_hz() / 2)
        return true;
    if (is_on(INJECT_SERIAL_SLOW) && now - taken < host_hz() / 1000)
        return true;
    taken = now;
    return false;
}

void inject_console(void)
{
    if (!in_console)
        return;
    in_console = false; /* the panic's own lines come whole */
    if (is_on(INJECT_CONSOLE_STALL))
        stall();
    machine_check();
}

void inject_panic(void)
{
    if (is_on(INJECT_PANIC_FAULT))
        __asm__ volatile("ud2" : : : "memory");
}

bool inject_no_memory(size_t pages)
{
    if (!is_on(INJECT_NO_MEMORY))
        return false;
    pages_used += pages;
    return pages_used > PAGES_THERE;
}

#endif
