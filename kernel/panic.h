/* Our own bugs: stop with a dump. Never for what a guest does. */
#ifndef KERNEL_PANIC_H
#define KERNEL_PANIC_H

struct trap_frame;

/* Prints the message, the registers, and a back-trace (addresses; `addr2line -e build/escapement.debug` names
 * them), then leaves the machine with the panic status. Any context. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The same for an exception: the registers are those of the interrupted code. */
_Noreturn void panic_trap(const struct trap_frame *frame, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
