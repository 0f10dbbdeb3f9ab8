/* What the processor's VMX can do, and the control words that follow from it. Pure: the MSRs are read
 * elsewhere (enable.c), so this compiles natively for its test. */
#ifndef ARCH_X86_VMX_CAPS_H
#define ARCH_X86_VMX_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* IA32_FEATURE_CONTROL and the capability MSRs as read; the control words are the TRUE ones where VMX_BASIC
 * bit 55 says that there are such (SDM vol. 3, appendix A.2). proc2 and ept_vpid are 0 where the processor
 * has no secondary controls. */
struct vmx_msrs {
    uint64_t feature_control;
    uint64_t basic;
    uint64_t pin, proc, proc2, exit, entry;
    uint64_t misc;
    uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
    uint64_t ept_vpid;
};

struct vmx_caps {
    uint32_t revision;         /* VMCS revision identifier */
    uint32_t pin, proc, proc2; /* the words that every vCPU starts with */
    uint32_t pause_proc,
        pause_proc2; /* added for a VM of several vCPUs: PAUSE-loop exiting, else PAUSE exiting */
    uint32_t exit, entry;
    uint64_t cr0_fixed0, cr0_fixed1;
    uint64_t cr4_fixed0, cr4_fixed1;
    uint64_t ept_flags;   /* bits of the EPT pointer beside the address: walk length, memory type */
    uint64_t invept_type; /* the narrowest that there is */
    uint64_t invvpid_type;
    uint8_t timer_rate; /* the preemption timer counts each 2^rate TSC ticks */
    bool ept_2m;
};

/* Works the control words out: required | wanted, checked against the MSRs. False: the processor lacks
 * something, and why names it in one phrase. */
bool vmx_caps_resolve(const struct vmx_msrs *msrs, struct vmx_caps *out, char *why, size_t size);

/* Of two processors, in every member. */
bool vmx_caps_same(const struct vmx_caps *a, const struct vmx_caps *b);

/* The preemption timer's value for an exit at the first count at or after `deadline` (RT ticks), at most 32
 * bits; 0 if that has passed. The timer counts down when bit `rate` of the TSC changes (SDM vol. 3, 26.5.1).
 */
uint32_t vmx_timer_value(uint64_t now, uint64_t deadline, unsigned int rate);

#endif
