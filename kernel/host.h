/* kernel/host.c implements vmm/host.h on the bare metal, except host_deadline() (kernel/deadlines.c). */
#ifndef KERNEL_HOST_H
#define KERNEL_HOST_H

#include <stdint.h>

/* Once at start, after clock_init(): reads the host's CMOS. */
void host_init(void);

/* Most bytes that were ever in use through host_alloc_pages, and bytes in use now. */
uint64_t host_bytes_peak(void);
uint64_t host_bytes_used(void);
/* The kernel's own image with its data and stacks, bytes. */
uint64_t host_image_bytes(void);

#endif
