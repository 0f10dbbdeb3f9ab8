/* Properties of addresses in nested page tables (arch/x86/nested.c) that no function of it states alone; only
 * proved, never run. */
#include <stdint.h>

/* The four indices and the offset in the page are the address: two addresses below 2^48 that go the same way
 * through the tables are one, so no entry translates more than one page. */
/*@ requires gpa < 0x1000000000000;
    assigns \nothing;
    ensures \result == gpa; */
uint64_t indices_are_the_address(uint64_t gpa)
{
    uint64_t i4 = gpa / 0x8000000000 % 512, i3 = gpa / 0x40000000 % 512, i2 = gpa / 0x200000 % 512,
             i1 = gpa / 0x1000 % 512;

    return i4 * 0x8000000000 + i3 * 0x40000000 + i2 * 0x200000 + i1 * 0x1000 + gpa % 0x1000;
}

/* What nested_map() adds to both addresses keeps their distance: each page of a range is on its own place of
 * the memory that the range was given. */
/*@ requires gpa <= at < gpa + length && gpa + length <= 0x1000000000000 && hpa + length <= UINT64_MAX;
    assigns \nothing;
    ensures hpa <= \result < hpa + length && \result - hpa == at - gpa; */
uint64_t place_of(uint64_t gpa, uint64_t hpa, uint64_t length, uint64_t at)
{
    return hpa + (at - gpa);
}
