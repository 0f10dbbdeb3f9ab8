/* Settings and processors in words, for the power-on lines and the monitor. */
#ifndef KERNEL_DESCRIBE_H
#define KERNEL_DESCRIBE_H

#include <stddef.h>
#include <stdint.h>

#include "vmm/config.h"

#define DESCRIBE_TIME 32

/* A time as the settings take it: "0", "50us", "1500ms", "60s". */
const char *describe_ns(char out[DESCRIBE_TIME], uint64_t ns);

/* The settings of a VM's time as its module line has them; maxrate 0: not given. */
void describe_settings(char *out, size_t size, const struct vtime_settings *s, uint64_t maxrate);

/* The processor's own name (CPUID 80000002H-80000004H), "" if it has none. */
#define DESCRIBE_BRAND 49
void describe_brand(char out[DESCRIBE_BRAND]);

/* UTC: "2026-01-01 00:00:00". */
void describe_date(char out[DESCRIBE_TIME], uint64_t seconds);

#endif
