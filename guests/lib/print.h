/* Output on COM1, polled. */
#ifndef GUESTS_LIB_PRINT_H
#define GUESTS_LIB_PRINT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* 115200 baud, 8N1, FIFO on, no interrupts. */
void serial_init(void);

/* %c %s %d %u %x with l, a width, 0 and -; %%. */
void printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void vprintf(const char *fmt, va_list args);

/* A check in the manner of kvm-unit-tests: prints "PASS: text" or "FAIL: text", counts, and returns cond. */
bool report(bool cond, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints "SUMMARY: N checks, N failed"; returns the exit code (no check at all is a failure). */
int report_summary(void);

#endif
