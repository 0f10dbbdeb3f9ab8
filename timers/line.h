/* An interrupt line as a timer emulator sees it: the way from a virtual timer to the VM's interrupt
 * controllers. The controllers implement it (vmm/), tests fake it. */
#ifndef TIMERS_LINE_H
#define TIMERS_LINE_H

#include <stdbool.h>

struct vt_line_ops {
    /* Low to high: an edge. True if the edge was latched as a new request, false if it merged with one that
     * the guest has not taken yet, or went nowhere because every way to a processor is masked. */
    bool (*raise)(void *ctx, unsigned int line);
    /* High to low. A latched edge stays latched. */
    void (*lower)(void *ctx, unsigned int line);
    /* True while a request of this line waits, unmasked, for the guest to take it (it is in an IRR). */
    bool (*waiting)(void *ctx, unsigned int line);
    /* True while no way from this line to a processor is open (masked in every controller). */
    bool (*masked)(void *ctx, unsigned int line);
};

struct vt_line {
    const struct vt_line_ops *ops;
    void *ctx;
    unsigned int line;
};

#endif
