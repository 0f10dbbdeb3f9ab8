/* There is no firmware code. A guest that calls it would run through memory from where its empty vectors
 * lead, and end somewhere, or never; so each real-mode vector leads to a HLT of its own, and a guest that
 * comes there ends with the call that it made. Interrupts and exceptions for which it has no vector come
 * there, too. */
#ifndef VMM_NO_BIOS_H
#define VMM_NO_BIOS_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

#define NO_BIOS_OFFSET  0x500u /* in segment 0, of 256 HLTs, a vector's each: behind the BIOS data area */
#define NO_BIOS_VECTORS 256u

/* Writes the vectors and what they lead to; at each (re)start, before the images are loaded. */
void no_bios_write(struct vm *vm);

/* May a HLT at this RIP be one of these? no_bios_called() says it: true if it was, and has ended the VM. Of
 * the vCPU that has come to it, with its VM's lock. */
static inline bool no_bios_is(uint64_t rip)
{
    return rip - NO_BIOS_OFFSET < NO_BIOS_VECTORS;
}
bool no_bios_called(struct vcpu *vcpu);

#endif
