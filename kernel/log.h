/* host_log() and host_log_vm() (vmm/host.h) are implemented in kernel/log.c. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>

/* One line "escapement: " + text. */
void log_va(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

#endif
