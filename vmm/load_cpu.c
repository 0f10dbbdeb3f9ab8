#include "vmm/host.h"
#include "vmm/load_kinds.h"
#include "vmm/string.h"
#include "vmm/vm.h"
#include "vmm/x86.h"

#define PTE_P  0x001u
#define PTE_W  0x002u
#define PTE_PS 0x080u

#define FLAGS_RESERVED 0x2u /* bit 1 of RFLAGS is always set */

/* Selectors and descriptors of the table at FW_GDT: accessed, present, DPL 0, 4 GiB. The same values as in a
 * segment's attributes (SDM vol. 3, 3.4.5 and 24.4.1). */
#define SEL_CODE 0x10u
#define SEL_DATA 0x18u
#define SEL_TSS  0x20u

#define ATTR_CODE32 0xC09Bu
#define ATTR_CODE64 0xA09Bu
#define ATTR_DATA   0xC093u
#define ATTR_CODE16 0x009Bu
#define ATTR_DATA16 0x0093u
#define ATTR_TSS    0x008Bu /* busy; 32-bit or 64-bit according to the mode */
#define TSS_LIMIT   0x67u

#define REAL_IDT_LIMIT 0x3FFu /* SDM vol. 3, 20.1.4 */

#define GDT_ENTRIES 6u /* a 64-bit TSS descriptor is two entries long */

/* Base 0. Limit counts bytes, or 4 KiB with the G bit (attr bit 15). */
static uint64_t descriptor(uint16_t attr, uint32_t limit)
{
    return (limit & 0xFFFFu) | (uint64_t)(attr & 0xF0FFu) << 40 | (uint64_t)(limit & 0xF0000u) << 32;
}

/* A guest that loads a segment register before it has its own table finds what boot loaders leave there. */
static void write_gdt(struct vm *vm, uint16_t code)
{
    const uint64_t gdt[GDT_ENTRIES] = {
        [SEL_CODE / 8] = descriptor(code, 0xFFFFF),
        [SEL_DATA / 8] = descriptor(ATTR_DATA, 0xFFFFF),
        [SEL_TSS / 8] = descriptor(ATTR_TSS, TSS_LIMIT),
    };
    uint8_t *to = vm_ram(vm, FW_GDT, sizeof(gdt));

    ASSERT(to != NULL);
    memcpy(to, gdt, sizeof(gdt));
}

static void set_data_segments(struct vcpu *vcpu, const struct guest_segment *data)
{
    static const enum guest_seg segs[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};
    size_t i;

    for (i = 0; i < sizeof(segs) / sizeof(segs[0]); i++)
        hv->set_segment(vcpu, segs[i], data);
}

static void set_protected(struct vm *vm, uint16_t code_attr)
{
    const struct guest_segment code = {.selector = SEL_CODE, .attr = code_attr, .limit = UINT32_MAX};
    const struct guest_segment data = {.selector = SEL_DATA, .attr = ATTR_DATA, .limit = UINT32_MAX};
    const struct guest_segment tss = {.selector = SEL_TSS, .attr = ATTR_TSS, .limit = TSS_LIMIT};
    struct vcpu *vcpu = vm->vcpus[0];

    write_gdt(vm, code_attr);
    hv->set_reg(vcpu, REG_GDTR_BASE, FW_GDT);
    hv->set_reg(vcpu, REG_GDTR_LIMIT, GDT_ENTRIES * 8 - 1);
    /* The vectors of real mode, as firmware and loaders leave them: a guest that goes back to it may count on
     * them. In protected mode they are no gates: an exception before the guest has its own is a triple fault.
     */
    hv->set_reg(vcpu, REG_IDTR_BASE, 0);
    hv->set_reg(vcpu, REG_IDTR_LIMIT, REAL_IDT_LIMIT);
    hv->set_segment(vcpu, SEG_CS, &code);
    set_data_segments(vcpu, &data);
    hv->set_segment(vcpu, SEG_TR, &tss);
}

static void set_registers(struct vcpu *vcpu, uint64_t rip)
{
    memset(&vcpu->regs, 0, sizeof(vcpu->regs));
    vcpu->regs.rip = rip;
    vcpu->regs.rflags = FLAGS_RESERVED;
}

/* 4 GiB mapped to themselves by 2 MiB pages: PML4, PDPT, four page directories. */
static void write_page_tables(struct vm *vm)
{
    uint8_t *area = vm_ram(vm, FW_PAGE_TABLE, 6 * 4096);
    uint64_t i;

    ASSERT(area != NULL);
    memset(area, 0, 2 * 4096);
    *(uint64_t *)(void *)area = (FW_PAGE_TABLE + 4096) | PTE_P | PTE_W;
    for (i = 0; i < 4; i++)
        ((uint64_t *)(void *)(area + 4096))[i] = (FW_PAGE_TABLE + (2 + i) * 4096) | PTE_P | PTE_W;
    for (i = 0; i < 4 * 512ull; i++)
        ((uint64_t *)(void *)(area + 8192))[i] = (i << 21) | PTE_P | PTE_W | PTE_PS;
}

void load_cpu_long(struct vm *vm, uint64_t rip, uint64_t rsi)
{
    struct vcpu *vcpu = vm->vcpus[0];

    write_page_tables(vm);
    set_protected(vm, ATTR_CODE64);
    hv->set_reg(vcpu, REG_CR3, FW_PAGE_TABLE);
    hv->set_reg(vcpu, REG_CR4, CR4_PAE);
    hv->set_reg(vcpu, REG_EFER, EFER_LME | EFER_LMA);
    hv->set_reg(vcpu, REG_CR0, CR0_PG | CR0_ET | CR0_PE);
    set_registers(vcpu, rip);
    vcpu->regs.gpr[GPR_RSI] = rsi;
}

void load_cpu_flat32(struct vm *vm, uint32_t eip, uint32_t eax, uint32_t ebx)
{
    struct vcpu *vcpu = vm->vcpus[0];

    set_protected(vm, ATTR_CODE32);
    hv->set_reg(vcpu, REG_CR0, CR0_ET | CR0_PE);
    set_registers(vcpu, eip);
    vcpu->regs.gpr[GPR_RAX] = eax;
    vcpu->regs.gpr[GPR_RBX] = ebx;
}

void load_cpu_real(struct vm *vm, uint16_t ip, uint32_t edx)
{
    const struct guest_segment code = {.attr = ATTR_CODE16, .limit = 0xFFFF};
    const struct guest_segment data = {.attr = ATTR_DATA16, .limit = 0xFFFF};
    struct vcpu *vcpu = vm->vcpus[0];

    hv->set_segment(vcpu, SEG_CS, &code);
    set_data_segments(vcpu, &data);
    hv->set_reg(vcpu, REG_IDTR_BASE, 0);
    hv->set_reg(vcpu, REG_IDTR_LIMIT, REAL_IDT_LIMIT);
    hv->set_reg(vcpu, REG_CR0, CR0_ET);
    set_registers(vcpu, ip);
    vcpu->regs.gpr[GPR_RSP] = ip;
    vcpu->regs.gpr[GPR_RDX] = edx;
}
