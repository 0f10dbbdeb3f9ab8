/* Notices a processor that makes no progress: an NMI that comes 18 times a second finds that for watchdog=
 * the processor has neither gone round its loop nor left a guest, and the panic says where it is. So it does
 * if the TSC goes back. The same NMI takes a guest out whose timer interrupt was lost. The boot processor has
 * the tick, and relays it to the others. */
#ifndef KERNEL_WATCHDOG_H
#define KERNEL_WATCHDOG_H

#include <stdint.h>

/* ns: watchdog=; 0: off. After processors_start(). Boot processor. */
void watchdog_start(uint64_t ns);
/* Before what may take long and is no fault. */
void watchdog_stop(void);

#endif
