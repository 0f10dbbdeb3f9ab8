#include "vmm/walk.h"

#include "vmm/cr.h"
#include "vmm/host.h"
#include "vmm/string.h"
#include "vmm/vm.h"

/* Bits of a paging-structure entry (SDM vol. 3, 4.3-4.5). */
#define PTE_P  (1ull << 0)
#define PTE_W  (1ull << 1)
#define PTE_U  (1ull << 2)
#define PTE_A  (1ull << 5)
#define PTE_D  (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_NX (1ull << 63)

#define PAGE_SIZE 4096ull
#define PAGE_MASK (PAGE_SIZE - 1)

/* The three formats of guest paging structures, level 0 being the page table. */
struct format {
    unsigned int levels;
    unsigned int entry;    /* bytes */
    unsigned int bits;     /* of the linear address for each level ... */
    unsigned int top_bits; /* ... and for the highest */
    uint64_t root;         /* CR3's address bits */
};

static const struct format format_32 = {2, 4, 10, 10, 0xfffff000ull};
static const struct format format_pae = {3, 8, 9, 2, 0xffffffe0ull};
static const struct format format_4level = {4, 8, 9, 9, 0x000ffffffffff000ull};

#define MAX_LEVELS 4

struct walker {
    struct vm *vm;
    const struct walk_regs *regs;
    const struct format *format;
    uint64_t linear;
    void *entries[MAX_LEVELS]; /* those that have accessed flags; NULL: not RAM, or it has none */
    bool writable, user, no_exec;
};

void walk_regs_get(struct vcpu *vcpu, struct walk_regs *regs)
{
    regs->cr0 = hv->get_reg(vcpu, REG_CR0);
    regs->cr3 = hv->get_reg(vcpu, REG_CR3);
    regs->cr4 = hv->get_reg(vcpu, REG_CR4);
    regs->efer = hv->get_reg(vcpu, REG_EFER);
    regs->rflags = vcpu->regs.rflags;
    regs->phys_bits = vcpu->vm->phys_bits;
}

static bool page_fault(struct fault *fault, uint64_t linear, unsigned int access, uint32_t bits,
                       const struct walk_regs *regs)
{
    /* The I flag is there only where a fetch can be told apart (4.7). */
    if (!(regs->efer & EFER_NXE) && !(regs->cr4 & CR4_SMEP))
        access &= ~ACCESS_FETCH;
    *fault = (struct fault){.vector = 14, .error = access | bits, .address = linear};
    return false;
}

static const struct format *walk_format(const struct walk_regs *regs)
{
    if (regs->efer & EFER_LMA)
        return &format_4level;
    return regs->cr4 & CR4_PAE ? &format_pae : &format_32;
}

static unsigned int level_shift(const struct format *f, unsigned int level)
{
    return 12 + f->bits * level;
}

/* Reads an entry. A paging structure that is not in RAM reads as all ones, as any such place does. */
static uint64_t read_entry(struct walker *w, unsigned int level, uint64_t table)
{
    const struct format *f = w->format;
    unsigned int bits = level == f->levels - 1 ? f->top_bits : f->bits;
    uint64_t index = (w->linear >> level_shift(f, level)) & ((1ull << bits) - 1);
    void *p = vm_ram(w->vm, table + index * f->entry, f->entry);
    uint64_t value = f->entry == 8 ? UINT64_MAX : UINT32_MAX;

    if (p)
        memcpy(&value, p, f->entry);
    w->entries[level] = p;
    return value;
}

static bool is_pdpte_pae(const struct format *f, unsigned int level)
{
    return f == &format_pae && level == 2;
}

static bool is_large(const struct walker *w, unsigned int level, uint64_t entry)
{
    const struct format *f = w->format;
    if (level == 0 || !(entry & PTE_PS))
        return false;
    if (f == &format_32)
        return w->regs->cr4 & CR4_PSE;
    return level == 1 || (f == &format_4level && level == 2);
}

