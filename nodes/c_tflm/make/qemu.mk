# Other processors than this computer's, in QEMU: the same sources, a start of our own, files by semihosting.
# `make targets` builds the program that tests/nodes/qemu asks, once for each of them.
TARGETS := cortex-m4 cortex-m7 cortex-m55 rv32imc
ARM_GCC ?= arm-none-eabi-gcc
RISCV_GCC ?= riscv64-unknown-elf-gcc

# One build for figures and results alike; hot loops are written out where that pays, so -Os is enough everywhere. The
# ring has room for 8 Flags with 18 features.
TARGET_FLAGS := -std=c11 -Os -ffunction-sections -fdata-sections -DRING_BYTES=1000
ARM_FLAGS := -mthumb -mfloat-abi=soft --specs=nano.specs
COMPILE_cortex-m4 := $(ARM_GCC) -mcpu=cortex-m4 $(ARM_FLAGS)
COMPILE_cortex-m7 := $(ARM_GCC) -mcpu=cortex-m7 $(ARM_FLAGS)
COMPILE_cortex-m55 := $(ARM_GCC) -mcpu=cortex-m55 $(ARM_FLAGS)
COMPILE_rv32imc := $(RISCV_GCC) -march=rv32imc -mabi=ilp32 --specs=picolibc.specs
START_cortex-m4 := ports/bench/start_arm.c ports/bench/bench.c ports/bench/node_state.c ports/small/memory.c
START_cortex-m7 := ports/bench/start_arm.c ports/small/memory.c
START_cortex-m55 := ports/bench/start_arm.c ports/small/memory.c
START_rv32imc := ports/rv32/start.c
MEMORY_cortex-m4 := ports/bench/mps2.ld
MEMORY_cortex-m7 := ports/bench/mps2.ld
MEMORY_cortex-m55 := ports/bench/mps3.ld
MEMORY_rv32imc := ports/rv32/virt.ld
# Which of the two loops that multiply and add; results never differ.
OTHER_DOT_cortex-m4 := infer/dot_portable.c
OTHER_DOT_cortex-m7 := infer/dot_portable.c
OTHER_DOT_cortex-m55 := infer/dot_portable.c
OTHER_DOT_rv32imc := infer/dot_dsp.c

