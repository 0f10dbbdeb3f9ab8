#include "arch/x86/fpu.h"

#include <stddef.h>

#include "arch/x86/cpu.h"
#include "vmm/host.h"
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

/* CR0.TS and EM are the guest's, in its VMCS or VMCB; the host has none of them, so that XSAVE works. */
void fpu_enable(void)
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

static size_t area_pages(void)
{
    return (area_size + PAGE - 1) / PAGE;
}

bool fpu_create(struct guest_fpu *fpu)
{
    fpu->area = host_alloc_pages(area_pages(), PAGE);
    return fpu->area != NULL;
}

void fpu_destroy(struct guest_fpu *fpu)
{
    if (fpu->area)
        host_free_pages(fpu->area, area_pages());
    fpu->area = NULL;
}

void fpu_reset(struct guest_fpu *fpu)
{
    uint8_t *area = fpu->area;
    const uint16_t fcw = FCW_RESET;
    const uint32_t mxcsr = MXCSR_INIT;
    const uint64_t bv = components & (XCR0_X87 | XCR0_SSE);
    memset(area, 0, area_size);
    memcpy(area + FX_FCW, &fcw, sizeof(fcw));
    area[FX_FTW] = FTW_RESET;
    memcpy(area + FX_MXCSR, &mxcsr, sizeof(mxcsr));
    if (components)
        memcpy(area + XSAVE_BV, &bv, sizeof(bv));
    fpu->xcr0 = XCR0_X87;
}

/* Everything is switched whatever the guest's XCR0 enables now: what it has disabled is still its own, and
 * not for the next guest to see. */
void fpu_load(struct guest_fpu *fpu)
{
    fpu->loaded = true;
    if (!components) {
        __asm__ volatile("fxrstor64 (%0)" : : "r"(fpu->area) : "memory");
        return;
    }
    xsetbv(0, components);
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(fpu->area), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
    if (fpu->xcr0 != components)
        xsetbv(0, fpu->xcr0);
}

void fpu_save(struct guest_fpu *fpu)
{
    fpu->loaded = false;
    if (!components) {
        __asm__ volatile("fxsave64 (%0)" : : "r"(fpu->area) : "memory");
        return;
    }
    fpu->xcr0 = xgetbv(0); /* XSETBV by a guest has no exit in QEMU */
    if (fpu->xcr0 != components)
        xsetbv(0, components);
    __asm__ volatile("xsave64 (%0)"
                     :
                     : "r"(fpu->area), "a"((uint32_t)components), "d"((uint32_t)(components >> 32))
                     : "memory");
}

uint64_t fpu_xcr0(const struct guest_fpu *fpu)
{
    return fpu->loaded && components ? xgetbv(0) : fpu->xcr0;
}

void fpu_set_xcr0(struct guest_fpu *fpu, uint64_t value)
{
    fpu->xcr0 = (value & components) | XCR0_X87;
    if (fpu->loaded && components)
        xsetbv(0, fpu->xcr0);
}
