/* The I/O APIC: see ioapic.h. */
#include "vmm/ioapic.h"

#include "vmm/string.h"

/* Offsets in the register window's page, and the registers behind it (data sheet 3.1, 3.2). */
#define IOREGSEL        0x00u
#define IOWIN           0x10u
#define REG_ID          0x00u
#define REG_VER         0x01u
#define REG_ARB         0x02u
#define REG_REDTBL      0x10u
#define ID_SHIFT        24
#define MAX_ENTRY_SHIFT 16

#define RTE_READ_ONLY (RTE_DELIVS | RTE_REMOTE_IRR)
#define RTE_WRITABLE                                                                                         \
    (RTE_VECTOR | RTE_MODE | RTE_LOGICAL | RTE_ACTIVE_LOW | RTE_LEVEL | RTE_MASKED |                         \
     (0xffull << RTE_DEST_SHIFT))

void ioapic_init(struct ioapic *io, uint8_t id, ioapic_deliver_fn deliver, void *ctx)
{
    memset(io, 0, sizeof *io);
    io->deliver = deliver;
    io->ctx = ctx;
    ioapic_reset(io, id);
}

void ioapic_reset(struct ioapic *io, uint8_t id)
{
    for (unsigned int i = 0; i < IOAPIC_INPUTS; i++)
        io->entries[i] = RTE_MASKED;
    io->select = 0;
    io->id = id & 0xf;
    io->arb = io->id;
}

/* Level-triggered handshaking is for interrupts with a vector only; the other modes are edges whatever bit 15
 * says (data sheet 3.2.4, bits 10:8). */
static bool is_level(uint64_t entry)
{
    uint64_t mode = (entry & RTE_MODE) >> RTE_MODE_SHIFT;
    return (entry & RTE_LEVEL) && (mode == APIC_FIXED || mode == APIC_LOWEST);
}

/* The destination has eight bits as in every later chip and in the local APICs' registers; the 82093AA itself
 * used four of them in physical mode. */
struct apic_message ioapic_message(const struct ioapic *io, unsigned int input)
{
    uint64_t entry = io->entries[input];
    return (struct apic_message){
        .vector = (uint8_t)(entry & RTE_VECTOR),
        .mode = (uint8_t)((entry & RTE_MODE) >> RTE_MODE_SHIFT),
        .shorthand = APIC_DEST_FIELD,
        .dest = apic_dest8((uint32_t)(entry >> RTE_DEST_SHIFT)),
        .logical = (entry & RTE_LOGICAL) != 0,
        .level = is_level(entry),
    };
}

bool ioapic_masked(const struct ioapic *io, unsigned int input)
{
    return (io->entries[input] & RTE_MASKED) != 0;
}

static enum apic_result send(struct ioapic *io, unsigned int input)
{
    struct apic_message message = ioapic_message(io, input);
    enum apic_result result = io->deliver(io->ctx, &message);
    /* Remote IRR stands for a local APIC that has accepted it: if none did, the line's next look tries again.
     */
    if (message.level && result != APIC_NO_TARGET)
        io->entries[input] |= RTE_REMOTE_IRR;
    return result;
}

/* Sends for a level-triggered input that is asserted and not in service. */
static enum apic_result look_at_level(struct ioapic *io, unsigned int input)
{
    uint64_t entry = io->entries[input];
    if (!is_level(entry) || (entry & RTE_MASKED) || !(io->lines & (1u << input)))
        return APIC_NO_TARGET;
    if (entry & RTE_REMOTE_IRR)
        return APIC_MERGED;
    return send(io, input);
}

enum apic_result ioapic_raise(struct ioapic *io, unsigned int input)
{
    io->lines |= 1u << input;
    if (is_level(io->entries[input]))
        return look_at_level(io, input);
    if (ioapic_masked(io, input))
        return APIC_NO_TARGET;
    return send(io, input);
}

void ioapic_lower(struct ioapic *io, unsigned int input)
{
    io->lines &= ~(1u << input);
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
    for (unsigned int i = 0; i < IOAPIC_INPUTS; i++) {
        if ((io->entries[i] & RTE_VECTOR) != vector || !(io->entries[i] & RTE_REMOTE_IRR))
            continue;
        io->entries[i] &= ~RTE_REMOTE_IRR;
        look_at_level(io, i);
    }
}

static uint32_t read_register(const struct ioapic *io)
{
    if (io->select == REG_ID)
        return (uint32_t)io->id << ID_SHIFT;
    if (io->select == REG_VER)
        return (IOAPIC_INPUTS - 1) << MAX_ENTRY_SHIFT | IOAPIC_VERSION;
    if (io->select == REG_ARB)
        return (uint32_t)io->arb << ID_SHIFT;
    unsigned int half = io->select - REG_REDTBL;
    if (io->select < REG_REDTBL || half >= 2 * IOAPIC_INPUTS)
        return 0;
    uint64_t entry = io->entries[half / 2];
    return (uint32_t)(half & 1 ? entry >> 32 : entry);
}

static void write_entry(struct ioapic *io, unsigned int half, uint32_t value)
{
    unsigned int input = half / 2;
    uint64_t old = io->entries[input];
    uint64_t entry =
        half & 1 ? (old & UINT32_MAX) | (uint64_t)value << 32 : (old & ~(uint64_t)UINT32_MAX) | value;
    entry = (entry & RTE_WRITABLE) | (old & RTE_READ_ONLY);
    /* Remote IRR has no meaning for an edge (data sheet, bit 14). With no EOI register, setting an entry to
     * edge and back is how system software ends a stuck level interrupt. */
    if (!is_level(entry))
        entry &= ~RTE_REMOTE_IRR;
    io->entries[input] = entry;
    look_at_level(io, input);
}

static void write_register(struct ioapic *io, uint32_t value)
{
    if (io->select == REG_ID) {
        io->id = (value >> ID_SHIFT) & 0xf;
        io->arb = io->id;
        return;
    }
    unsigned int half = io->select - REG_REDTBL;
    if (io->select >= REG_REDTBL && half < 2 * IOAPIC_INPUTS)
        write_entry(io, half, value);
}

uint64_t ioapic_mmio_read(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size)
{
    const struct ioapic *io = self;
    unsigned int shift = (unsigned int)(offset & 3) * 8;
    (void)vcpu;
    (void)size;
    if ((offset & ~3ull) == IOREGSEL)
        return (uint32_t)io->select >> shift;
    if ((offset & ~3ull) == IOWIN)
        return read_register(io) >> shift;
    return UINT64_MAX;
}

/* IOREGSEL takes narrow writes, being eight bits wide; IOWIN 32-bit ones only (data sheet 3.1.2). */
void ioapic_mmio_write(void *self, struct vcpu *vcpu, uint64_t offset, unsigned int size, uint64_t value)
{
    struct ioapic *io = self;
    (void)vcpu;
    if (offset == IOREGSEL)
        io->select = (uint8_t)value;
    else if (offset == IOWIN && size == 4)
        write_register(io, (uint32_t)value);
}
