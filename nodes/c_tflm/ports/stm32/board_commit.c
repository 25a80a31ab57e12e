#include "board_commit.h"

#include <string.h>

#include "board_update.h"
#include "ceiling.h"
#include "chip_layout.h"
#include "notes.h"

/* Behind the payload's room: what follows, and a second word when it is done. */
enum { AT_NOTE = CHIP_STORE_HEAD + CONFIG_ROOM, SIGN = 5 };

struct noted {
    uint8_t sign[SIGN];
    struct board_note note;
};
_Static_assert(sizeof(struct noted) == STORE_WORD, "one word of flash");

static const uint8_t FOLLOWS[SIGN] = {'n', 'o', 't', 'e', 'd'};

/* Confirmed first: what a technician has brought is not on trial. */
static bool activate(struct board *board, enum store store, uint8_t slot) {
    const struct slots slots = {&BOARD_STORE, board, store};
    return slots_mark(&slots, slot, SLOT_CONFIRMED) && slots_activate(&slots, slot);
}

/* Twice, so that both slots are of the new node. */
static bool renew_numbers(struct board *board, const struct port *port) {
    struct ceiling ceiling;
    if (persist_is_fresh(board->persist)) {
        return true; /* the first records are yet to be made: board_provision */
    }
    if (!ceiling_open(&ceiling, port)) {
        return ceiling_provision(port);
    }
    struct record record = {.partial_iv_ceiling = ceiling.next_partial_iv, .seq_ceiling = ceiling.next_seq};
    const bool kept = ceiling_keep(&ceiling, port, &record);
    return kept && ceiling_keep(&ceiling, port, &record);
}

static bool forget_node(struct board *board, const struct port *port, uint8_t slot) {
    const uint8_t none[PORT_RECORD_SIZE] = {0};
    const struct slots configs = {&BOARD_STORE, board, STORE_CONFIG};
    bool done = slots_erase(&configs, slot ^ 1) && renew_numbers(board, port);
    for (uint8_t i = 0; i < STORE_SLOTS; i++) {
        done = persist_write(board->persist, NOTES_SLOT + i, none) && done;
        if (BOARD_STORE.size[STORE_LEARNER] > 0) {
            done = BOARD_STORE.erase(board, STORE_LEARNER, i) && done;
        }
    }
    return done;
}

/* Done again it does no more. */
static bool follow(struct board *board, const struct port *port, uint8_t slot, const struct board_note *note) {
    const struct slots models = {&BOARD_STORE, board, STORE_MODEL};
    bool done = note->new_node == 0 || forget_node(board, port, slot);
    if (note->take_model < STORE_SLOTS) {
        done = activate(board, STORE_MODEL, note->take_model) && done;
    }
    for (uint8_t i = 0; i < STORE_SLOTS; i++) {
        done = ((note->erase_models >> i & 1) == 0 || slots_erase(&models, i)) && done;
    }
    return done;
}

enum image_reply board_commit(struct board *board, uint8_t slot, const struct board_note *note) {
    const struct slots configs = {&BOARD_STORE, board, STORE_CONFIG};
    const enum image_reply reply = slots_check(&configs, slot, &board->rules);
    if (reply != IMAGE_OK) {
        return reply;
    }
    struct noted word = {.note = *note};
    memcpy(word.sign, FOLLOWS, sizeof word.sign);
    const bool done = BOARD_STORE.write(board, STORE_CONFIG, slot, AT_NOTE, (const uint8_t *)&word, sizeof word) &&
                      activate(board, STORE_CONFIG, slot);
    return done ? IMAGE_OK : IMAGE_FLASH;
}

bool board_settle(struct board *board, const struct port *port, int slot) {
    struct noted words[2];
    /* The second is written when all is done: what is torn there says so, too. */
    if (slot < 0 || !BOARD_STORE.read(board, STORE_CONFIG, (uint8_t)slot, AT_NOTE, (uint8_t *)words, sizeof words) ||
        memcmp(words[0].sign, FOLLOWS, sizeof FOLLOWS) != 0 || words[1].sign[0] != 0xFF) {
        return true;
    }
    return follow(board, port, (uint8_t)slot, &words[0].note) &&
           BOARD_STORE.write(board, STORE_CONFIG, (uint8_t)slot, AT_NOTE + STORE_WORD, (const uint8_t *)words,
                             STORE_WORD);
}
