#include "guests/lib/acpi.h"

#include "guests/lib/string.h"

#define HEADER_SIZE     36
#define FADT_DSDT       40
#define FADT_PM1A_CNT   64
#define FADT_PM_TMR     76
#define FADT_PM_TMR_LEN 91
#define FADT_FLAGS      112
#define FADT_TMR_32     (1u << 8) /* TMR_VAL_EXT, ACPI 6.4, table 5.10 */
#define HPET_ADDRESS    44

/* The tables are packed: fields lie at any address. */
static uint32_t read32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

static uint64_t read64(const uint8_t *p)
{
    return read32(p) | (uint64_t)read32(p + 4) << 32;
}

static bool sums_to_zero(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum = (uint8_t)(sum + p[i]);
    }
    return sum == 0;
}

static const uint8_t *find_rsdp(void)
{
    for (uintptr_t at = 0xE0000; at < 0x100000; at += 16) {
        const uint8_t *p = (const uint8_t *)at;

        if (memcmp(p, "RSD PTR ", 8) == 0 && sums_to_zero(p, 20)) {
            return p;
        }
    }
    return NULL;
}

const uint8_t *acpi_table(const char *signature)
{
    const uint8_t *rsdp = find_rsdp();

    if (rsdp == NULL) {
        return NULL;
    }
    bool extended = rsdp[15] >= 2 && read64(rsdp + 24) != 0;
    const uint8_t *root = (const uint8_t *)(uintptr_t)(extended ? read64(rsdp + 24) : read32(rsdp + 16));
    uint32_t length = read32(root + 4);
    size_t step = extended ? 8 : 4;

    for (size_t at = HEADER_SIZE; at + step <= length; at += step) {
        const uint8_t *t = (const uint8_t *)(uintptr_t)(extended ? read64(root + at) : read32(root + at));

        if (memcmp(t, signature, 4) == 0 && sums_to_zero(t, read32(t + 4))) {
            return t;
        }
    }
    return NULL;
}

uint16_t acpi_pm_timer(bool *wide)
{
    const uint8_t *fadt = acpi_table("FACP");

    *wide = false;
    if (fadt == NULL || fadt[FADT_PM_TMR_LEN] != 4) {
        return 0;
    }
    *wide = (read32(fadt + FADT_FLAGS) & FADT_TMR_32) != 0;
    return (uint16_t)read32(fadt + FADT_PM_TMR);
}

/* The first element of the package _S5: NameOp "_S5_" PackageOp length count, then 0Ah n, or ZeroOp, OneOp.
 */
static bool find_s5(const uint8_t *dsdt, uint8_t *type)
{
    uint32_t length = read32(dsdt + 4);

    for (size_t i = HEADER_SIZE; i + 9 < length; i++) {
        const uint8_t *p = dsdt + i;

        if (memcmp(p, "_S5_\x12", 5) != 0) {
            continue;
        }
        p += 5;
        p += 1 + (*p >> 6); /* PkgLength: bits 7-6 count its further bytes */
        p += 1;             /* NumElements */
        *type = *p == 0x0A ? p[1] : *p;
        return true;
    }
    return false;
}

bool acpi_s5(uint16_t *port, uint8_t *type)
{
    const uint8_t *fadt = acpi_table("FACP");

    if (fadt == NULL || read32(fadt + FADT_DSDT) == 0) {
        return false;
    }
    *port = (uint16_t)read32(fadt + FADT_PM1A_CNT);
    return find_s5((const uint8_t *)(uintptr_t)read32(fadt + FADT_DSDT), type);
}

uint64_t acpi_hpet(void)
{
    const uint8_t *hpet = acpi_table("HPET");

    return hpet != NULL ? read64(hpet + HPET_ADDRESS) : 0;
}
