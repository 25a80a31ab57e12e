# Flash, RAM and worst stack of a whole node for a Cortex-M4, by module and function; flash and RAM of the core alone.
# Fails where the stack has no bound.
STACK_ROOTS := node_init node_step node_flush node_stop model_open

.PHONY: size
size: $(BUILD)/cortex-m4/bench_node.elf $(BUILD)/cortex-m4/bench_core.elf
	@$(PYTHON) tools/size.py --functions $<
	@$(PYTHON) tools/stack.py $< $(STACK_ROOTS)
	@echo; echo "Without models and without images over the air:"
	@$(PYTHON) tools/size.py $(word 2,$^)
