/* The loaders: they put a VM's images into its RAM and its first processor into the state that the image's
 * boot protocol asks for. Images are users' input: every offset, size and count in them is checked before
 * use. */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include <stdbool.h>
#include <stddef.h>

struct vm;

/* Loads vm->config's images. The kind is told by content, in this order: Linux bzImage, multiboot 1, PVH ELF,
 * flat real-mode image (512 bytes and more with the boot signature 55AAh at 510).
 *
 * Called at the VM's start and at each restart, after platform_init() or platform_reset() and
 * hv->vcpu_reset() of every vCPU, before any of them runs. Uses vm->config, vm->ram, vm->nvcpus, vm->vcpus[0]
 * and the IOAPIC's id; the images stay untouched. Writes the firmware's tables too (vmm/firmware.h). Every
 * byte that the guest may rely on is written; the rest of RAM is left as it was. Sets vcpus[0]'s registers,
 * segments and control registers through `hv`; vcpu->state is the caller's.
 *
 * On failure: false, and in why (n bytes) one clause that names the image and what is wrong with it, with
 * figures. */
bool load_images(struct vm *vm, char *why, size_t n);

#endif
