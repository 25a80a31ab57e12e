/* From what lies in flash to a node that runs: the same in a firmware and in the tests. */
#ifndef STETHOS_RUN_H
#define STETHOS_RUN_H

#include "board.h"

enum { RUN_MODEL_MEMORY = 12288 };

/* Everything of a node but what a reset leaves as it is. */
struct run {
    struct board board;
    struct port port;
    struct node_config config;
    struct node node;
    struct learner learner;
    struct model model, trial;
    uint64_t model_memory[RUN_MODEL_MEMORY / sizeof(uint64_t)];
    uint64_t trial_memory[RUN_MODEL_MEMORY / sizeof(uint64_t)];
    int16_t samples[NODE_SAMPLES_MAX * NODE_CHANNELS_MAX];
    uint64_t began_ms;
    uint32_t acknowledged; /* before this start */
    bool on_trial;
};

/* `run` and `kept` stay in use. The port's interrupt has &run->board.line.uart. */
enum board_fault run_begin(struct run *run, const struct registers *r, struct timebase *time, struct node_kept *kept,
                           uint8_t reset_cause, const char *firmware);

/* One wake: how long to sleep now, or NODE_NEVER, as node_step. */
uint32_t run_step(struct run *run);

/* In place of a wake, where there is no node to be had: an image on trial that is the reason gives way. */
void run_give_way(struct run *run);

#endif
