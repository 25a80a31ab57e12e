/* The board: everything that the port's functions need, behind one context. */
#ifndef STETHOS_BOARD_H
#define STETHOS_BOARD_H

#include "cobs_uart.h"
#include "config_page.h"
#include "node.h"
#include "persist.h"
#include "slots.h"
#include "source.h"

struct board {
    const struct registers *registers;
    struct timebase *time;
    struct source *source;
    struct persist *persist;
    const struct config_page *config;
    struct cobs_uart line;
};

enum board_fault {
    BOARD_OK,
    BOARD_NO_CLOCK = 2, /* so often the lamp blinks */
    BOARD_NO_CONFIG,
    BOARD_NO_SENSOR,
    BOARD_NO_LINE,
    BOARD_NO_RECORD,
};

/* Opens what the configuration in its slot names, once the chip runs. */
enum board_fault board_start(struct board *board, const struct registers *r, struct timebase *time);

/* Where everything replaceable lies, for core/slots.h; its context is the board, as the port's. */
extern const struct port_store BOARD_STORE;

/* What is in use of `store`, where it lies; NULL: nothing, and `*refused` says whether something is there that failed.
 */
const uint8_t *board_payload(struct board *board, enum store store, uint32_t *size, bool *refused);

struct port board_port(struct board *board);

/* `model`: NULL for none. `learner`: all 0; for a node that is to have one. */
struct node_config board_node_config(const struct config_page *page, const struct model *model, bool model_broken,
                                     struct learner *learner, uint8_t reset_cause, const char *firmware);

/* First records, if the configuration is fresh. False: they could not be made. */
bool board_provision(struct board *board, const struct port *port);

#endif
