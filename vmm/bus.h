/* The I/O bus of one VM: which device answers which port and which guest-physical address.
 *
 * The port map is one array of designated ranges, the memory map another (vmm/platform.c fills them at
 * start); unclaimed reads are all ones, unclaimed writes are dropped (DESIGN.md section 4). */
#ifndef VMM_BUS_H
#define VMM_BUS_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* size is 1, 2, 4 (ports) or 1, 2, 4, 8 (memory). A read returns the value in the low bits. `self` is the
 * device, `vcpu` the virtual CPU that does the access. `offset` is the port or address less the range's base.
 */
typedef uint64_t (*bus_read_fn)(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size);
typedef void (*bus_write_fn)(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size,
                             uint64_t value);

/* A read, or a write, clears vcpu->quiet (vmm/vcpu.h) itself if there is reason to; without, the bus does. */
#define BUS_QUIET_READ  (1u << 0)
#define BUS_QUIET_WRITE (1u << 1)

struct bus_range {
    uint64_t base;
    uint64_t length;
    bus_read_fn read;   /* NULL: reads are all ones */
    bus_write_fn write; /* NULL: writes are dropped */
    void *self;
    const char *name;
    unsigned int width; /* widest access that the device takes whole, in bytes; 0: any */
    struct vcpu *only;  /* answers this vCPU alone (its local APIC's page); NULL: all */
    bool off;           /* claimed, but not answering now */
    unsigned int quiet; /* BUS_QUIET_* */
};

#define BUS_MAX_PORTS  32
#define BUS_MAX_MMIO   16
#define BUS_FAST_PORTS 0x1000 /* ports below are found without a search: all that a PC without PCI has */

struct bus {
    uint8_t port_map[BUS_FAST_PORTS]; /* index in ports[] of the range that a port belongs to, plus 1 */
    struct bus_range ports[BUS_MAX_PORTS];
    struct bus_range mmio[BUS_MAX_MMIO];
    unsigned int nports;
    unsigned int nmmio;
};

void bus_init(struct bus *bus);
/* Claims a range; ranges do not overlap (asserted), except that one vCPU's own lies over all others, as the
 * local APIC takes an access before it reaches the bus. */
void bus_claim_ports(struct bus *bus, const struct bus_range *range);
void bus_claim_mmio(struct bus *bus, const struct bus_range *range);
/* Moves a claimed range (IA32_APIC_BASE, FADT has none of it): self names it. */
void bus_move_mmio(struct bus *bus, void *self, uint64_t base, bool enabled);

/* Of a value to write the low `size` bytes count. An access that is wider than its device or crosses ranges
 * is split into bytes as the ISA bus does. */
uint64_t bus_port_read(struct bus *bus, struct vcpu *vcpu, uint16_t port, unsigned int size);
void bus_port_write(struct bus *bus, struct vcpu *vcpu, uint16_t port, unsigned int size, uint64_t value);
uint64_t bus_mmio_read(struct bus *bus, struct vcpu *vcpu, uint64_t gpa, unsigned int size);
void bus_mmio_write(struct bus *bus, struct vcpu *vcpu, uint64_t gpa, unsigned int size, uint64_t value);

#endif
