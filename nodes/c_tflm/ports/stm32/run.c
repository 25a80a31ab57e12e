#include "run.h"

#include <string.h>

#include "board_commit.h"
#include "board_update.h"

enum { DEADLINE_MS = 3600000 };

/* NULL: there is none that this firmware can run; `*broken`: but there is one. */
static struct model *open_model(struct run *run, bool *broken) {
    uint32_t size;
    const uint8_t *image = board_payload(&run->board, STORE_MODEL, &size, broken);
    if (image == NULL) {
        return NULL;
    }
    *broken = model_open(&run->model, image, size, run->model_memory, sizeof run->model_memory) != MODEL_OK ||
              run->model.heard > run->model.samples;
    return *broken ? NULL : &run->model;
}

enum board_fault run_begin(struct run *run, const struct registers *r, struct timebase *time, struct node_kept *kept,
                           uint8_t reset_cause, const char *firmware) {
    const struct board_trial trial = {&run->trial, run->trial_memory, sizeof run->trial_memory};
    bool broken;
    memset(run, 0, sizeof *run);
    const enum board_fault fault = board_start(&run->board, r, time, trial);
    if (fault != BOARD_OK) {
        return fault;
    }
    run->port = board_port(&run->board);
    if (!board_settle(&run->board, &run->port, run->board.used[STORE_CONFIG])) {
        return BOARD_NO_RECORD;
    }
    struct model *model = open_model(run, &broken);
    if (run->board.config.line == LINE_MODULE) {
        time_pace(time, PACE_RADIO);
        module_start(&run->board.module, r, time, &run->board.line.uart);
    }
    run->config = board_node_config(&run->board, model, broken, &run->learner, reset_cause, firmware);
    if (!board_provision(&run->board, &run->port)) {
        return BOARD_NO_RECORD;
    }
    if (run->config.learner != NULL) {
        memset(kept, 0, sizeof *kept); /* a reset has cost the learner its memory: the node takes it from its slot */
    }
    if (node_init(&run->node, &run->config, &run->port, model, run->samples, kept) != NODE_RUNNING) {
        return BOARD_NO_RECORD;
    }
    run->began_ms = time_now_ms(time);
    run->acknowledged = kept->counters.acknowledged;
    run->on_trial = board_on_trial(&run->board);
    return BOARD_OK;
}

/* Long enough for a report that is due only at the next heartbeat, and for a gateway that is being restarted. */
static uint32_t deadline_ms(const struct run *run) {
    const uint32_t heartbeat_ms = node_heartbeat_ms(&run->node);
    const uint32_t two_ms = heartbeat_ms < UINT32_MAX / 2 ? 2 * heartbeat_ms : UINT32_MAX;
    return two_ms > DEADLINE_MS ? two_ms : DEADLINE_MS;
}

static void watch_trial(struct run *run) {
    if (run->node.kept->counters.acknowledged != run->acknowledged) {
        board_confirm(&run->board);
        run->on_trial = false;
    } else if (board_overdue(&run->board, time_now_ms(run->board.time) - run->began_ms, deadline_ms(run))) {
        node_stop(&run->node);
        run->port.restart(run->port.context);
    }
}

uint32_t run_step(struct run *run) {
    time_pace(run->board.time, PACE_COMPUTE);
    const uint32_t sleep_ms = node_step(&run->node);
    board_rest(&run->board);
    if (run->on_trial) {
        watch_trial(run);
    }
    return sleep_ms;
}

void run_give_way(struct run *run) {
    if (board_on_trial(&run->board)) {
        run->port = board_port(&run->board);
        run->port.restart(run->port.context);
    }
}