/* The bits that must be zero in a present entry (tables 4-4 to 4-19). */
static uint64_t reserved_bits(const struct walker *w, unsigned int level, bool large)
{
    const struct format *f = w->format;
    uint64_t high = ~((1ull << w->regs->phys_bits) - 1) & 0x000fffffffffffffull;

    if (f == &format_32)
        return large ? 1ull << 21 : 0;
    if (is_pdpte_pae(f, level)) /* bit 5, too; but QEMU sets it when it walks, as an accessed flag */
        return high | 0xfff00000000001c6ull;
    uint64_t reserved = high | (w->regs->efer & EFER_NXE ? 0 : PTE_NX);
    if (f == &format_pae)
        reserved |= 0x7ff0000000000000ull;
    if (large)
        reserved |= ((1ull << level_shift(f, level)) - 1) & ~0x1fffull;
    else if (level == 3)
        reserved |= PTE_PS;
    return reserved;
}

/* The page's frame, or the next table's address. PSE-36 keeps bits 39:32 of a 4 MiB page in bits 20:13 (4.3).
 */
static uint64_t entry_address(const struct walker *w, unsigned int level, uint64_t entry, bool large)
{
    if (!large)
        return entry & 0x000ffffffffff000ull;
    if (w->format == &format_32)
        return (entry & 0xffc00000ull) | ((entry >> 13 & 0xff) << 32);
    return entry & 0x000ffffffffff000ull & ~((1ull << level_shift(w->format, level)) - 1);
}

/* SDM vol. 3, 4.6.1: access rights. */
static bool permitted(const struct walker *w, unsigned int access)
{
    const struct walk_regs *r = w->regs;

    if ((access & ACCESS_FETCH) && w->no_exec)
        return false;
    if (access & ACCESS_USER)
        return w->user && (w->writable || !(access & ACCESS_WRITE));
    if ((access & ACCESS_WRITE) && !w->writable && (r->cr0 & CR0_WP))
        return false;
    if (!w->user)
        return true;
    if (access & ACCESS_FETCH)
        return !(r->cr4 & CR4_SMEP);
    return !(r->cr4 & CR4_SMAP) || (r->rflags & RFLAGS_AC);
}

/* Other virtual CPUs may walk the same tables: set bits atomically, as the processor does (4.8). */
static void set_flags(const struct walker *w, unsigned int level, uint64_t flags)
{
    void *p = w->entries[level];
    if (!p)
        return;
    if (w->format->entry == 8)
        __atomic_fetch_or((uint64_t *)p, flags, __ATOMIC_RELAXED);
    else
        __atomic_fetch_or((uint32_t *)p, (uint32_t)flags, __ATOMIC_RELAXED);
}

static void take_rights(struct walker *w, unsigned int level, uint64_t entry)
{
    if (is_pdpte_pae(w->format, level)) { /* has no rights and no accessed flag */
        w->entries[level] = NULL;
        return;
    }
    w->writable = w->writable && (entry & PTE_W);
    w->user = w->user && (entry & PTE_U);
    if (w->format->entry == 8 && (w->regs->efer & EFER_NXE) && (entry & PTE_NX))
        w->no_exec = true;
}

static bool walk_tables(struct walker *w, unsigned int access, uint64_t *gpa, struct fault *fault)
{
    const struct format *f = w->format;
    uint64_t table = w->regs->cr3 & f->root;

    for (unsigned int level = f->levels - 1;; level--) {
        uint64_t entry = read_entry(w, level, table);
        if (!(entry & PTE_P))
            return page_fault(fault, w->linear, access, 0, w->regs);
        bool large = is_large(w, level, entry);
        if (entry & reserved_bits(w, level, large))
            return page_fault(fault, w->linear, access, PF_PRESENT | PF_RESERVED, w->regs);
        take_rights(w, level, entry);
        table = entry_address(w, level, entry, large);
        if (level > 0 && !large)
            continue;
        if (!permitted(w, access))
            return page_fault(fault, w->linear, access, PF_PRESENT, w->regs);
        for (unsigned int i = level; i < f->levels; i++)
            set_flags(w, i, PTE_A | (i == level && (access & ACCESS_WRITE) ? PTE_D : 0));
        *gpa = table | (w->linear & ((1ull << level_shift(f, level)) - 1));
        return true;
    }
}

bool walk(struct vm *vm, const struct walk_regs *regs, uint64_t linear, unsigned int access, uint64_t *gpa,
          struct fault *fault)
{
    if (!(regs->efer & EFER_LMA))
        linear &= UINT32_MAX;
    if (!(regs->cr0 & CR0_PG)) {
        *gpa = linear;
        return true;
    }
    struct walker w = {.vm = vm, .regs = regs, .format = walk_format(regs), .linear = linear};
    w.writable = w.user = true;
    return walk_tables(&w, access, gpa, fault);
}
