/* Model-specific registers: numbers, each followed by its bits (SDM vol. 4; APM vol. 2, appendix A). */
#ifndef ARCH_X86_MSR_H
#define ARCH_X86_MSR_H

#define MSR_TSC 0x10

#define MSR_APIC_BASE       0x1b
#define APIC_BASE_BSP       (1ull << 8)
#define APIC_BASE_X2APIC    (1ull << 10)
#define APIC_BASE_ENABLE    (1ull << 11)
#define APIC_BASE_ADDR_MASK 0x000ffffffffff000ull

#define MSR_FEATURE_CONTROL             0x3a
#define FEATURE_CONTROL_LOCK            (1ull << 0)
#define FEATURE_CONTROL_VMX_IN_SMX      (1ull << 1)
#define FEATURE_CONTROL_VMX_OUTSIDE_SMX (1ull << 2)

#define MSR_TSC_ADJUST        0x3b
#define MSR_SPEC_CTRL         0x48
#define SPEC_CTRL_IBRS        (1ull << 0)
#define MSR_PRED_CMD          0x49
#define PRED_CMD_IBPB         (1ull << 0)
#define MSR_MTRRCAP           0xfe
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_FLUSH_CMD         0x10b
#define FLUSH_CMD_L1D         (1ull << 0)

#define MSR_SYSENTER_CS  0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176

#define MSR_MCG_CAP     0x179
#define MCG_CAP_COUNT   0xffull
#define MCG_CAP_CTL_P   (1ull << 8)
#define MSR_MCG_STATUS  0x17a
#define MCG_STATUS_RIPV (1ull << 0)
#define MCG_STATUS_EIPV (1ull << 1)
#define MCG_STATUS_MCIP (1ull << 2)
#define MSR_MCG_CTL     0x17b

#define MSR_MISC_ENABLE 0x1a0
#define MSR_DEBUGCTL    0x1d9

#define MSR_PAT 0x277
/* The value after reset, which this kernel keeps: entries 0-3 WB, WT, UC-, UC (SDM vol. 3, 12.12.4). */
#define PAT_RESET 0x0007040600070406ull

#define MSR_MC0_CTL     0x400
#define MSR_MC0_STATUS  0x401
#define MSR_MC0_ADDR    0x402
#define MC_STATUS_ADDRV (1ull << 58)
#define MC_STATUS_VAL   (1ull << 63)

/* Capabilities of VMX (SDM vol. 3, appendix A). */
#define MSR_VMX_BASIC                0x480
#define VMX_BASIC_REVISION           0x7fffffffull
#define VMX_BASIC_32BIT_ADDRESSES    (1ull << 48)
#define VMX_BASIC_MEMORY_TYPE_SHIFT  50
#define VMX_BASIC_MEMORY_TYPE_MASK   0xfull
#define VMX_BASIC_INS_OUTS           (1ull << 54)
#define VMX_BASIC_TRUE_CTLS          (1ull << 55)
#define MSR_VMX_PINBASED_CTLS        0x481
#define MSR_VMX_PROCBASED_CTLS       0x482
#define MSR_VMX_EXIT_CTLS            0x483
#define MSR_VMX_ENTRY_CTLS           0x484
#define MSR_VMX_MISC                 0x485
#define VMX_MISC_PREEMPTION_RATE     0x1full
#define VMX_MISC_ACTIVITY_HLT        (1ull << 6)
#define VMX_MISC_ACTIVITY_SHUTDOWN   (1ull << 7)
#define VMX_MISC_ACTIVITY_WAIT_SIPI  (1ull << 8)
#define MSR_VMX_CR0_FIXED0           0x486
#define MSR_VMX_CR0_FIXED1           0x487
#define MSR_VMX_CR4_FIXED0           0x488
#define MSR_VMX_CR4_FIXED1           0x489
#define MSR_VMX_VMCS_ENUM            0x48a
#define MSR_VMX_PROCBASED_CTLS2      0x48b
#define MSR_VMX_EPT_VPID_CAP         0x48c
#define EPT_CAP_EXEC_ONLY            (1ull << 0)
#define EPT_CAP_WALK_4               (1ull << 6)
#define EPT_CAP_UC                   (1ull << 8)
#define EPT_CAP_WB                   (1ull << 14)
#define EPT_CAP_2M                   (1ull << 16)
#define EPT_CAP_1G                   (1ull << 17)
#define EPT_CAP_INVEPT               (1ull << 20)
#define EPT_CAP_ACCESSED_DIRTY       (1ull << 21)
#define EPT_CAP_INVEPT_SINGLE        (1ull << 25)
#define EPT_CAP_INVEPT_ALL           (1ull << 26)
#define VPID_CAP_INVVPID             (1ull << 32)
#define VPID_CAP_INVVPID_ADDRESS     (1ull << 40)
#define VPID_CAP_INVVPID_SINGLE      (1ull << 41)
#define VPID_CAP_INVVPID_ALL         (1ull << 42)
#define VPID_CAP_INVVPID_KEEP_GLOBAL (1ull << 43)
#define MSR_VMX_TRUE_PINBASED_CTLS   0x48d
#define MSR_VMX_TRUE_PROCBASED_CTLS  0x48e
#define MSR_VMX_TRUE_EXIT_CTLS       0x48f
#define MSR_VMX_TRUE_ENTRY_CTLS      0x490
#define MSR_VMX_VMFUNC               0x491

/* 0: disarmed. Firing disarms it (SDM vol. 3, 11.5.4.1; Bochs leaves the value). */
#define MSR_TSC_DEADLINE 0x6e0

/* x2APIC: register at xAPIC offset X is MSR 800h + X/16 (SDM vol. 3, table 11-6). */
#define MSR_X2APIC_BASE 0x800

#define MSR_XSS 0xda0

#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_FMASK          0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX        0xc0000103
#define MSR_TSC_RATIO      0xc0000104

/* SVM (APM vol. 2, 15.30). */
#define MSR_VM_CR       0xc0010114
#define VM_CR_LOCK      (1ull << 3)
#define VM_CR_SVMDIS    (1ull << 4)
#define MSR_VM_HSAVE_PA 0xc0010117

#endif
