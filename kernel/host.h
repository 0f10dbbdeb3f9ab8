/* kernel/host.c implements vmm/host.h on the bare metal, except host_deadline() (kernel/deadlines.c). */
#ifndef KERNEL_HOST_H
#define KERNEL_HOST_H

#include <stdbool.h>
#include <stdint.h>

/* Once at start, after clock_init(): reads the host's CMOS. */
void host_init(void);

/* One step, 20 us, of clearing memory that was given back (kernel/scrub.h): host_free_pages() leaves
 * large pieces to it. False: nothing is left to clear. */
bool host_scrub(void);

/* Most bytes that were ever in use through host_alloc_pages, and bytes in use now. */
uint64_t host_bytes_peak(void);
uint64_t host_bytes_used(void);
/* The kernel's own image with its data and stacks, bytes. */
uint64_t host_image_bytes(void);

#endif
