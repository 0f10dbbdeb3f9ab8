/* A guest's x87, SSE, AVX and AVX-512 state. The kernel is compiled without any of these, so the state stays
 * in the processor from load to save, exits and all. XSAVE where the processor has it, else FXSAVE. */
#ifndef ARCH_X86_FPU_H
#define ARCH_X86_FPU_H

#include <stdbool.h>
#include <stdint.h>

struct guest_fpu {
    void *area; /* XSAVE or FXSAVE image; valid while not loaded */
    uint64_t xcr0;
    bool loaded;
};

/* Once on each processor, before any other. */
void fpu_enable(void);

/* The save area. False: memory is out. */
bool fpu_create(struct guest_fpu *fpu);
void fpu_destroy(struct guest_fpu *fpu);
/* The state after power-up (SDM vol. 3, table 10-1), XCR0 included. Not while loaded. */
void fpu_reset(struct guest_fpu *fpu);

/* Into the processor and out of it again, XCR0 included. */
void fpu_load(struct guest_fpu *fpu);
void fpu_save(struct guest_fpu *fpu);

/* The guest's XCR0. In the processor it is the guest's own while loaded. Bits that are not switched stay off,
 * whoever asks for them here. */
uint64_t fpu_xcr0(const struct guest_fpu *fpu);
void fpu_set_xcr0(struct guest_fpu *fpu, uint64_t value);

#endif
