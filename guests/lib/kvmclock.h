/* KVM's paravirtual clock as a guest reads it (Linux, Documentation/virt/kvm/x86/msr.rst). */
#ifndef GUESTS_LIB_KVMCLOCK_H
#define GUESTS_LIB_KVMCLOCK_H

#include <stdint.h>

#include "guests/lib/io.h"

#define MSR_WALL_CLOCK  0x4B564D00
#define MSR_SYSTEM_TIME 0x4B564D01

/* What the hypervisor keeps in the guest's memory; its version is odd while it changes. */
struct kvmclock {
    uint32_t version, pad0;
    uint64_t tsc_timestamp, system_time;
    uint32_t mul;
    int8_t shift;
    uint8_t flags, pad1[2];
};

/* System time now, in ns. */
static inline uint64_t kvmclock_read(const volatile struct kvmclock *page)
{
    uint64_t ns;
    uint32_t version;

    do {
        version = page->version;
        uint64_t delta = rdtsc() - page->tsc_timestamp;

        delta = page->shift >= 0 ? delta << page->shift : delta >> -page->shift;
        ns = page->system_time + (uint64_t)((unsigned __int128)delta * page->mul >> 32);
    } while ((version & 1) != 0 || version != page->version);
    return ns;
}

#endif
