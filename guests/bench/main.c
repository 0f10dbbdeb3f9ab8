/* What one round trip out of the guest and back costs, in ticks of the guest's TSC: the median, the smallest
 * and the largest of many. Under an emulator that counts instructions these are instructions, exactly. */
#include "guests/lib/io.h"
#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/print.h"

#define TRIES 1001

static uint64_t samples[TRIES];

static void sort(uint64_t *v, unsigned int n)
{
    for (unsigned int i = 1; i < n; i++) {
        uint64_t x = v[i];
        unsigned int j = i;

        for (; j > 0 && v[j - 1] > x; j--) {
            v[j] = v[j - 1];
        }
        v[j] = x;
    }
}

static void nothing(void)
{
}

static void do_cpuid(void)
{
    (void)cpuid(0, 0);
}

static void pic_out(void)
{
    outb(0x21, 0xff);
}

static void pm_timer(void)
{
    (void)inl(0x608);
}

static void pit_read(void)
{
    (void)inb(0x40);
}

static void port61(void)
{
    (void)inb(0x61);
}

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"rdtsc", nothing},     {"cpuid", do_cpuid}, {"pic-out", pic_out},
    {"pm-timer", pm_timer}, {"pit", pit_read},   {"port61", port61},
};

/* The cost of reading the clock is in every sample; the first case shows it alone. */
static void measure(unsigned int n)
{
    for (unsigned int i = 0; i < TRIES; i++) {
        uint64_t start = rdtsc();

        cases[n].run();
        samples[i] = rdtsc() - start;
    }
    sort(samples, TRIES);
    printf("bench: %s median=%lu min=%lu max=%lu\n", cases[n].name, (unsigned long)samples[TRIES / 2],
           (unsigned long)samples[0], (unsigned long)samples[TRIES - 1]);
}

int guest_main(uint64_t magic, uint64_t info)
{
    guest_init(magic, info);
    for (unsigned int n = 0; n < sizeof(cases) / sizeof(cases[0]); n++) {
        measure(n);
    }
    return EXIT_OK;
}
