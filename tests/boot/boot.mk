# Set-up, boot tests and the demonstration. Included by the top Makefile.
DEBIAN    := $(BUILD)/debian
INITRD    := $(DEBIAN)/initrd.img
PROGRAMS  := $(DEBIAN)/sleep5 $(DEBIAN)/againstrtc $(DEBIAN)/clocks
JOBS      ?= 2
BOOT_ARGS ?=

.PHONY: setup setup-run debian run iso soak boot-test boot-runner-test
setup:
	@tools/setup
setup-run:
	@tools/setup run

# Status 0 with or without the registry: what could not be fetched is left out and said (tools/fetch-debian).
debian: $(INITRD)
	@tools/fetch-debian $(DEBIAN) || true

$(PROGRAMS): $(DEBIAN)/%: tests/boot/initramfs/%.c tests/boot/initramfs/linux.h
	@mkdir -p $(@D)
	$(CC) -std=c11 -O2 -m64 -ffreestanding -fno-stack-protector -fno-pic -no-pie -static -nostdlib $(WARN) -I. -o $@ $<

$(INITRD): tests/boot/initramfs/init $(PROGRAMS) tools/mkinitramfs
	tools/mkinitramfs $@ tests/boot/initramfs/init $(PROGRAMS)

# `$(MAKE)` again after the set-up: the compiler may have come with it.
run: setup-run
	@$(MAKE) --no-print-directory kernel guests debian
	@tools/demo $(BUILD)

# The same guests on a medium for CD, disk and USB stick.
iso: setup-run
	@$(MAKE) --no-print-directory kernel guests debian
	@tools/demo $(BUILD) --image $(BUILD)/escapement.iso --no-run

boot-runner-test:
	$(PYTHON) tests/boot/test_runner.py
	$(PYTHON) tests/boot/test_kit.py

# Nine VMs and a restless operator, for as long as one likes: make soak SOAK_SECONDS=3600 SOAK_SEED=7
SOAK_SECONDS ?= 60
soak: kernel guests
	SOAK_SECONDS=$(SOAK_SECONDS) $(PYTHON) tests/boot/run.py --filter '^soak$$' --on qemu --build $(BUILD)

boot-test: kernel debug guests debian boot-runner-test
	$(PYTHON) tests/boot/run.py -j $(JOBS) --build $(BUILD) $(BOOT_ARGS)
