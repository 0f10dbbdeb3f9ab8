/* A whole VM for native tests: built by vm_create() on the fake backend and the fake host from a boot sector
 * that does nothing, so that its devices, its time and its controllers are the real ones. */
#ifndef TESTS_FAKE_VM_H
#define TESTS_FAKE_VM_H

#include <stdint.h>

#include "vmm/vm.h"

#define FAKE_VM_MEM (8u << 20)

/* The settings of such a VM, for tests that change them. */
struct vm_config fake_vm_config(void);

/* The fake host, backend and CPUID as they were at the start of the program. */
void fake_reset(void);

/* A VM beside those that are there; NULL: refused. */
struct vm *fake_vm_create(const struct vm_config *config);

/* The same after fake_reset(). */
struct vm *fake_vm_start(const struct vm_config *config);

/* cmocka set-up and tear-down: fake_vm_start() with fake_vm_config(); *state is the struct vm. */
int fake_vm_setup(void **state);
int fake_vm_teardown(void **state);

/* Puts vCPU 0 into 64-bit mode, ring 0, paging through tables at 10000h that map the first GiB onto itself in
 * 2 MiB pages (writable, supervisor), and FEC00000h-FEFFFFFFh too; RIP at 8000h. */
void fake_vm_long_mode(struct vm *vm);
#define FAKE_VM_DIRECTORY 0x12000u /* its directory of the first GiB: 512 entries of 2 MiB each */
/* ... into 32-bit protected mode without paging, flat segments; RIP at 8000h. */
void fake_vm_flat32(struct vm *vm);
/* ... and this code at RIP. */
void fake_vm_code(struct vm *vm, const void *bytes, unsigned int n);

#endif
