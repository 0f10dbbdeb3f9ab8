/* The host's real time clock, read once at start. */
#ifndef KERNEL_CMOS_H
#define KERNEL_CMOS_H

#include <stdint.h>

/* Reads the MC146818's date (taken for UTC): seconds since 1970; 0 if there is no sane date. Waits up to 1 s
 * for an update to end. */
uint64_t cmos_read_seconds(void);

#endif
