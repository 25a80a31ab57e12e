# For a firmware of one's own: make -C ports/... USER_C_MODULES=.../nodes/micropython
STETHOS_HERE := $(patsubst %/,%,$(USERMOD_DIR))
STETHOS_C := $(abspath $(STETHOS_HERE)/../../c_tflm)
include $(STETHOS_HERE)/sources.mk

STETHOS_PLAIN := $(addprefix $(STETHOS_C)/,$(STETHOS_CORE) $(STETHOS_INFER)) $(addprefix $(STETHOS_HERE)/,$(STETHOS_OURS))
SRC_USERMOD_C += $(addprefix $(STETHOS_HERE)/,$(STETHOS_BINDING))
SRC_USERMOD_LIB_C += $(STETHOS_PLAIN)

# Only for these: a firmware has other files called message.h or keys.h.
STETHOS_OBJECTS := $(patsubst $(USER_C_MODULES)/%,%,$(STETHOS_PLAIN) $(addprefix $(STETHOS_HERE)/,$(STETHOS_BINDING)))
$(STETHOS_OBJECTS:%.c=$(BUILD)/%.o): CFLAGS += -std=gnu11 -include $(STETHOS_HERE)/names.h -DMODEL_KINDS=3 -I$(STETHOS_C)/core -I$(STETHOS_C)/infer
