# MicroPython's own REPL for boards, in the unix port, which has another: tests/micropython/build
SRC_USERMOD_C += $(USERMOD_DIR)/board_repl.c
