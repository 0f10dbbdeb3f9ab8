/* What the virtual machine monitor asks of the machine it runs on. kernel/ implements it on the bare metal
 * (kernel/host.c), tests/unit/support/fake_host.c in host builds; so vmm/ compiles unchanged in both. */
#ifndef VMM_HOST_H
#define VMM_HOST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vm;
struct vcpu;

/* Real time now: the host's invariant TSC, RT ticks. Any context. */
uint64_t host_now(void);
/* The same, neither before what precedes it in the program nor after what follows, as other processors see
 * it. */
uint64_t host_now_in_order(void);
/* RT ticks a second, frozen before the first VM starts. */
uint64_t host_hz(void);
/* UTC seconds since 1970 read from the host's CMOS once at start (DESIGN.md 2.1). */
uint64_t host_boot_seconds(void);

/* CPUID of the calling processor: out is EAX, EBX, ECX, EDX. */
void host_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4]);

/* n contiguous zeroed 4 KiB pages, aligned to `align` bytes (a power of two >= 4096). NULL when memory is
 * out. */
void *host_alloc_pages(size_t n, size_t align);
void host_free_pages(void *p, size_t n);
/* Bytes that are free, and in *largest how many of them one host_alloc_pages(, align) could have. */
uint64_t host_free_bytes(size_t align, uint64_t *largest);
/* Physical address of hypervisor memory got from host_alloc_pages. */
uint64_t host_phys(const void *p);

/* Before an entry: the next real deadline of the VM that runs is `rt` (RT_NEVER: none). The time coordinator
 * of this processor arms the physical timer for the earliest of it, the end of the slice and what waits, if
 * it is not armed for that. Returns the earliest: the RT at which the guest must be out again. */
uint64_t host_deadline(struct vm *vm, uint64_t rt);

/* In a loop that waits for another processor. */
void host_relax(void);

/* The vCPU has something to look at: an interrupt, INIT, SIPI, its VM's reset or end. One that waits for
 * nothing but this is run again soon, one in the guest on another processor is taken out, for others nothing
 * is to be done. Spurious calls do no harm. */
void host_kick(struct vcpu *vcpu);

/* The vCPU, which runs on this processor, ought to give it, and the rest of its slice, to its sibling `to` if
 * that waits for it (NULL: to any that does; if none waits here, but one for another processor, to whoever
 * waits here). host_deadline() then ends its run. */
void host_yield(struct vcpu *vcpu, struct vcpu *to);

/* One line "escapement: ..." on the console (no newline in fmt). Any context. */
void host_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The same, "escapement: vm NAME: ...", limited in rate for each VM: for lines that a guest can trigger. */
void host_log_vm(struct vm *vm, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Room for guest console output: false while the output ring is too full to take another line (the guest's
 * transmitter-empty bit is held back then). */
bool host_console_ready(struct vm *vm);
/* One byte of guest serial output. */
void host_console_putc(struct vm *vm, uint8_t byte);

/* The next byte of console input for the guest's serial port, or -1. */
int host_console_getc(struct vm *vm);

/* snprintf of the kernel: %s %c %d %i %u %x %X %p %% with width, 0, -, and l/ll/z. */
int host_snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int host_vsnprintf(char *buf, size_t size, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

/* Our own invariants only, never a guest's doing. Stops the machine with a dump; debug kernels only. */
_Noreturn void host_assert_failed(const char *expr, const char *file, int line);

#ifdef ESC_DEBUG
#define ASSERT(e) ((e) ? (void)0 : host_assert_failed(#e, __FILE__, __LINE__))
#else
#define ASSERT(e) ((void)sizeof(e))
#endif

#endif
