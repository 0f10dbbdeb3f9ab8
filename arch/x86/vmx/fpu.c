/* The guest's x87, SSE, AVX and AVX-512 state. The kernel is compiled without any of these, so the state
 * stays in the processor from vcpu_load to vcpu_save, exits and all. */
#include "arch/x86/cpu.h"
#include "arch/x86/vmx/vmx.h"
#include "vmm/string.h"

#define PAGE 4096u

#define XCR0_X87    (1ull << 0)
#define XCR0_SSE    (1ull << 1)
#define XCR0_AVX    (1ull << 2)
#define XCR0_AVX512 (7ull << 5) /* opmask, upper halves of ZMM0-15, ZMM16-31 */
/* The components that guests may be given (vmm/cpuid.c hides the others). */
#define XCR0_KNOWN (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512)

/* Offsets in the legacy area (SDM vol. 1, table 10-2) and its header (13.4.2). */
#define FX_FCW     0
#define FX_FTW     4
#define FX_MXCSR   24
#define XSAVE_BV   512
#define FCW_RESET  0x0040u /* SDM vol. 3, table 10-1 */
#define FTW_RESET  0xffu   /* 5555h, all zero: valid, in the abridged form */
#define MXCSR_INIT 0x1f80u

static uint64_t components; /* 0: no XSAVE, FXSAVE it is */
static uint32_t area_size = 512;

/* CR0.TS and EM are the guest's, in its VMCS; the host has none of them, so that XSAVE works. */
void vmx_fpu_enable(void)
{
    write_cr0((read_cr0() & ~(CR0_TS | CR0_EM)) | CR0_MP);
    write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
        return;
    write_cr4(read_cr4() | CR4_OSXSAVE);
    const struct cpuid_regs leaf = cpuid(0xd, 0);
    components = leaf.eax & XCR0_KNOWN;
    xsetbv(0, components);
    area_size = cpuid(0xd, 0).ebx; /* for what XCR0 has enabled */
}

size_t vmx_fpu_pages(void)
{
    return (area_size + PAGE - 1) / PAGE;
}

void vmx_fpu_reset(struct vmx_vcpu *v)
{
    uint8_t *area = v->fpu;
    const uint16_t fcw = FCW_RESET;
    const uint32_t mxcsr = MXCSR_INIT;
    const uint64_t bv = components & (XCR0_X87 | XCR0_SSE);
    memset(area, 0, area_size);
    memcpy(area + FX_FCW, &fcw, sizeof(fcw));
    area[FX_FTW] = FTW_RESET;
    memcpy(area + FX_MXCSR, &mxcsr, sizeof(mxcsr));
    if (components)
        memcpy(area + XSAVE_BV, &bv, sizeof(bv));
    v->xcr0 = XCR0_X87;
}

/* Everything is switched whatever the guest's XCR0 enables now: what it has disabled is still its own, and
 * not for the next guest to see. */
void vmx_fpu_load(const struct vmx_vcpu *v)
{
    if (!components) {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(v->fpu) : "memory");
        return;
    }
    xsetbv(0, components);
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(v->fpu), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
    if (v->xcr0 != components)
        xsetbv(0, v->xcr0);
}

void vmx_fpu_save(struct vmx_vcpu *v)
{
    if (!components) {
        __asm__ volatile("fxsave64 (%0)" : : "r"(v->fpu) : "memory");
        return;
    }
    if (v->xcr0 != components)
        xsetbv(0, components);
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(v->fpu), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
}

/* Bits that are not switched stay off, whoever asks for them. */
void vmx_fpu_set_xcr0(struct vmx_vcpu *v, uint64_t value)
{
    v->xcr0 = (value & components) | XCR0_X87;
    if (v->loaded && components)
        xsetbv(0, v->xcr0);
}
