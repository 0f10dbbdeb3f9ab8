/* The I/O bus of one VM: see bus.h. */
#include "vmm/bus.h"

#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vcpu.h"

void bus_init(struct bus *bus)
{
    memset(bus, 0, sizeof *bus);
}

/*@ requires \valid_read(a) && \valid_read(b);
    requires a->base + a->length <= UINT64_MAX && b->base + b->length <= UINT64_MAX;
    assigns \nothing;
    ensures \result <==> \max(a->base, b->base) < \min(a->base + a->length, b->base + b->length) ||
      (a->length == 0 && b->base < a->base < b->base + b->length) ||
      (b->length == 0 && a->base < b->base < a->base + a->length); */
static bool overlaps(const struct bus_range *a, const struct bus_range *b)
{
    return a->base < b->base + b->length && b->base < a->base + a->length;
}

static void claim(struct bus_range *map, unsigned int *used, unsigned int size, const struct bus_range *range)
{
    bool clash = false;
    for (unsigned int i = 0; i < *used; i++)
        clash |= !range->only && !map[i].only && overlaps(range, &map[i]);
    ASSERT(!clash);
    ASSERT(*used < size);
    ASSERT(range->base + range->length > range->base);
    if (*used < size)
        map[(*used)++] = *range;
}

void bus_claim_ports(struct bus *bus, const struct bus_range *range)
{
    claim(bus->ports, &bus->nports, BUS_MAX_PORTS, range);
    for (uint64_t port = range->base; port < range->base + range->length && port < BUS_FAST_PORTS; port++)
        bus->port_map[port] = (uint8_t)bus->nports;
}

void bus_claim_mmio(struct bus *bus, const struct bus_range *range)
{
    claim(bus->mmio, &bus->nmmio, BUS_MAX_MMIO, range);
}

void bus_move_mmio(struct bus *bus, void *self, uint64_t base, bool enabled)
{
    for (unsigned int i = 0; i < bus->nmmio; i++) {
        if (bus->mmio[i].self != self)
            continue;
        bus->mmio[i].base = base;
        bus->mmio[i].off = !enabled;
    }
}

/* ---- lookup ---- */

enum space { SPACE_PORTS, SPACE_MMIO };

/* In whole numbers: no sum of an address and a size can wrap into a range. */
/*@ requires \valid_read(r);
    assigns \nothing;
    ensures \result <==> r->base <= address && address + size <= r->base + r->length; */
static bool holds(const struct bus_range *r, uint64_t address, unsigned int size)
{
    return address >= r->base && r->length >= size && address - r->base <= r->length - size;
}

/* A guest that calibrates a clock polls a port, and what it measures is the way through here: no search
 * where devices usually are. */
/*@ requires \valid_read(bus) && bus->nports <= BUS_MAX_PORTS && port <= 0xffff + 3;
    requires \forall integer p; 0 <= p < BUS_FAST_PORTS ==> bus->port_map[p] <= bus->nports;
    assigns \nothing;
    ensures \result == \null || (\exists integer i; 0 <= i < bus->nports && \result == &bus->ports[i]); */
static const struct bus_range *find_port(const struct bus *bus, uint64_t port)
{
    if (port < BUS_FAST_PORTS)
        return bus->port_map[port] ? &bus->ports[bus->port_map[port] - 1] : NULL;
    /*@ loop invariant 0 <= i <= bus->nports;
        loop assigns i;
        loop variant bus->nports - i; */
    for (unsigned int i = 0; i < bus->nports; i++)
        if (holds(&bus->ports[i], port, 1))
            return &bus->ports[i];
    return NULL;
}

/* A vCPU's own range comes before all others. */
static const struct bus_range *find_mmio(const struct bus *bus, const struct vcpu *vcpu, uint64_t gpa,
                                         unsigned int size)
{
    const struct bus_range *found = NULL;
    for (unsigned int i = 0; i < bus->nmmio; i++) {
        const struct bus_range *r = &bus->mmio[i];
        if (r->off || (r->only && r->only != vcpu) || !holds(r, gpa, size))
            continue;
        if (r->only)
            return r;
        found = r;
    }
    return found;
}

