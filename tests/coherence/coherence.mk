# How well a VM's clocks agree, and how they do without the coordinator. Included by the top Makefile.
COHERENCE_ARGS ?=

.PHONY: coherence coherence-docs
coherence: kernel guests
	$(Q)$(PYTHON) tests/coherence/measure.py --build $(BUILD) $(COHERENCE_ARGS)

# Into docs/coherence.md and docs/coherence.svg.
coherence-docs:
	$(Q)$(MAKE) --no-print-directory coherence COHERENCE_ARGS="--docs $(COHERENCE_ARGS)"
