/* The virtual machine control block (APM vol. 2, appendix B). Fields of features that are not used here are
 * left out of the names, not of the layout. */
#ifndef ARCH_X86_SVM_VMCB_H
#define ARCH_X86_SVM_VMCB_H

#include <stddef.h>
#include <stdint.h>

/* Appendix B, table B-1: intercepts, by word. */
/* 008h: exceptions, bit = vector. */
/* 00Ch */
#define INTERCEPT_INTR          (1u << 0)
#define INTERCEPT_NMI           (1u << 1)
#define INTERCEPT_INIT          (1u << 3)
#define INTERCEPT_VINTR         (1u << 4)
#define INTERCEPT_CR0_SELECTIVE (1u << 5) /* writes that change another bit than TS or MP */
#define INTERCEPT_RDTSC         (1u << 14)
#define INTERCEPT_RDPMC         (1u << 15)
#define INTERCEPT_CPUID         (1u << 18)
#define INTERCEPT_IRET          (1u << 20)
#define INTERCEPT_INVD          (1u << 22)
#define INTERCEPT_PAUSE         (1u << 23)
#define INTERCEPT_HLT           (1u << 24)
#define INTERCEPT_INVLPGA       (1u << 26)
#define INTERCEPT_IOIO          (1u << 27)
#define INTERCEPT_MSR           (1u << 28)
#define INTERCEPT_TASK_SWITCH   (1u << 29)
#define INTERCEPT_FERR_FREEZE   (1u << 30)
#define INTERCEPT_SHUTDOWN      (1u << 31)
/* 010h */
#define INTERCEPT_VMRUN   (1u << 0) /* must be set (15.5.1) */
#define INTERCEPT_VMMCALL (1u << 1)
#define INTERCEPT_VMLOAD  (1u << 2)
#define INTERCEPT_VMSAVE  (1u << 3)
#define INTERCEPT_STGI    (1u << 4)
#define INTERCEPT_CLGI    (1u << 5)
#define INTERCEPT_SKINIT  (1u << 6)
#define INTERCEPT_RDTSCP  (1u << 7)
#define INTERCEPT_WBINVD  (1u << 9)
#define INTERCEPT_MONITOR (1u << 10)
#define INTERCEPT_MWAIT   (1u << 11)
#define INTERCEPT_XSETBV  (1u << 13)
#define INTERCEPT_RDPRU   (1u << 14)
/* 014h */
#define INTERCEPT_INVLPGB         (1u << 0)
#define INTERCEPT_INVLPGB_ILLEGAL (1u << 1)
#define INTERCEPT_INVPCID         (1u << 2)
#define INTERCEPT_MCOMMIT         (1u << 3)
#define INTERCEPT_TLBSYNC         (1u << 4)

/* 05Ch: TLB control */
#define TLB_KEEP       0u
#define TLB_FLUSH_ALL  1u
#define TLB_FLUSH_ASID 3u /* where CPUID has FlushByAsid */

/* 060h: virtual interrupt control */
#define V_IRQ             (1u << 8)
#define V_INTR_PRIO_SHIFT 16
#define V_IGN_TPR         (1u << 20)
#define V_INTR_MASKING    (1u << 24) /* RFLAGS.IF and CR8 of the host, not the guest's, rule host interrupts */
/* 068h */
#define INTERRUPT_SHADOW (1ull << 0)
/* 090h */
#define NP_ENABLE (1ull << 0)
/* 0B8h */
#define LBR_ENABLE (1ull << 0)

/* 0C0h: VMCB clean bits (15.15.3): this part of the VMCB is as the last exit left it. */
#define CLEAN_INTERCEPTS (1u << 0) /* and TSC offset */
#define CLEAN_MAPS       (1u << 1) /* IOPM, MSRPM */
#define CLEAN_ASID       (1u << 2)
#define CLEAN_INTR       (1u << 3) /* 060h-067h */
#define CLEAN_NP         (1u << 4) /* nested CR3, guest PAT */
#define CLEAN_CR         (1u << 5) /* CR0, CR3, CR4, EFER */
#define CLEAN_DR         (1u << 6)
#define CLEAN_DT         (1u << 7) /* GDT, IDT */
#define CLEAN_SEG        (1u << 8) /* CS, DS, SS, ES, CPL */
#define CLEAN_CR2        (1u << 9)
#define CLEAN_LBR        (1u << 10)
#define CLEAN_ALL        0x7ffu