TARGET_SOURCES := $(filter-out infer/binding.c %_text.c,$(wildcard core/*.c infer/*.c infer/ops/*.c))

# $(1): the target. All that a node can be made of is given to the linker, which keeps what a program uses.
define TARGET_RULES
OBJECTS_$(1) := $$(patsubst %.c,$(BUILD)/$(1)/%.o,$$(filter-out $(OTHER_DOT_$(1)),$(TARGET_SOURCES)) \
	$(START_$(1)) ports/bench/semihost.c)

$(BUILD)/$(1)/gen/%.o: $(GEN)/%.c | $(GEN)/.done
	@mkdir -p $$(@D)
	$(COMPILE_$(1)) $(TARGET_FLAGS) -MD -MP $(WARNINGS) $(INCLUDE) -fcallgraph-info=su -c -o $$@ $$<

$(BUILD)/$(1)/%.o: %.c | $(GEN)/.done
	@mkdir -p $$(@D)
	$(COMPILE_$(1)) $(TARGET_FLAGS) -MD -MP $(WARNINGS) $(INCLUDE) -Iports/bench -fcallgraph-info=su -c -o $$@ $$<

LINK_$(1) = $(COMPILE_$(1)) $(TARGET_FLAGS) -nostartfiles -Wl,--gc-sections -Wl,-Map=$$@.map -Lports/bench \
	-T $(MEMORY_$(1)) -o $$@ $$(filter %.o,$$^)
PROGRAM_$(1) := $$(OBJECTS_$(1)) $(MEMORY_$(1)) ports/bench/sections.ld

$(BUILD)/$(1)/runner.elf: $(BUILD)/$(1)/ports/bench/runner.o $(BUILD)/$(1)/gen/ops.o $$(PROGRAM_$(1))
	$$(LINK_$(1))

$(BUILD)/$(1)/bench_%.elf: $(BUILD)/$(1)/ports/bench/bench_%.o $(BUILD)/$(1)/ports/bench/ops_fully_connected.o $$(PROGRAM_$(1))
	$$(LINK_$(1))

# Convolutions want more operators than the others have.
$(BUILD)/$(1)/bench_spectrogram.elf: $(BUILD)/$(1)/ports/bench/bench_spectrogram.o $(BUILD)/$(1)/gen/ops.o $$(PROGRAM_$(1))
	$$(LINK_$(1))

# A whole node is measured as a firmware for its sensor is built: with the one feature set and the one kind of model
# that it names.
$(BUILD)/$(1)/core/feature_set/statistics.o: core/feature_set.c | $(GEN)/.done
	@mkdir -p $$(@D)
	$(COMPILE_$(1)) $(TARGET_FLAGS) -DFEATURE_SETS=FEATURE_SET_BIT_STATISTICS -MD -MP $(WARNINGS) $(INCLUDE) \
		-fcallgraph-info=su -c -o $$@ $$<

$(BUILD)/$(1)/infer/model/autoencoder/%.o: infer/%.c | $(GEN)/.done
	@mkdir -p $$(@D)
	$(COMPILE_$(1)) $(TARGET_FLAGS) -DMODEL_KINDS=MODEL_BIT_AUTOENCODER -MD -MP $(WARNINGS) $(INCLUDE) \
		-fcallgraph-info=su -c -o $$@ $$<

NODE_$(1) := $(BUILD)/$(1)/ports/bench/bench_node.o $(BUILD)/$(1)/core/feature_set/statistics.o \
	$(BUILD)/$(1)/infer/model/autoencoder/model.o $(BUILD)/$(1)/infer/model/autoencoder/model_image.o \
	$$(filter-out %/core/feature_set.o %/infer/model.o %/infer/model_image.o,$$(PROGRAM_$(1)))
$(BUILD)/$(1)/bench_node.elf: $(BUILD)/$(1)/ports/bench/node_whole.o $(BUILD)/$(1)/ports/bench/ops_fully_connected.o $$(NODE_$(1))
	$$(LINK_$(1))

# And what it cannot be without: no model, no images over the air.
$(BUILD)/$(1)/bench_core.elf: $(BUILD)/$(1)/ports/bench/node_core.o $$(NODE_$(1))
	$$(LINK_$(1))

# The engine for fully-connected models is measured as a firmware for small ones links it: with the plan of chains.
$(BUILD)/$(1)/bench_network.elf: $(BUILD)/$(1)/ports/bench/bench_network.o \
		$(BUILD)/$(1)/ports/bench/ops_fully_connected.o $(BUILD)/$(1)/infer/chain/direct_chain.o \
		$$(filter-out %/infer/direct_plan.o,$$(PROGRAM_$(1)))
	$$(LINK_$(1))

.PRECIOUS: $(BUILD)/$(1)/ports/bench/%.o $(BUILD)/$(1)/gen/%.o
-include $$(OBJECTS_$(1):.o=.d) $$(wildcard $(BUILD)/$(1)/ports/bench/*.d $(BUILD)/$(1)/core/feature_set/*.d \
	$(BUILD)/$(1)/infer/model/autoencoder/*.d)
endef
$(foreach target,$(TARGETS),$(eval $(call TARGET_RULES,$(target))))

.PHONY: targets
targets: $(TARGETS:%=$(BUILD)/%/runner.elf) ## The program that tests ask, for each processor in QEMU

# The engine of infer/tflm.cc in the same program, with the same flags, where TFLM_DIR has the library for a Cortex-M4:
# anywhere below a folder whose name says so.
TFLM_M4 = $(or $(shell find -L $(TFLM_DIR) -path '*cortex-m4*' -name libtensorflow-microlite.a | head -1),$(error \
	TFLM_DIR ($(TFLM_DIR)) has no libtensorflow-microlite.a below a folder named *cortex-m4*))

TFLM_COMPILE = $(COMPILE_cortex-m4:%gcc=%g++) $(filter-out -std=%,$(TARGET_FLAGS)) -std=c++17 -fno-exceptions -fno-rtti \
	-fno-threadsafe-statics -DTF_LITE_STATIC_MEMORY -DTF_LITE_STRIP_ERROR_STRINGS -DNDEBUG -Wall -Wextra -Wconversion \
	$(WERROR) -Iinfer $(TFLM_INCLUDE) -c -o $@ $<
TFLM_LINK = $(COMPILE_cortex-m4:%gcc=%g++) --specs=nosys.specs -Wl,--defsym=end=stack_lowest $(TARGET_FLAGS) -nostartfiles \
	-Wl,--gc-sections -Wl,-Map=$@.map -Lports/bench -T $(MEMORY_cortex-m4) -o $@ $(filter %.o,$^) $(TFLM_M4)
TFLM_PROGRAM := $(filter-out %/bench.o %/node_state.o %/memory.o,$(filter $(BUILD)/cortex-m4/ports/%,$(OBJECTS_cortex-m4))) $(MEMORY_cortex-m4)

$(BUILD)/cortex-m4/infer/tflm.o: $(TFLM_SOURCES)
	@mkdir -p $(@D)
	$(TFLM_COMPILE) \
		'-DTFLM_OPS(OP)=OP(FULLY_CONNECTED, FullyConnected, TfLiteFullyConnectedParams, tflite::OpDataFullyConnected)'

$(BUILD)/cortex-m4/bench_network_tflm.elf: $(BUILD)/cortex-m4/infer/tflm.o \
		$(addprefix $(BUILD)/cortex-m4/ports/bench/,bench_network.o bench.o) $(TFLM_PROGRAM)
	$(TFLM_LINK)

# What tests ask, by this engine with all operators.
$(BUILD)/cortex-m4/infer/tflm_all.o: $(TFLM_SOURCES)
	@mkdir -p $(@D)
	$(TFLM_COMPILE)

$(BUILD)/cortex-m4/runner_tflm.elf: $(BUILD)/cortex-m4/infer/tflm_all.o $(BUILD)/cortex-m4/ports/bench/runner.o \
		$(addprefix $(BUILD)/cortex-m4/infer/,model.o model_image.o spectrogram.o cbor.o) \
		$(filter $(BUILD)/cortex-m4/core/%,$(OBJECTS_cortex-m4)) $(TFLM_PROGRAM)
	$(TFLM_LINK)
