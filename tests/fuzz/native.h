/* One instruction carried out by the processor that the tests run on: the referee of the emulator
 * (fuzz_emulate.c). Linux, x86-64. Everything lies below 2 GiB at fixed places, so that code reaches it by
 * absolute address whatever the registers hold, and so that a guest can have the same addresses. */
#ifndef TESTS_FUZZ_NATIVE_H
#define TESTS_FUZZ_NATIVE_H

#include <stdbool.h>
#include <stdint.h>

#define NATIVE_CODE       0x300000u /* a page */
#define NATIVE_DATA       0x400000u
#define NATIVE_DATA_BYTES 0x2000u

struct native_state {
    uint64_t gpr[16]; /* in the order of their encoding */
    uint64_t flags;   /* status flags and DF */
};

/* Maps the pages. Ends the program where the addresses are taken. */
void native_init(void);

/* Carries out the `length` bytes of one instruction at NATIVE_CODE. False: the processor raised an exception;
 * *s and the data may have changed. */
bool native_run(const uint8_t *code, unsigned int length, struct native_state *s);

#endif
