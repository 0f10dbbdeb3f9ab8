/* The 8254 programmable interval timer and port 61h: three counters on one clock of 14318180/12 Hz.
 * Sources: Intel 8254 data sheet (231164), its headings in pit_channel.c; port 61h: ICH9 data sheet, NMI_SC.
 *
 * A counter is (the tick it was loaded at, the count it was loaded with); what it shows at an AT is computed.
 * Only channel 0 has an interrupt, so only it has an entry in the timer event queue. Locking: the caller
 * serialises per VM, as for all of timers/. */
#ifndef TIMERS_PIT_H
#define TIMERS_PIT_H

#include <stdbool.h>
#include <stdint.h>
#include "timers/counter.h"
#include "timers/line.h"
#include "timers/pit_channel.h"
#include "timers/vtime.h"

#define PIT_PORT_COUNTER0 0x40u
#define PIT_PORT_COUNTER1 0x41u
#define PIT_PORT_COUNTER2 0x42u
#define PIT_PORT_CONTROL  0x43u
#define PIT_PORT_NMI_SC   0x61u

#define PIT_HZ_NUM 14318180u
#define PIT_HZ_DEN 12u

#define PIT_CHANNELS 3u

struct pit {
    struct vtime *time;
    struct counter clock;
    struct vt_line irq; /* OUT of channel 0 */
    bool irq_level;     /* the level last given to the line */
    bool parked;        /* the line was masked at the last event: out of the queue until pit_listen() */
    uint8_t nmi_sc;     /* port 61h: the writable bits 0-3 */
    struct pit_channel channel[PIT_CHANNELS];
    struct vtimer timer; /* rising edges of channel 0's OUT */
};

/* Call once; attaches the queue entry (target: vCPU 0) and resets. The line is channel 0's OUT. */
void pit_init(struct pit *p, struct vtime *time, struct vt_line irq);

/* The state in which a PC's firmware leaves it: channel 0 mode 3 with count 65536 (18.2 Hz), channel 1 mode 2
 * with count 18 (refresh), channel 2 mode 3 with its gate low. Also the way back from a guest's reset. */
void pit_reset(struct pit *p);

/* A periodic channel 0 whose line is masked has no queue entry; it gets one again, on its grid, when the line
 * has been unmasked. To be called after whatever may have done that; costs nothing otherwise. */
void pit_listen(struct pit *p);

/* A byte from or to one of the ports above (absolute numbers); others read as all ones and drop writes. An
 * incident. */
uint8_t pit_read(struct pit *p, uint16_t port);
void pit_write(struct pit *p, uint16_t port, uint8_t value);

/* Pure: OUT and the counting element (binary or BCD as programmed) of a channel (0-2) at `at`, if nothing is
 * written until then. `at` is not before the latest write. For monitors and tests. */
bool pit_get_out(const struct pit *p, unsigned int channel, at_t at);
uint16_t pit_get_count(const struct pit *p, unsigned int channel, at_t at);

/* Pure: the AT of the first rising edge of channel 0's OUT after `at`; AT_NEVER if there is none. */
at_t pit_next_edge(const struct pit *p, at_t at);

#endif
