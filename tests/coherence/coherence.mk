# How well a VM's clocks agree, and how they do without the coordinator. Included by the top Makefile.
COHERENCE_ARGS ?=

.PHONY: coherence coherence-minute coherence-docs
coherence: kernel guests
	$(Q)$(PYTHON) tests/coherence/measure.py --build $(BUILD) $(COHERENCE_ARGS)

# Eight busy VMs, a minute each, on SVM and on VMX: long enough to tell a rate that is 1 ppm off.
MINUTE := --vms 8 --seconds 60 --only coordinated
coherence-minute: kernel guests
	$(Q)$(PYTHON) tests/coherence/measure.py --build $(BUILD) $(MINUTE) --out $(BUILD)/coherence/minute-qemu $(COHERENCE_ARGS)
	$(Q)$(PYTHON) tests/coherence/measure.py --build $(BUILD) $(MINUTE) --out $(BUILD)/coherence/minute-bochs --on bochs $(COHERENCE_ARGS)

# Into docs/coherence.md and docs/coherence.svg.
coherence-docs:
	$(Q)$(MAKE) --no-print-directory coherence COHERENCE_ARGS="--docs $(COHERENCE_ARGS)"
	$(Q)$(MAKE) --no-print-directory coherence-minute COHERENCE_ARGS="--docs $(COHERENCE_ARGS)"
