# What of the node in C the module is made of: the folder is STETHOS_C. micropython.cmake says the same.
STETHOS_CORE := $(addprefix core/,aes128.c ccm.c codec.c codec_table.c envelope.c fixed.c hkdf.c keys.c replay.c \
	score.c sha256.c slow.c) $(patsubst $(STETHOS_C)/%,%,$(wildcard $(addprefix $(STETHOS_C)/core/,feature*.c fft*.c learner*.c)))
STETHOS_INFER := $(filter-out infer/binding.c infer/dot_% infer/network_text.c, \
	$(patsubst $(STETHOS_C)/%,%,$(wildcard $(STETHOS_C)/infer/*.c $(STETHOS_C)/infer/ops/*.c)))
STETHOS_BINDING := arguments.c features.c learners.c models.c module.c readings.c sealing.c
# In the place of what a firmware decides.
STETHOS_OURS := dot.c operators.c
