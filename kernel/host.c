/* vmm/host.h on the bare metal. host_log() and its like are in kernel/log.c, host_deadline() with the
 * scheduler. */
#include "kernel/host.h"

#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"
#include "arch/x86/clock.h"
#include "kernel/cmos.h"
#include "kernel/console.h"
#include "kernel/format.h"
#include "kernel/inject.h"
#include "kernel/pages.h"
#include "kernel/scrub.h"
#include "kernel/spinlock.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"

#define AT_ONCE 8u /* pages: fewer are not worth a place in the queue */
#define STEP_DIVISOR                                                                                         \
    50000u /* of a second: a step of clearing is 20 us, less than a guest's minimum progress */

extern const uint8_t image_end[]; /* linker.ld */

static uint64_t boot_seconds;
static struct lock pages_lock = {.class = LOCK_PAGES}; /* kernel/pages.c's, from now on, and: */
static uint64_t used, peak;
static struct scrub dirty; /* given back, and not yet in kernel/pages.c's hands: nobody gets it */

void host_init(void)
{
    boot_seconds = cmos_read_seconds();
}

uint64_t host_now(void)
{
    return inject_now(rdtsc());
}

uint64_t host_now_in_order(void)
{
    uint64_t now;

    __asm__ volatile("lfence" : : : "memory");
    now = inject_now(rdtsc());
    __asm__ volatile("lfence" : : : "memory");
    return now;
}

void host_relax(void)
{
    cpu_pause();
}

uint64_t host_hz(void)
{
    return clock_hz();
}

uint64_t host_boot_seconds(void)
{
    return boot_seconds;
}

void host_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    struct cpuid_regs r = cpuid(leaf, sub);

    out[0] = r.eax;
    out[1] = r.ebx;
    out[2] = r.ecx;
    out[3] = r.edx;
}

/* With the lock. False: nothing is left to clear. */
static bool scrub_page(void)
{
    struct scrubbed clear = scrub_step(&dirty, 1);

    if (clear.p)
        pages_free(virt_to_phys(clear.p), clear.pages);
    return !scrub_is_done(&dirty);
}

bool host_scrub(void)
{
    uint64_t start, flags;
    bool more;

    if (scrub_is_done(&dirty)) /* mostly; one that comes in this moment is seen the next time */
        return false;
    start = host_now();
    do {
        flags = spinlock_take(&pages_lock);
        more = scrub_page();
        spinlock_release(&pages_lock, flags);
    } while (more && host_now() - start < host_hz() / STEP_DIVISOR);
    return more;
}

/* With the lock. What waits to be cleared counts as free. */
static uint64_t find_pages(size_t n, size_t align)
{
    uint64_t phys = pages_alloc(n, align, UINT64_MAX);

    while (phys == PAGES_NONE && !scrub_is_done(&dirty)) {
        (void)scrub_page();
        phys = pages_alloc(n, align, UINT64_MAX);
    }
    return phys;
}

void *host_alloc_pages(size_t n, size_t align)
{
    uint64_t flags = spinlock_take(&pages_lock);
    uint64_t phys = inject_no_memory(n) ? PAGES_NONE : find_pages(n, align);

    if (phys != PAGES_NONE)
        used += n * PAGE_SIZE;
    peak = used > peak ? used : peak;
    spinlock_release(&pages_lock, flags);
    if (phys == PAGES_NONE)
        return NULL;
    return memset(phys_to_virt(phys), 0, n * PAGE_SIZE);
}

void host_free_pages(void *p, size_t n)
{
    uint64_t flags;

    if (!p)
        return;
    /* What was in them is nobody's business any more. */
    if (n <= AT_ONCE)
        memset(p, 0, n * PAGE_SIZE);
    flags = spinlock_take(&pages_lock);
    ASSERT(used >= n * PAGE_SIZE);
    used -= n * PAGE_SIZE;
    if (n <= AT_ONCE)
        pages_free(virt_to_phys(p), n);
    else
        scrub_add(&dirty, p, n);
    spinlock_release(&pages_lock, flags);
}

uint64_t host_free_bytes(size_t align, uint64_t *largest)
{
    uint64_t flags = spinlock_take(&pages_lock);
    bool none = inject_no_memory(0);
    uint64_t bytes = none ? 0 : pages_free_bytes();

    *largest = none ? 0 : pages_largest(align);
    spinlock_release(&pages_lock, flags);
    return bytes;
}

uint64_t host_phys(const void *p)
{
    return virt_to_phys(p);
}

uint64_t host_bytes_used(void)
{
    return used;
}

uint64_t host_bytes_peak(void)
{
    return peak;
}

uint64_t host_image_bytes(void)
{
    return virt_to_phys(image_end) - kernel_phys_base;
}

bool host_console_ready(struct vm *vm)
{
    return console_vm_ready(vm->index);
}

void host_console_putc(struct vm *vm, uint8_t byte)
{
    console_vm_putc(vm->index, byte);
}

int host_console_getc(struct vm *vm)
{
    return console_vm_getc(vm->index);
}

int host_vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
    return format_va(buf, size, fmt, args);
}

int host_snprintf(char *buf, size_t size, const char *fmt, ...)
{
    va_list args;
    int n;

    va_start(args, fmt);
    n = format_va(buf, size, fmt, args);
    va_end(args);
    return n;
}
