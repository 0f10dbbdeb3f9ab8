/* The ACPI power management timer: 14318180/4 Hz, 24 or 32 bits, never stopped, never written.
 * Source: ACPI 6.4, 4.8.3.3 (timer) and 4.8.3.1 (TMR_STS and TMR_EN in the PM1 event block).
 *
 * The owner of the PM1 event block (vmm/) keeps PM1_STS and PM1_EN and asks here for bit 0 of each. */
#ifndef TIMERS_PMTIMER_H
#define TIMERS_PMTIMER_H

#include <stdbool.h>
#include <stdint.h>
#include "timers/counter.h"
#include "timers/line.h"
#include "timers/vtime.h"

#define PMTIMER_HZ_NUM 14318180u
#define PMTIMER_HZ_DEN 4u

struct pmtimer {
    struct vtime *time;
    struct counter clock;
    struct vt_line sci; /* this timer's share of the SCI: high while TMR_STS and TMR_EN are both set */
    unsigned int bits;  /* 24 or 32 */
    bool status;        /* TMR_STS, as far as it is known */
    bool enabled;       /* TMR_EN */
    bool sci_level;
    uint64_t seen; /* toggles of the top bit that are in TMR_STS already */
    bool resync;   /* the queue's schedule is not exact: arm anew at each event */
    struct vtimer timer;
};

/* Call once. wide: 32 bits, as the FADT's TMR_VAL_EXT says, else 24. Attaches the queue entry (target: vCPU
 * 0). */
void pmtimer_init(struct pmtimer *p, struct vtime *time, struct vt_line sci, bool wide);

/* TMR_STS and TMR_EN clear; the count goes on. */
void pmtimer_reset(struct pmtimer *p);

/* TMR_VAL, the upper bits zero. An incident. */
uint32_t pmtimer_read(struct pmtimer *p);

/* TMR_STS: set at each change of the count's top bit. An incident. */
bool pmtimer_status(struct pmtimer *p);

/* The guest writes a one to TMR_STS. An incident. */
void pmtimer_clear_status(struct pmtimer *p);

/* The guest writes TMR_EN. An incident. */
void pmtimer_set_enabled(struct pmtimer *p, bool enabled);

/* Pure: the count at `at`. */
uint32_t pmtimer_count(const struct pmtimer *p, at_t at);

#endif