/* A segment register; bits 11:0 of attr are bits 55:52, 47:40 of a descriptor. */
struct __attribute__((packed)) vmcb_segment {
    uint16_t selector;
    uint16_t attr;
    uint32_t limit;
    uint64_t base;
};

struct __attribute__((packed, aligned(4096))) vmcb {
    uint16_t cr_read, cr_write, dr_read, dr_write;
    uint32_t exceptions;
    uint32_t intercepts[3]; /* 00Ch, 010h, 014h */
    uint8_t reserved_018[0x24];
    uint16_t pause_threshold, pause_count; /* 15.14.4 */
    uint64_t iopm, msrpm;
    uint64_t tsc_offset;
    uint32_t asid;
    uint8_t tlb_control;
    uint8_t reserved_05d[3];
    uint32_t int_ctl;
    uint32_t int_vector;
    uint64_t int_state;
    uint64_t exit_code;
    uint64_t exit_info1, exit_info2;
    uint32_t exit_int_info, exit_int_error;
    uint64_t np_control;
    uint8_t reserved_098[0x10];
    uint32_t event_inj, event_inj_error;
    uint64_t nested_cr3;
    uint64_t lbr_control;
    uint32_t clean;
    uint32_t reserved_0c4;
    uint64_t next_rip;
    uint8_t reserved_0d0[0x330];

    /* 400h: the state save area. */
    struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
    uint8_t reserved_4a0[0x2b];
    uint8_t cpl;
    uint32_t reserved_4cc;
    uint64_t efer;
    uint8_t reserved_4d8[0x70];
    uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
    uint8_t reserved_580[0x58];
    uint64_t rsp;
    uint8_t reserved_5e0[0x18];
    uint64_t rax;
    uint64_t star, lstar, cstar, fmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t cr2;
    uint8_t reserved_648[0x20];
    uint64_t pat;
    uint64_t debugctl;
    uint8_t reserved_678[0x988];
};

#define VMCB_OFFSET(field, offset)                                                                           \
    _Static_assert(offsetof(struct vmcb, field) == (offset), "APM vol. 2, appendix B: " #field)
VMCB_OFFSET(exceptions, 0x008);
VMCB_OFFSET(intercepts, 0x00c);
VMCB_OFFSET(pause_count, 0x03e);
VMCB_OFFSET(iopm, 0x040);
VMCB_OFFSET(tsc_offset, 0x050);
VMCB_OFFSET(asid, 0x058);
VMCB_OFFSET(tlb_control, 0x05c);
VMCB_OFFSET(int_ctl, 0x060);
VMCB_OFFSET(int_vector, 0x064);
VMCB_OFFSET(int_state, 0x068);
VMCB_OFFSET(exit_code, 0x070);
VMCB_OFFSET(exit_int_info, 0x088);
VMCB_OFFSET(np_control, 0x090);
VMCB_OFFSET(event_inj, 0x0a8);
VMCB_OFFSET(nested_cr3, 0x0b0);
VMCB_OFFSET(lbr_control, 0x0b8);
VMCB_OFFSET(clean, 0x0c0);
VMCB_OFFSET(next_rip, 0x0c8);
VMCB_OFFSET(es, 0x400);
VMCB_OFFSET(gdtr, 0x460);
VMCB_OFFSET(tr, 0x490);
VMCB_OFFSET(cpl, 0x4cb);
VMCB_OFFSET(efer, 0x4d0);
VMCB_OFFSET(cr4, 0x548);
VMCB_OFFSET(cr0, 0x558);
VMCB_OFFSET(rflags, 0x570);
VMCB_OFFSET(rip, 0x578);
VMCB_OFFSET(rsp, 0x5d8);
VMCB_OFFSET(rax, 0x5f8);
VMCB_OFFSET(star, 0x600);
VMCB_OFFSET(sysenter_cs, 0x628);
VMCB_OFFSET(cr2, 0x640);
VMCB_OFFSET(pat, 0x668);
VMCB_OFFSET(debugctl, 0x670);
_Static_assert(sizeof(struct vmcb) == 4096, "one page");
#undef VMCB_OFFSET

#endif
