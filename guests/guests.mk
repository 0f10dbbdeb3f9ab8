# The guests of our own: `make guests` builds build/guests/. Included by the top Makefile (BUILD, CC, NASM, OBJCOPY).
BUILD   ?= build
NASM    ?= nasm
OBJCOPY ?= $(CROSS_COMPILE)objcopy

GUEST_CFLAGS := -std=c11 -ffreestanding -O2 -m64 -mno-red-zone -mgeneral-regs-only -fno-stack-protector -fno-pic \
	-fno-pie -fcf-protection=none -fno-asynchronous-unwind-tables -Wall -Wextra -Werror -Wconversion -Wshadow \
	-Wstrict-prototypes -Wmissing-prototypes -Wvla -I.
ifneq ($(findstring clang,$(CC)),)
GUEST_CFLAGS += --target=x86_64-unknown-none-elf
endif
GUEST_LD ?= $(CROSS_COMPILE)ld
GUEST_LDFLAGS := -m elf_x86_64 -static -nostdlib -T guests/lib/guest.ld --build-id=none -z max-page-size=4096 \
	-z noexecstack

GUEST_LIB := $(patsubst guests/lib/%.c,$(BUILD)/guests/lib/%.o,$(wildcard guests/lib/*.c)) \
	$(BUILD)/guests/lib/long.asm.o $(BUILD)/guests/lib/traps.asm.o $(BUILD)/guests/lib/smp.asm.o

GUEST_START        := start
GUEST_START_pvh    := start_pvh
GUEST_START_aout   := start_aout
GUEST_C_NAMES      := anew aout bench busy chaos clock figure7 hello hostile inject insn ipi pvclock pvh reader section share warp
GUEST_ELFS         := $(filter-out $(BUILD)/guests/aout.elf,$(GUEST_C_NAMES:%=$(BUILD)/guests/%.elf))
# Boot sectors: as they are, in real mode.
FLATS              := $(patsubst guests/flat/%.asm,$(BUILD)/guests/%.bin,$(wildcard guests/flat/*.asm))
GUESTS             := $(GUEST_ELFS) $(BUILD)/guests/hello64.elf $(BUILD)/guests/aout.bin $(FLATS) \
	$(BUILD)/guests/loader.elf

.PHONY: guests
guests: $(GUESTS)

$(BUILD)/guests/%.o: guests/%.c
	@mkdir -p $(@D)
	$(CC) $(GUEST_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/guests/%.asm.o: guests/%.asm
	@mkdir -p $(@D)
	$(NASM) -f elf64 -o $@ $<

guest_objects = $(patsubst guests/%.c,$(BUILD)/guests/%.o,$(sort $(wildcard guests/$(1)/*.c))) \
	$(if $(filter-out loader flat lib,$(1)),$(patsubst guests/%.asm,$(BUILD)/guests/%.asm.o,$(sort $(wildcard guests/$(1)/*.asm))))
guest_start = $(BUILD)/guests/lib/$(or $(GUEST_START_$(1)),$(GUEST_START)).asm.o

define GUEST_RULE
$(BUILD)/guests/$(1).elf64: $(call guest_start,$(1)) $(call guest_objects,$(1)) $(GUEST_LIB) guests/lib/guest.ld
	$(GUEST_LD) $(GUEST_LDFLAGS) -o $$@ $$(filter %.o,$$^)
endef
$(foreach name,$(GUEST_C_NAMES),$(eval $(call GUEST_RULE,$(name))))

# Not a guest, but what loads the hypervisor badly: 32-bit code and nothing of the library.
$(BUILD)/guests/loader/%.o: guests/loader/%.asm
	@mkdir -p $(@D)
	$(NASM) -f elf64 -o $@ $<

$(BUILD)/guests/loader.elf64: $(BUILD)/guests/loader/loader.o guests/lib/guest.ld
	$(GUEST_LD) $(GUEST_LDFLAGS) -o $@ $<

# ELF32 containers of 64-bit code, so that any multiboot loader takes them (QEMU refuses ELF64); hello also as ELF64.
$(BUILD)/guests/%.elf: $(BUILD)/guests/%.elf64
	$(OBJCOPY) -I elf64-x86-64 -O elf32-i386 -S $< $@

$(BUILD)/guests/hello64.elf: $(BUILD)/guests/hello.elf64
	$(OBJCOPY) -S $< $@

$(BUILD)/guests/aout.bin: $(BUILD)/guests/aout.elf64
	$(OBJCOPY) -O binary $< $@

$(FLATS): $(BUILD)/guests/%.bin: guests/flat/%.asm guests/flat/say.inc guests/flat/checks.inc
	@mkdir -p $(@D)
	$(NASM) -f bin -I./ -o $@ $<

.SECONDARY: $(GUEST_C_NAMES:%=$(BUILD)/guests/%.elf64)
-include $(wildcard $(BUILD)/guests/*/*.d)
