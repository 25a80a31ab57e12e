# Flash, RAM and worst stack of the whole core for a Cortex-M4, by module and function. Fails where the stack has no bound.
STACK_ROOTS := node_init node_step node_flush node_stop model_open

.PHONY: size
size: $(BUILD)/cortex-m4/bench_node.elf
	@$(PYTHON) tools/size.py --functions $<
	@$(PYTHON) tools/stack.py $< $(STACK_ROOTS)
