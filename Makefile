# Escapement. Two commands do everything on a fresh Debian machine:
#   make run     two Debian Linux guests and the clock guest, side by side
#   make test    every test: host unit tests, golden figures, boot tests
# `make help` lists the rest.

BUILD ?= build

# What is being made, one short line each; V=1 shows the commands.
ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n'
endif

# On another architecture the kernel is cross-built with Debian's gcc-x86-64-linux-gnu.
HOST_ARCH := $(shell uname -m)
ifneq ($(HOST_ARCH),x86_64)
CROSS_COMPILE ?= x86_64-linux-gnu-
endif
ifeq ($(origin CC),default)
CC := $(CROSS_COMPILE)gcc
endif
LD      := $(CROSS_COMPILE)ld
OBJCOPY := $(CROSS_COMPILE)objcopy
STRIP   := $(CROSS_COMPILE)strip
NM      := $(CROSS_COMPILE)nm
NASM    ?= nasm
HOSTCC  ?= gcc
PYTHON  ?= python3

WARN := -Wall -Wextra -Werror -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
STD  := -std=c11 $(WARN) -I.

# A canary in every function with an array or the address of a local (arch/x86/protect.h). Not on the way from an exit to
# the next entry (KHOT_C below), where each would pay for it.
STACK_PROTECTOR := -fstack-protector-strong -mstack-protector-guard=global

KCFLAGS := $(STD) -ffreestanding -O2 -g -m64 -march=x86-64 -mcmodel=kernel -mno-red-zone -mgeneral-regs-only \
           -fno-pic -fno-strict-aliasing -fno-omit-frame-pointer -momit-leaf-frame-pointer \
           -fno-asynchronous-unwind-tables -fno-builtin-printf -ffile-prefix-map=$(CURDIR)/=
ifneq ($(findstring clang,$(CC)),)
KCFLAGS += --target=x86_64-unknown-none-elf
endif
ifeq ($(DEBUG),1)
KCFLAGS += -DESC_DEBUG
endif
HCFLAGS := $(STD) -O1 -g -DESC_DEBUG -D_DEFAULT_SOURCE
SAN     := -fsanitize=address,undefined -fno-sanitize-recover=all

all:

.PHONY: mutants prove bench-time all kernel guests timesim run test check unit golden boot-test lint analyze format clean setup help debug debian
all: kernel guests timesim

# ---- the kernel ------------------------------------------------------------------------------------------------

