/* What the gateway may replace on a board, and what has yet to prove itself since it did.
 *
 * An image that is new has SLOT_TRIES starts. One of them ends when the gateway has acknowledged something, which is
 * the proof that the whole chain works, and confirms it; or at its deadline, by a restart; or by a hang, which is the
 * watchdog's affair. After the last the one before is in use again (core/slots.h). */
#ifndef STETHOS_BOARD_UPDATE_H
#define STETHOS_BOARD_UPDATE_H

#include "board.h"
#include "update.h"

/* The rules for all that goes into the board's slots, and which slots this start uses. Before board_payload. */
void board_rules(struct board *board);

/* What is in use of `store`, where it lies; NULL: nothing, and `*refused` says whether something is there that failed.
 */
const uint8_t *board_payload(struct board *board, enum store store, uint32_t *size, bool *refused);

/* The payload of a slot that has a manifest, where it lies. */
const uint8_t *board_payload_at(struct board *board, enum store store, uint8_t slot, uint32_t *size);

/* Something in use has yet to prove itself. */
bool board_on_trial(struct board *board);

/* Something in use has had its time, and what was before it could take over: time for a restart. */
bool board_overdue(struct board *board, uint64_t since_boot_ms, uint32_t deadline_ms);

/* All that is in use is confirmed from here on; what flash does not take now is confirmed after the next start. */
void board_confirm(struct board *board);

#endif
