/* The processor that host_cpuid() describes in native tests: a desktop processor of 2015 with every feature
 * bit of leaves 1, 7 and 80000001h set, so that a test sees what the policy lets through. */
#ifndef TESTS_FAKE_CPUID_H
#define TESTS_FAKE_CPUID_H

#include <stdint.h>

/* Replaces (or adds) a leaf, until fake_cpuid_reset(). */
void fake_cpuid_set(uint32_t leaf, uint32_t sub, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx);
void fake_cpuid_reset(void);

#endif
