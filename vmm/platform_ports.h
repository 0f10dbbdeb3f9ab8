/* The virtual PC's port map: claims all of its I/O ports (vmm/platform_ports.c). */
#ifndef VMM_PLATFORM_PORTS_H
#define VMM_PLATFORM_PORTS_H

struct vm;

void platform_claim_ports(struct vm *vm);

#endif
