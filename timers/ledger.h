/* The ledger (DESIGN.md 2.12): where every tick of real time and every timer event went, exactly. */
#ifndef TIMERS_LEDGER_H
#define TIMERS_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/types.h"

struct vtime;
struct vtimer;

/* What a VM's time keeps as it goes; read it through vtime_ledger(). */
struct vt_account {
    rt_t start;         /* RT at vtime_init() */
    at_t run;           /* AT that ran, up to AT_L */
    at_t leapt;         /* AT jumped over in leaps */
    rt_t paused;        /* RT spent in vtime_pause(), up to the last unpause */
    uint64_t leaps;     /* how many leaps */
    uint64_t catchups;  /* how many times normal mode was left */
    int64_t max_lag;    /* the largest lag at an event or a resumption */
    rt_t max_latency;   /* the largest delay of a delivery behind its RT_N while the VM had the processor */
    at_t max_overshoot; /* how far an exit-free TSC passed an undelivered event (DESIGN.md 2.10) */
};

/* What a timer keeps as it goes; read it through vtime_ticks(). */
struct vt_ticks_account {
    uint64_t due_before; /* events that were due under the schedules before the present one */
    uint64_t delivered;
    uint64_t merged;
    uint64_t dropped;
    uint64_t cancelled;
};

/* One VM's time at the latched RT_C: elapsed = run + leapt + lag + paused, and at = run + leapt. */
struct vt_ledger {
    rt_t elapsed; /* RT since the VM's start */
    at_t at;      /* AT_C */
    at_t run;
    at_t leapt;
    int64_t lag; /* negative: AT is ahead (K2 > 0) */
    rt_t paused;
    uint64_t leaps;
    uint64_t catchups;
    int64_t max_lag;
    rt_t max_latency;
    at_t max_overshoot;
};

/* One timer's events at the latched RT_C: due = delivered + merged + dropped + cancelled + pending.
 * `due` counts the events of its schedules whose normal real time (NRT) has come, or whose AT has; `pending`
 * those of them that still wait. The two are counted independently of each other. */
struct vt_ticks {
    uint64_t due;
    uint64_t delivered;
    uint64_t merged;    /* by the guest itself: masked, or not taken in its own time */
    uint64_t dropped;   /* in leaps ([0112]) */
    uint64_t cancelled; /* the guest cleared or reprogrammed the timer while they were pending */
    uint64_t pending;
};

/* Both may be called at any moment except from an event callback; they change nothing. */
void vtime_ledger(const struct vtime *t, struct vt_ledger *out);
void vtime_ticks(const struct vtime *t, const struct vtimer *timer, struct vt_ticks *out);

/* True if both identities hold for the VM and for each of its timers. */
bool vtime_balances(const struct vtime *t);

#endif
