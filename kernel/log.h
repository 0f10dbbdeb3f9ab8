/* host_log() and host_log_vm() (vmm/host.h) are implemented in kernel/log.c. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdarg.h>
#include <stddef.h>

#include "kernel/lines.h"

#define LOG_PREFIX        "escapement: "
#define LOG_PREFIX_LENGTH (sizeof(LOG_PREFIX) - 1)

/* LOG_PREFIX + text into line, cut to its size; its length. */
size_t log_format(char line[LINES_HOST_MAX], const char *fmt, va_list args)
    __attribute__((format(printf, 2, 0)));
/* The same on the console. */
void log_va(const char *fmt, va_list args) __attribute__((format(printf, 1, 0)));

#endif
