/* How fast apparent time runs: a VM's policy, and figure 5C ([0091]-[0095], [0115], DESIGN.md 2.3 and 2.8).
 */
#ifndef TIMERS_RATE_H
#define TIMERS_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/types.h"

/* A rate, AT over RT. den is never 0. Below 2^63 each; a rate is at least one (num >= den). */
struct vt_ratio {
    uint64_t num;
    uint64_t den;
};

enum vt_mode {
    VT_NORMAL,
    VT_CATCHUP,
    VT_LEAP, /* of an event only: delivered in a leap. A VM's mode after it is normal */
};

enum vt_rate { VT_RATE_FIXED, VT_RATE_ADAPTIVE };
enum vt_gap { VT_GAP_SMOOTH, VT_GAP_JUMP };
enum vt_hyst { VT_HYST_5C, VT_HYST_RTC, VT_HYST_ARTP };

#define VT_NO_LEAP RT_NEVER

/* A VM's policy; all times in RT ticks. May be changed live: the next decision of figure 5C uses it. */
struct vtime_policy {
    enum vt_rate rate;
    struct vt_ratio c;       /* rate fixed: C */
    struct vt_ratio maxrate; /* rate adaptive: the most C may be */
    uint64_t tau;            /* rate adaptive: AT runs at twice RT when it is this far behind; never 0 */
    rt_t k1;
    rt_t k2;
    rt_t leap;     /* the threshold of [0112], or VT_NO_LEAP */
    rt_t progress; /* M of [0111]: what vtime_attach() gives each timer */
    rt_t round; /* SMP: how long M and an acknowledgement may keep the VM waiting for a vCPU that is not on a
                   processor, in RT during which the VM runs: one scheduler round. RT_NEVER: no bound */
    enum vt_gap gap;
    enum vt_hyst hyst;
};

/* The defaults of a VM in the kernel: adaptive up to maxrate 4, k1=0 k2=0 leap=60s progress=50us gap=smooth
 * hyst=5c, round=100ms, for an RT that runs at hz (the caller raises maxrate and round with the number of
 * VMs). */
struct vtime_policy vtime_policy_defaults(uint64_t hz);

/* The policy of the patent's own example (figure 7): C=2, no leap, no progress, gap=smooth. Units are
 * abstract. */
struct vtime_policy vtime_policy_figure7(void);

/* True if the policy can be used: rates of at least one, no zero denominators, tau not 0, times below 2^63.
 */
bool vtime_policy_valid(const struct vtime_policy *p);

/* An exact moment of real time: whole + num/den, num < den. */
struct vt_moment {
    rt_t whole;
    uint64_t num;
    uint64_t den;
};

/* What figure 5C is asked about. All of it at the moment of the decision, RT_C. */
struct vt_question {
    rt_t rt_c;
    at_t at_l;
    rt_t rt_l;
    at_t at_n;
    rt_t nrt_n; /* NRT_P + (AT_N - AT_P) */
    rt_t nrt_p;
    rt_t art_p;
    int64_t lag;        /* AT_P + (RT_C - NRT_P) - AT_L */
    bool without_event; /* the head changed without an event, or a resumption: the lag counts too */
};

/* The rate at which AT may catch up when it is `lag` behind: C, or the adaptive policy's answer. */
struct vt_ratio vt_rate_for(const struct vtime_policy *p, int64_t lag);

/* Figure 5C: the mode for the next event, from the mode so far. *fast is set to FAST in any case. */
enum vt_mode vt_decide_mode(const struct vtime_policy *p, const struct vt_question *q, enum vt_mode mode,
                            struct vt_ratio c, struct vt_moment *fast);

/* The first whole unit not before the moment: when an event of that RT_N is delivered. */
rt_t vt_moment_ceil(const struct vt_moment *m);

#endif