K := $(BUILD)/kernel
BACKENDS ?= vmx svm
KSRC_C   := $(sort $(wildcard arch/x86/*.c $(BACKENDS:%=arch/x86/%/*.c) kernel/*.c vmm/*.c timers/*.c))
KSRC_ASM := $(sort $(wildcard boot/*.asm arch/x86/*.asm $(BACKENDS:%=arch/x86/%/*.asm)))
# The way from an exit to the next entry is short and leads through these: the linker compiles them as one. Not where
# gdb is to find each function, nor by clang, which wants another linker for it.
KHOT_C   := $(wildcard timers/*.c $(BACKENDS:%=arch/x86/%/*.c)) $(addprefix arch/x86/,apic.c fpu.c traps.c window.c) \
            $(addprefix kernel/,alarm.c host.c processor.c sched.c turns.c) \
            $(addprefix vmm/,apic_bus.c bus.c cpuid.c dispatch.c emulate.c lapic.c lapic_regs.c mmio_move.c pic.c \
            platform.c platform_irq.c platform_ports.c run.c trace.c vcpu.c)
KOBJ     := $(KSRC_ASM:%.asm=$(K)/%.asm.o) $(KSRC_C:%.c=$(K)/%.o)

kernel: $(BUILD)/escapement.elf

ifeq ($(findstring clang,$(CC))$(filter 1,$(DEBUG)),)
$(KHOT_C:%.c=$(K)/%.o): KCFLAGS += -flto
KLINK := $(CC) $(KCFLAGS) -fno-stack-protector -flto -flto-partition=one -nostdlib -static -no-pie -T linker.ld \
         -Wl,-z,max-page-size=0x1000,--no-warn-rwx-segments,--build-id=none
else
KLINK := $(LD) -nostdlib -static -T linker.ld -z max-page-size=0x1000 --no-warn-rwx-segments --build-id=none
endif

$(KHOT_C:%.c=$(K)/%.o): STACK_PROTECTOR := -fno-stack-protector
$(K)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) CC $<
	$(Q)$(CC) $(KCFLAGS) $(STACK_PROTECTOR) -MMD -MP -c $< -o $@

$(K)/%.asm.o: %.asm Makefile
	@mkdir -p $(@D)
	$(say) NASM $<
	$(Q)$(NASM) -f elf64 -g -F dwarf -I./ -MD $(@:.o=.d) -MP $< -o $@

$(BUILD)/escapement.debug: $(KOBJ) linker.ld
	$(say) LD $@
	$(Q)$(KLINK) $(KOBJ) -o $@

# An ELF32 container of the 64-bit kernel: what GRUB's multiboot and `qemu -kernel` take.
$(BUILD)/escapement.elf: $(BUILD)/escapement.debug
	$(say) OBJCOPY $@
	$(Q)$(OBJCOPY) --strip-all -O elf32-i386 $< $@

debug:
	$(MAKE) BUILD=$(BUILD)/debug DEBUG=1 kernel

# ---- host programs and unit tests ------------------------------------------------------------------------------

H := $(BUILD)/host
TIMERS_C := $(sort $(wildcard timers/*.c))
HOSTLIB_C := $(TIMERS_C) $(sort $(wildcard vmm/*.c tests/unit/support/*.c))
HOSTLIB_O := $(HOSTLIB_C:%.c=$(H)/%.o)
UNIT_C   := $(sort $(wildcard tests/unit/test_*.c))
UNIT_BIN := $(UNIT_C:tests/unit/%.c=$(H)/%)

$(H)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) HOSTCC $<
	$(Q)$(HOSTCC) $(HCFLAGS) $(SAN) -MMD -MP -c $< -o $@

$(H)/libhost.a: $(HOSTLIB_O)
	@rm -f $@
	$(Q)ar rcs $@ $^

# A test that needs more than timers/ and vmm/ names it in a comment: /* links: kernel/format.c */
define unit_rule
$(H)/$(basename $(notdir $(1))): $(H)/$(1:.c=.o) $(patsubst %.c,$(H)/%.o,$(filter %.c,$(shell sed -n 's/.*links: *\(.*\)\*\/.*/\1/p' $(1)))) $(H)/libhost.a
	$(Q)$(HOSTCC) $(SAN) $$^ -lcmocka -o $$@
endef
$(foreach t,$(UNIT_C),$(eval $(call unit_rule,$(t))))

UNIT_PY := $(sort $(wildcard tests/unit/test_*.py))
unit: $(UNIT_BIN) timesim
	TIMESIM=$(BUILD)/timesim $(PYTHON) tests/unit/run.py $(UNIT_BIN) $(UNIT_PY)

TIMESIM_C := $(sort $(wildcard tools/timesim/*.c)) $(TIMERS_C)
timesim: $(BUILD)/timesim
$(BUILD)/timesim: $(TIMESIM_C:%.c=$(BUILD)/native/%.o)
	$(say) HOSTLD $@
	$(Q)$(HOSTCC) $^ -o $@
$(BUILD)/native/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) HOSTCC $<
	$(Q)$(HOSTCC) $(STD) -O2 -g -D_DEFAULT_SOURCE -MMD -MP -c $< -o $@

golden: timesim
	$(PYTHON) tests/golden/run.py $(BUILD)/timesim

# ---- the time core: mutants, proof, costs ----------------------------------------------------------------------

mutants:
	$(PYTHON) tests/mutants/run.py $(BUILD)

prove:
	tools/setup prove
	tools/prove

bench-time: $(BUILD)/bench_time
	$(PYTHON) tests/bench/bench_time.py $< $(BUILD) $(BENCH_TIME_ARGS)
$(BUILD)/bench_time: $(BUILD)/native/tests/bench/bench_time.o $(TIMERS_C:%.c=$(BUILD)/native/%.o)
	$(say) HOSTLD $@
	$(Q)$(HOSTCC) $^ -o $@

# ---- guests, images, boot tests --------------------------------------------------------------------------------

-include guests/guests.mk
-include tests/boot/boot.mk
-include tests/bench/bench.mk
-include tests/fuzz/fuzz.mk
-include tests/coherence/coherence.mk
-include tests/coverage.mk

# Static analysers that take minutes; cppcheck's quick part is in lint.
analyze:
	$(PYTHON) tools/analyze

format:
	clang-format -i $$(git ls-files -co --exclude-standard '*.c' '*.h')

lint: kernel
	$(PYTHON) tools/lint $(BUILD)

# Quick, for every change: under 30 s when little has changed.
check: unit golden lint

# Everything, on a fresh machine too; closes with `N passed, N failed`.
test: setup
	@$(MAKE) --no-print-directory all debian
	@$(PYTHON) tools/test

help:
	@echo 'make run          two Debian Linux guests and the clock guest, side by side'
	@echo 'make iso          build/escapement.iso: the same guests on a medium for CD, disk and USB stick'
	@echo 'make test         all tests: lint, unit, golden figures, boot tests (sets the machine up first)'
	@echo 'make check        unit tests, golden figures and lint only'
	@echo 'make              the kernel, timesim and our guests, into build/'
	@echo 'make unit | golden | lint | boot-test    one phase; boot-test BOOT_ARGS="--filter NAME"'
	@echo 'make soak         nine VMs, paused, reset, retuned and killed at random; SOAK_SECONDS=60 SOAK_SEED=1'
	@echo 'make debug        the kernel with its assertions, into build/debug/'
	@echo 'make bench        costs to the instruction, beside their budgets (QEMU); BENCH_ARGS="--filter trips"'
	@echo 'make bench-peers      the same for KVM on the same emulator, beside ours'
	@echo 'make bench-linux      Debian to its first user process, natively and as a guest'
	@echo 'make bench-profile    where they go, by function; BENCH_ARGS="cpuid switch [--lines]"'
	@echo 'make bench-scaling    eight busy guests on 1, 2 and 4 processors (Bochs; minutes)'
	@echo 'make bench-time   costs of each operation of the time coordinator, in instructions'
	@echo 'make coherence    how well clocks agree among busy VMs, also uncoordinated and on plain QEMU: build/coherence/'
	@echo 'make coherence-minute   the same for eight VMs and a minute each, on QEMU and in Bochs: rates within 1 ppm'
	@echo 'make mutants      flips each operator of the time core in turn; the tests must notice'
	@echo 'make prove        Frama-C on the time core: docs/proof.md'
	@echo 'make fuzz         every fuzz target for FUZZ_TIME=600 seconds; FUZZ="decode load" only these'
	@echo 'make coverage     branches of timers/ and vmm/ that the unit tests take, and those they do not'
	@echo 'make analyze      clang-tidy, cppcheck, gcc -fanalyzer'
	@echo 'make format       clang-format on all of our files'
	@echo 'CROSS_COMPILE=x86_64-linux-gnu-, CC=clang, DEBUG=1, V=1, BUILD=dir'

clean:
	rm -rf $(BUILD)

DEPS := $(KOBJ:.o=.d) $(HOSTLIB_O:.o=.d) $(UNIT_C:%.c=$(H)/%.d) $(TIMESIM_C:%.c=$(BUILD)/native/%.d)
-include $(DEPS)
# What tests link beside them (unit_rule).
-include $(wildcard $(H)/kernel/*.d $(H)/arch/*/*.d $(H)/arch/*/*/*.d)
