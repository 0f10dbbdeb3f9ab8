/* The guest's breakpoint addresses: they stay in DR0-DR3 from load to save. DR7, which every exit sets to
 * 400h, keeps them off the host (SDM vol. 3, 28.5.1; APM vol. 2, 15.6). */
#ifndef ARCH_X86_GUEST_DEBUG_H
#define ARCH_X86_GUEST_DEBUG_H

#include <stdint.h>

#include "arch/x86/cpu.h"

static inline void guest_breakpoints_load(const uint64_t dr[4])
{
    write_dr0(dr[0]);
    write_dr1(dr[1]);
    write_dr2(dr[2]);
    write_dr3(dr[3]);
}

static inline void guest_breakpoints_save(uint64_t dr[4])
{
    dr[0] = read_dr0();
    dr[1] = read_dr1();
    dr[2] = read_dr2();
    dr[3] = read_dr3();
}

#endif
