/* The I/O bus of one VM: see bus.h. */
#include "vmm/bus.h"

#include "vmm/host.h"
#include "vmm/string.h"

void bus_init(struct bus *bus)
{
    memset(bus, 0, sizeof *bus);
}

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

/* The range that holds all of [address, address + size), a vCPU's own before all others; NULL if there is
 * none. */
static const struct bus_range *find(const struct bus_range *map, unsigned int used, const struct vcpu *vcpu,
                                    uint64_t address, unsigned int size)
{
    const struct bus_range *found = NULL;
    for (unsigned int i = 0; i < used; i++) {
        const struct bus_range *r = &map[i];
        if (r->off || (r->only && r->only != vcpu))
            continue;
        if (address < r->base || r->length < size || address - r->base > r->length - size)
            continue;
        if (r->only)
            return r;
        found = r;
    }
    return found;
}

static bool takes_whole(const struct bus_range *r, uint64_t address, unsigned int size)
{
    return r && (r->width == 0 || (size <= r->width && address % size == 0));
}

static uint64_t low_bytes(uint64_t value, unsigned int size)
{
    return size >= 8 ? value : value & ((1ull << (size * 8)) - 1);
}

/* Halves an access until each piece fits a device: the bytes go out in the order of their addresses, as a bus
 * controller does it for a narrow device. The depth is that of 8 -> 4 -> 2 -> 1. */
static uint64_t read_pieces(const struct bus_range *map, unsigned int used, struct vcpu *vcpu,
                            uint64_t address, unsigned int size)
{
    const struct bus_range *r = find(map, used, vcpu, address, size);
    if (takes_whole(r, address, size))
        return r->read ? low_bytes(r->read(r->self, vcpu, address - r->base, size), size)
                       : low_bytes(UINT64_MAX, size);
    if (size == 1)
        return 0xff;
    unsigned int half = size / 2;
    uint64_t low = read_pieces(map, used, vcpu, address, half);
    return low | read_pieces(map, used, vcpu, address + half, size - half) << (half * 8);
}

static void write_pieces(const struct bus_range *map, unsigned int used, struct vcpu *vcpu, uint64_t address,
                         unsigned int size, uint64_t value)
{
    const struct bus_range *r = find(map, used, vcpu, address, size);
    if (takes_whole(r, address, size)) {
        if (r->write)
            r->write(r->self, vcpu, address - r->base, size, low_bytes(value, size));
        return;
    }
    if (size == 1)
        return;
    unsigned int half = size / 2;
    write_pieces(map, used, vcpu, address, half, value);
    write_pieces(map, used, vcpu, address + half, size - half, value >> (half * 8));
}

uint64_t bus_port_read(struct bus *bus, struct vcpu *vcpu, uint16_t port, unsigned int size)
{
    return read_pieces(bus->ports, bus->nports, vcpu, port, size);
}

void bus_port_write(struct bus *bus, struct vcpu *vcpu, uint16_t port, unsigned int size, uint64_t value)
{
    write_pieces(bus->ports, bus->nports, vcpu, port, size, value);
}

uint64_t bus_mmio_read(struct bus *bus, struct vcpu *vcpu, uint64_t gpa, unsigned int size)
{
    return read_pieces(bus->mmio, bus->nmmio, vcpu, gpa, size);
}

void bus_mmio_write(struct bus *bus, struct vcpu *vcpu, uint64_t gpa, unsigned int size, uint64_t value)
{
    write_pieces(bus->mmio, bus->nmmio, vcpu, gpa, size, value);
}
