/* KVM's paravirtual clock ("kvm-clock"): a guest that knows it reads the time from its TSC and a page of
 * parameters that the hypervisor writes, without an exit. Linux uses it by itself.
 * Source: Linux, Documentation/virt/kvm/x86/msr.rst and cpuid.rst (leaves: vmm/cpuid.c).
 *
 * System time is apparent time since the VM's start in nanoseconds. A guest's TSC is apparent time plus an
 * offset at every slope of apparent time, so the parameters describe one straight line for ever. They are
 * written anew when the offset changes, and once a second where 32 bits do not hold the slope exactly: a
 * slope that is rounded down falls behind by up to 1 in 2^31, 0.47 ns a second.
 *
 * All is rounded down, so a guest never reads a time after the apparent one, and no rewrite steps back. */
#ifndef VMM_PVCLOCK_H
#define VMM_PVCLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "timers/types.h"

struct vcpu;
struct vm;

/* The registers; the old numbers do the same (CPUID 40000001h EAX bits 3 and 0). */
#define MSR_KVM_WALL_CLOCK_OLD  0x11u
#define MSR_KVM_SYSTEM_TIME_OLD 0x12u
#define MSR_KVM_WALL_CLOCK      0x4b564d00u
#define MSR_KVM_SYSTEM_TIME     0x4b564d01u

#define PVCLOCK_ENABLE 1ull /* bit 0 of the system time register; the rest is the page's address */

/* What the guest reads. time = system_time + ((TSC - tsc_timestamp) << tsc_shift) * mul >> 32; a negative
 * shift shifts to the right. */
struct pvclock_time {
    uint32_t version; /* odd while the rest is being written */
    uint32_t pad0;
    uint64_t tsc_timestamp;
    uint64_t system_time; /* ns */
    uint32_t mul;
    int8_t shift;
    uint8_t flags;
    uint8_t pad1[2];
};
_Static_assert(sizeof(struct pvclock_time) == 32, "msr.rst: pvclock_vcpu_time_info");

#define PVCLOCK_TSC_STABLE 1u /* one line for all processors: reads may be compared across them */

struct pvclock_wall {
    uint32_t version;
    uint32_t sec; /* since 1970, UTC, at system time 0 */
    uint32_t nsec;
};
_Static_assert(sizeof(struct pvclock_wall) == 12, "msr.rst: pvclock_wall_clock");

/* One nanosecond over one TSC tick as the guest multiplies: mul * 2^(shift - 32), mul >= 2^31. */
struct pvclock_scale {
    uint32_t mul;
    int8_t shift;
    bool exact; /* else too small, by less than 1 in 2^31 */
};

/* hz: 1 to 2^62. */
struct pvclock_scale pvclock_scale(uint64_t hz);

/* Of a VM. */
struct pvclock {
    uint64_t wall_msr;
    rt_t rewrite_at; /* when the lines have to be written anew; RT_NEVER: they are exact, or none is asked for
                      */
};

/* Of a vCPU. */
struct pvclock_line {
    uint64_t msr;     /* the system time register, as written */
    uint32_t version; /* counted here: what the guest does to its copy does no harm */
};

/* True if the VM has the clock (pvclock=on). One whose RTC starts past 32 bits of seconds, in 2106, has none:
 * the wall clock could not say so. */
bool pvclock_offered(const struct vm *vm);

/* Power-up: no page is written any more. */
void pvclock_reset(struct vcpu *vcpu);
/* INIT: this vCPU's is not. */
void pvclock_stop(struct vcpu *vcpu);

/* RDMSR and WRMSR of the four registers. False: #GP(0), the VM has no such clock. An address that cannot be
 * written to (not in RAM, not a multiple of 4, across a page's end) is kept and not used, as KVM does. A
 * write is an incident. */
bool pvclock_msr_read(struct vcpu *vcpu, uint32_t index, uint64_t *value);
bool pvclock_msr_write(struct vcpu *vcpu, uint32_t index, uint64_t value);

/* Writes the line of every vCPU that asked for one. For whoever changes how a vCPU's TSC follows apparent
 * time (a write to TSC or TSC_ADJUST, a reset). A change of slope changes nothing as long as the TSC follows
 * it; should that end, call this at the change, with the VM's vCPUs out of the guest. An incident if any line
 * is there. */
void pvclock_rewrite(struct vm *vm);

/* Once in a turn of the run loop. */
void pvclock_poll(struct vm *vm);

#endif
