/* The board: everything that the port's functions need, behind one context. */
#ifndef STETHOS_BOARD_H
#define STETHOS_BOARD_H

#include "cobs_uart.h"
#include "config_page.h"
#include "model.h"
#include "module.h"
#include "node.h"
#include "persist.h"
#include "slots.h"
#include "source.h"

/* Where a model is tried while another one is in use. */
struct board_trial {
    struct model *model;
    void *memory;
    size_t size;
};

struct board {
    const struct registers *registers;
    struct timebase *time;
    struct source *source;
    struct persist *persist;
    struct config_page config;
    struct cobs_uart line;
    struct module module; /* at the end of it, with LINE_MODULE */
    struct board_trial trial;
    struct image_rules rules;
    int8_t used[STORES]; /* the slot that this start has taken of each store; -1: none */
};

enum board_fault {
    BOARD_OK,
    BOARD_NO_CLOCK = 2, /* so often the lamp blinks */
    BOARD_NO_CONFIG,
    BOARD_NO_SENSOR,
    BOARD_NO_LINE,
    BOARD_NO_RECORD,
};

/* Opens what the configuration in its slot names, once the chip runs. `trial` stays in use. */
enum board_fault board_start(struct board *board, const struct registers *r, struct timebase *time,
                             struct board_trial trial);

/* Where everything replaceable lies, for core/slots.h; its context is the board, as the port's. */
extern const struct port_store BOARD_STORE;

struct port board_port(struct board *board);

/* `model`: NULL for none. `learner`: all 0; for a node that is to have one. It lasts as long as the board. */
struct node_config board_node_config(struct board *board, const struct model *model, bool model_broken,
                                     struct learner *learner, uint8_t reset_cause, const char *firmware);

/* The radio rests from here to the next transmission. */
void board_rest(struct board *board);

/* First records, if the configuration is fresh. False: they could not be made. */
bool board_provision(struct board *board, const struct port *port);

#endif
