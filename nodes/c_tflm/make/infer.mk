# The table of operators that `direct` is built with.
$(GEN)/ops.c: always
	@mkdir -p $(GEN)
	@{ echo '#include "op.h"'; \
		for op in $(OP_SOURCES:infer/ops/%.c=%); do echo "extern const struct op_kind op_$$op;"; done; \
		echo 'const struct op_kind *const ops[] = {'; \
		for op in $(OP_SOURCES:infer/ops/%.c=%); do echo "    &op_$$op,"; done; \
		echo '};'; echo 'const uint8_t ops_n = sizeof ops / sizeof ops[0];'; } >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(GEN)/ops.o: $(GEN)/ops.c
	$(CC) $(BASE) $(WARNINGS) $(INCLUDE) -c -o $@ $<

.PHONY: always

# The same functions by TensorFlow Lite Micro, where TFLM_DIR names a folder with its headers (tensorflow/lite/..., and
# third_party/ with those it includes) and, anywhere below, libtensorflow-microlite.a: upstream's own make puts one for
# each processor into a folder that is named after it.
TFLM_DIR ?=
TFLM_INCLUDE := $(foreach at,$(TFLM_DIR) $(TFLM_DIR)/include,-isystem $(at) \
	$(patsubst %,-isystem $(at)/third_party/%,flatbuffers/include gemmlowp ruy))
ifneq ($(TFLM_DIR),)
.PHONY: tflm
tflm: $(BUILD)/libstethos-tflm.so
endif

TFLM_SOURCES := infer/tflm.cc $(wildcard infer/tflm*.hpp) infer/network.h
TFLM_HERE = $(or $(shell find -L $(TFLM_DIR) -name libtensorflow-microlite.a -not -path '*cortex*' | head -1),$(error \
	TFLM_DIR ($(TFLM_DIR)) has no libtensorflow-microlite.a for this computer))

$(BUILD)/infer/tflm.o: $(TFLM_SOURCES)
	@mkdir -p $(@D)
	$(CXX) -std=c++17 -O2 -fPIC -fno-exceptions -fno-rtti -DTF_LITE_STATIC_MEMORY -Wall -Wextra -Wconversion $(WERROR) \
		-Iinfer $(TFLM_INCLUDE) -c -o $@ $<

$(BUILD)/libstethos-tflm.so: $(BUILD)/infer/tflm.o $(BUILD)/infer/binding.o $(BUILD)/infer/network_text.o
	$(CXX) -shared -o $@ $^ $(TFLM_HERE)
