/* The firmware: what lies in flash becomes a node, and the node runs for ever. All state of the port is here. */
#include "board.h"
#include "chip.h"
#include "cortex.h"

enum { MODEL_MEMORY = 8192, BLINK_MS = 200, BLINKS_EVERY_MS = 5000 };

static const struct registers REGISTERS;
static struct board board;
static struct node node;
static struct node_kept kept __attribute__((section(".retained"))); /* a reset leaves it as it is */
static struct model model;
static struct learner learner;
static uint64_t model_memory[MODEL_MEMORY / sizeof(uint64_t)];
static int16_t samples[NODE_SAMPLES_MAX * NODE_CHANNELS_MAX];

void line_interrupt(void);

void line_interrupt(void) {
    uart_interrupt(&REGISTERS, &board.line.uart);
}

/* Somebody has to see to this node; the lamp says why. */
static _Noreturn void refuse(struct timebase *time, enum board_fault fault) {
    for (;;) {
        for (unsigned i = 0; i < (unsigned)fault && time != NULL; i++) {
            chip_lamp(&REGISTERS, true);
            time_pass(&REGISTERS, time, BLINK_MS);
            chip_lamp(&REGISTERS, false);
            time_pass(&REGISTERS, time, BLINK_MS);
        }
        if (time == NULL) {
            chip_lamp(&REGISTERS, true);
            register_wait(&REGISTERS);
        } else {
            time_sleep(time, BLINKS_EVERY_MS);
        }
    }
}

/* NULL: there is none that this firmware can run; `*broken`: but there is one. */
static struct model *open_model(bool *broken) {
    uint32_t size;
    const uint8_t *image = board_payload(&board, STORE_MODEL, &size, broken);
    if (image == NULL) {
        return NULL;
    }
    *broken = model_open(&model, image, size, model_memory, sizeof model_memory) != MODEL_OK;
    return *broken ? NULL : &model;
}

int main(void) {
    bool broken;
    const uint8_t cause = chip_reset_cause(&REGISTERS);
    chip_start(&REGISTERS);
    struct timebase *time = time_start(&REGISTERS);
    if (time == NULL) {
        refuse(NULL, BOARD_NO_CLOCK);
    }
    const enum board_fault fault = board_start(&board, &REGISTERS, time);
    if (fault != BOARD_OK) {
        refuse(time, fault);
    }
    const struct port port = board_port(&board);
    struct model *opened = open_model(&broken);
    const struct node_config config = board_node_config(board.config, opened, broken, &learner, cause, FIRMWARE);
    if (!board_provision(&board, &port)) {
        refuse(time, BOARD_NO_RECORD);
    }
    node_init(&node, &config, &port, opened, samples, &kept);
    for (;;) {
        time_pace(time, PACE_COMPUTE);
        const uint32_t sleep_ms = node_step(&node);
        if (sleep_ms == NODE_NEVER) {
            refuse(time, BOARD_NO_RECORD);
        }
        time_sleep(time, sleep_ms);
    }
}