/* The device that takes all of [address, address + size) at once; NULL if there is none. */
static const struct bus_range *find(const struct bus *bus, enum space space, const struct vcpu *vcpu,
                                    uint64_t address, unsigned int size)
{
    const struct bus_range *r =
        space == SPACE_PORTS ? find_port(bus, address) : find_mmio(bus, vcpu, address, size);
    if (!r || !holds(r, address, size))
        return NULL;
    bool whole = r->width == 0 || (size <= r->width && (address & (size - 1)) == 0);
    return whole ? r : NULL;
}

/* ---- access ---- */

static inline uint64_t low_bytes(uint64_t value, unsigned int size)
{
    return size >= 8 ? value : value & ((1ull << (size * 8)) - 1);
}

static inline uint64_t range_read(const struct bus_range *r, struct vcpu *vcpu, uint64_t address,
                                  unsigned int size)
{
    if (!r->read)
        return low_bytes(UINT64_MAX, size);
    if (!(r->quiet & BUS_QUIET_READ))
        vcpu->quiet = false;
    return low_bytes(r->read(r->self, vcpu, address - r->base, size), size);
}

static inline void range_write(const struct bus_range *r, struct vcpu *vcpu, uint64_t address,
                               unsigned int size, uint64_t value)
{
    if (!r->write)
        return;
    if (!(r->quiet & BUS_QUIET_WRITE))
        vcpu->quiet = false;
    r->write(r->self, vcpu, address - r->base, size, low_bytes(value, size));
}

/* Halves an access until each piece fits a device: the bytes go out in the order of their addresses, as a bus
 * controller does it for a narrow device. The depth is that of 8 -> 4 -> 2 -> 1. */
static uint64_t read_pieces(const struct bus *bus, enum space space, struct vcpu *vcpu, uint64_t address,
                            unsigned int size)
{
    const struct bus_range *r = find(bus, space, vcpu, address, size);
    if (r)
        return range_read(r, vcpu, address, size);
    if (size == 1)
        return low_bytes(UINT64_MAX, size);
    unsigned int half = size / 2;
    uint64_t low = read_pieces(bus, space, vcpu, address, half);
    return low | read_pieces(bus, space, vcpu, address + half, size - half) << (half * 8);
}

static void write_pieces(const struct bus *bus, enum space space, struct vcpu *vcpu, uint64_t address,
                         unsigned int size, uint64_t value)
{
    const struct bus_range *r = find(bus, space, vcpu, address, size);
    if (r) {
        range_write(r, vcpu, address, size, value);
        return;
    }
    if (size == 1)
        return;
    unsigned int half = size / 2;
    write_pieces(bus, space, vcpu, address, half, value);
    write_pieces(bus, space, vcpu, address + half, size - half, value >> (half * 8));
}

/* The usual case of find(): a register of a byte, or the only one that there is. NULL: ask find(). */
static inline const struct bus_range *find_register(const struct bus *bus, uint16_t port, unsigned int size)
{
    unsigned int i = port < BUS_FAST_PORTS ? bus->port_map[port] : 0;

    if (i == 0)
        return NULL;
    const struct bus_range *r = &bus->ports[i - 1];
    return size == 1 || (size == r->width && port == r->base) ? r : NULL;
}

uint64_t bus_port_read(struct bus *bus, struct vcpu *vcpu, uint16_t port, unsigned int size)
{
    const struct bus_range *r = find_register(bus, port, size);

    return r ? range_read(r, vcpu, port, size) : read_pieces(bus, SPACE_PORTS, vcpu, port, size);
}

void bus_port_write(struct bus *bus, struct vcpu *vcpu, uint16_t port, unsigned int size, uint64_t value)
{
    const struct bus_range *r = find_register(bus, port, size);

    if (r)
        range_write(r, vcpu, port, size, value);
    else
        write_pieces(bus, SPACE_PORTS, vcpu, port, size, value);
}

uint64_t bus_mmio_read(struct bus *bus, struct vcpu *vcpu, uint64_t gpa, unsigned int size)
{
    return read_pieces(bus, SPACE_MMIO, vcpu, gpa, size);
}

void bus_mmio_write(struct bus *bus, struct vcpu *vcpu, uint64_t gpa, unsigned int size, uint64_t value)
{
    write_pieces(bus, SPACE_MMIO, vcpu, gpa, size, value);
}
