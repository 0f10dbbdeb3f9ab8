/* printf's formatting, the part that is used: %s %c %d %i %u %x %X %p %% with width, '*', precision for %s,
 * the flags '0' and '-', and the lengths hh h l ll z. Anything else is copied as it stands. Pure. */
#ifndef KERNEL_FORMAT_H
#define KERNEL_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* Writes at most size bytes, the last a zero; returns the length that the whole text has, as vsnprintf does.
 */
int format_va(char *buf, size_t size, const char *fmt, va_list args) __attribute__((format(printf, 3, 0)));

#endif
