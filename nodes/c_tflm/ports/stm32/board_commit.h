/* What provisioning has written beside what is in use comes into use all at once: configuration, model, and for another
 * key the records of its numbers.
 *
 * The one moment is the mark by which the configuration's slot becomes the active one. What has to follow stands in a
 * note in that slot before, and the next start does it, again if need be, before there is a node. So wherever the power
 * goes, the board is the old node whole or the new one whole. */
#ifndef STETHOS_BOARD_COMMIT_H
#define STETHOS_BOARD_COMMIT_H

#include "board.h"

/* As it lies in the slot. */
struct board_note {
    uint8_t new_node;     /* not 0: another key than before */
    uint8_t take_model;   /* this slot of the model comes into use; STORE_SLOTS and above: none */
    uint8_t erase_models; /* bit 1 << slot */
};

/* The configuration in this slot comes into use, and what is noted with it. */
enum image_reply board_commit(struct board *board, uint8_t slot, const struct board_note *note);

/* What is noted in the configuration's slot and not done yet; -1: nothing. A new node's numbers begin where those of
 * the node before it ended, so not even a key that comes back uses one twice. All else of its records and its learner
 * is new, and the configuration before it is erased. False: flash has refused, and there must be no node. */
bool board_settle(struct board *board, const struct port *port, int slot);

#endif
