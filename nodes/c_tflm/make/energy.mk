# Supply currents by activity, from gateway/energy: $(GEN)/energy_BOARD_SENSOR_RADIO.h. A port includes the one that it
# is built for, and the rule below that names its object makes the header in time.
ENERGY := ../../gateway/energy
ENERGY_SOURCES := $(wildcard $(ENERGY)/*.py $(ENERGY)/*/*.toml)

$(GEN)/energy_%.h: $(ENERGY_SOURCES) | $(GEN)/.done
	@mkdir -p $(@D)
	PYTHONPATH=../.. $(PYTHON) -m gateway.energy.header $(subst _, ,$*) >$@.part && mv $@.part $@

$(BUILD)/ports/host/host.o $(BUILD)/lint/ports/host/host.done: $(GEN)/energy_stm32l475_lis2dw12_lpuart.h
