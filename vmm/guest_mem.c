/* Guest memory by logical and linear address (vmm/walk.h). */
#include "vmm/bus.h"
#include "vmm/cr.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"
#include "vmm/walk.h"

#define PAGE_SIZE 4096ull

/* Attribute bits of a segment (vmm/backend.h). */
#define SEG_CODE        (1u << 3)
#define SEG_EXPAND_DOWN (1u << 2) /* data */
#define SEG_WRITABLE    (1u << 1) /* data */
#define SEG_READABLE    (1u << 1) /* code */
#define SEG_LONG        (1u << 13)
#define SEG_BIG         (1u << 14)

/* An access by linear address: one piece for each page, at most two. */
struct piece {
    uint64_t gpa;
    size_t length;
};

static unsigned int split(struct vcpu *vcpu, uint64_t linear, size_t length, unsigned int access,
                          struct piece pieces[2], struct fault *fault)
{
    struct walk_regs regs;
    size_t first = (size_t)(PAGE_SIZE - linear % PAGE_SIZE);
    unsigned int n = length > first ? 2 : 1;

    ASSERT(length <= PAGE_SIZE);
    pieces[0].length = n == 2 ? first : length;
    pieces[1].length = length - pieces[0].length;
    walk_regs_get(vcpu, &regs);
    for (unsigned int i = 0; i < n; i++)
        if (!walk(vcpu->vm, &regs, linear + (i ? first : 0), access, &pieces[i].gpa, fault))
            return 0;
    return n;
}

/* The widest naturally aligned access at gpa: devices see what a processor would send them. */
static unsigned int device_width(uint64_t gpa, size_t length)
{
    unsigned int width = 8;
    while (width > length || gpa % width)
        width /= 2;
    return width;
}

static void read_piece(struct vcpu *vcpu, const struct piece *piece, uint8_t *buf)
{
    const void *ram = vm_ram(vcpu->vm, piece->gpa, piece->length);
    if (ram) {
        memcpy(buf, ram, piece->length);
        return;
    }
    for (size_t done = 0; done < piece->length;) {
        unsigned int width = device_width(piece->gpa + done, piece->length - done);
        uint64_t value = bus_mmio_read(&vcpu->vm->bus, vcpu, piece->gpa + done, width);
        memcpy(buf + done, &value, width);
        done += width;
    }
}

static void write_piece(struct vcpu *vcpu, const struct piece *piece, const uint8_t *buf)
{
    void *ram = vm_ram(vcpu->vm, piece->gpa, piece->length);
    if (ram) {
        memcpy(ram, buf, piece->length);
        return;
    }
    for (size_t done = 0; done < piece->length;) {
        unsigned int width = device_width(piece->gpa + done, piece->length - done);
        uint64_t value = 0;
        memcpy(&value, buf + done, width);
        bus_mmio_write(&vcpu->vm->bus, vcpu, piece->gpa + done, width, value);
        done += width;
    }
}

bool guest_probe(struct vcpu *vcpu, uint64_t linear, size_t length, unsigned int access, struct fault *fault)
{
    struct piece pieces[2];
    return split(vcpu, linear, length, access, pieces, fault) != 0;
}

bool guest_read(struct vcpu *vcpu, uint64_t linear, void *buf, size_t length, unsigned int access,
                struct fault *fault)
{
    struct piece pieces[2];
    unsigned int n = split(vcpu, linear, length, access, pieces, fault);

    for (unsigned int i = 0; i < n; i++)
        read_piece(vcpu, &pieces[i], (uint8_t *)buf + (i ? pieces[0].length : 0));
    return n != 0;
}

bool guest_write(struct vcpu *vcpu, uint64_t linear, const void *buf, size_t length, unsigned int access,
                 struct fault *fault)
{
    struct piece pieces[2];
    unsigned int n = split(vcpu, linear, length, access | ACCESS_WRITE, pieces, fault);

    for (unsigned int i = 0; i < n; i++)
        write_piece(vcpu, &pieces[i], (const uint8_t *)buf + (i ? pieces[0].length : 0));
    return n != 0;
}

unsigned int guest_mode(struct vcpu *vcpu)
{
    struct guest_segment cs;
    hv->get_segment(vcpu, SEG_CS, &cs);
    if ((cs.attr & SEG_LONG) && (hv->get_reg(vcpu, REG_EFER) & EFER_LMA))
        return 64;
    return cs.attr & SEG_BIG ? 32 : 16;
}

unsigned int guest_user(struct vcpu *vcpu)
{
    return vcpu_cpl(vcpu) == 3 ? ACCESS_USER : 0;
}

static bool segment_fault(enum guest_seg seg, struct fault *fault)
{
    *fault = (struct fault){.vector = seg == SEG_SS ? 12 : 13};
    return false;
}

static bool canonical(uint64_t linear)
{
    return (uint64_t)((int64_t)(linear << 16) >> 16) == linear;
}

static bool linear_64(struct vcpu *vcpu, enum guest_seg seg, uint64_t offset, unsigned int size,
                      uint64_t *linear, struct fault *fault)
{
    uint64_t base = 0;
    if (seg == SEG_FS || seg == SEG_GS) {
        struct guest_segment s;
        hv->get_segment(vcpu, seg, &s);
        base = s.base;
    }
    *linear = base + offset;
    if (!canonical(*linear) || !canonical(*linear + size - 1))
        return segment_fault(seg, fault);
    return true;
}

/* SDM vol. 3, 5.3 and 5.4: limit and type. Type and null checks are protected mode's only. */
static bool segment_allows(struct vcpu *vcpu, const struct guest_segment *s, uint32_t offset,
                           unsigned int size, bool write)
{
    uint64_t first = offset, last = first + size - 1;
    bool protected_mode = (hv->get_reg(vcpu, REG_CR0) & CR0_PE) && !(vcpu->regs.rflags & RFLAGS_VM);

    if (protected_mode) {
        if (s->attr & SEG_ATTR_UNUSABLE)
            return false;
        if (s->attr & SEG_CODE ? write || !(s->attr & SEG_READABLE) : write && !(s->attr & SEG_WRITABLE))
            return false;
    }
    if (!(s->attr & SEG_CODE) && (s->attr & SEG_EXPAND_DOWN))
        return first > s->limit && last <= (s->attr & SEG_BIG ? UINT32_MAX : 0xffffu);
    return last <= s->limit;
}

bool guest_linear(struct vcpu *vcpu, enum guest_seg seg, uint64_t offset, unsigned int size, bool write,
                  uint64_t *linear, struct fault *fault)
{
    if (guest_mode(vcpu) == 64)
        return linear_64(vcpu, seg, offset, size, linear, fault);

    struct guest_segment s;
    hv->get_segment(vcpu, seg, &s);
    if (!segment_allows(vcpu, &s, (uint32_t)offset, size, write))
        return segment_fault(seg, fault);
    *linear = (uint32_t)(s.base + offset);
    return true;
}

void fault_inject(struct vcpu *vcpu, const struct fault *fault)
{
    if (fault->vector == 14)
        hv->set_reg(vcpu, REG_CR2, fault->address);
    vcpu_inject_error(vcpu, fault->vector, fault->error);
}
