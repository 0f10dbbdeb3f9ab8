/* Bits of the VM-execution, VM-exit and VM-entry controls, and of the state fields (SDM vol. 3, chapter
 * 25). Only those that this backend sets, checks or must know to be clear. */
#ifndef ARCH_X86_VMX_CONTROLS_H
#define ARCH_X86_VMX_CONTROLS_H

/* Table 25-5: pin-based controls */
#define PIN_EXTERNAL_INTERRUPT (1u << 0)
#define PIN_NMI                (1u << 3)
#define PIN_VIRTUAL_NMIS       (1u << 5)
#define PIN_PREEMPTION_TIMER   (1u << 6)

/* Table 25-6: primary processor-based controls */
#define PROC_IRQ_WINDOW    (1u << 2)
#define PROC_TSC_OFFSETING (1u << 3)
#define PROC_HLT           (1u << 7)
#define PROC_INVLPG        (1u << 9)
#define PROC_MWAIT         (1u << 10)
#define PROC_RDPMC         (1u << 11)
#define PROC_RDTSC         (1u << 12)
#define PROC_CR3_LOAD      (1u << 15)
#define PROC_CR3_STORE     (1u << 16)
#define PROC_CR8_LOAD      (1u << 19)
#define PROC_CR8_STORE     (1u << 20)
#define PROC_NMI_WINDOW    (1u << 22)
#define PROC_MOV_DR        (1u << 23)
#define PROC_IO_BITMAPS    (1u << 25)
#define PROC_MSR_BITMAPS   (1u << 28)
#define PROC_MONITOR       (1u << 29)
#define PROC_PAUSE         (1u << 30)
#define PROC_SECONDARY     (1u << 31)

/* Table 25-7: secondary processor-based controls */
#define PROC2_EPT          (1u << 1)
#define PROC2_RDTSCP       (1u << 3)
#define PROC2_VPID         (1u << 5)
#define PROC2_WBINVD       (1u << 6)
#define PROC2_UNRESTRICTED (1u << 7)
#define PROC2_PAUSE_LOOP   (1u << 10)
#define PROC2_INVPCID      (1u << 12)
#define PROC2_ENCLS        (1u << 15)
#define PROC2_TSC_SCALING  (1u << 25)

/* Table 25-13: primary VM-exit controls */
#define EXIT_CTL_SAVE_DEBUG (1u << 2)
#define EXIT_CTL_HOST_64    (1u << 9)
#define EXIT_CTL_SAVE_PAT   (1u << 18)
#define EXIT_CTL_LOAD_PAT   (1u << 19)
#define EXIT_CTL_SAVE_EFER  (1u << 20)
#define EXIT_CTL_LOAD_EFER  (1u << 21)

/* Table 25-15: VM-entry controls */
#define ENTRY_CTL_LOAD_DEBUG (1u << 2)
#define ENTRY_CTL_IA32E      (1u << 9)
#define ENTRY_CTL_LOAD_PAT   (1u << 14)
#define ENTRY_CTL_LOAD_EFER  (1u << 15)

/* Table 25-3: interruptibility state */
#define INTR_STI    (1u << 0)
#define INTR_MOV_SS (1u << 1)
#define INTR_SMI    (1u << 2)
#define INTR_NMI    (1u << 3)
#define INTR_SHADOW (INTR_STI | INTR_MOV_SS)

/* Table 25-4: pending debug exceptions */
#define PENDING_DEBUG_BS (1ull << 14)

/* 25.9.1: exit reason */
#define REASON_BASIC        0xffffu
#define REASON_ENTRY_FAILED (1u << 31)

#endif
