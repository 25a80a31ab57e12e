#include "board_update.h"

#include "chip.h"
#include "chip_layout.h"
#include "flash.h"

static struct slots slots_of(struct board *board, enum store store) {
    return (struct slots){&BOARD_STORE, board, store};
}

const uint8_t *board_payload_at(struct board *board, enum store store, uint8_t slot, uint32_t *size) {
    const struct slots slots = slots_of(board, store);
    struct slot_state state;
    slots_read(&slots, slot, &state);
    *size = image_size(&state.manifest);
    return flash_memory(board->registers, chip_store_address(store, slot) + CHIP_STORE_HEAD);
}

/* A configuration that this chip can run; once there is one, a new one leaves the node who it is: the numbers that must
 * never repeat are this key's. */
static bool takes_config(const struct board *board, const uint8_t *payload, uint32_t size) {
    struct config_page page;
    if (!config_page_read(&page, payload, size) || chip_line_base(page.line) == 0) {
        return false;
    }
    return board->used[STORE_CONFIG] < 0 || config_page_same_node(&page, &board->config);
}

/* In slots_choose and update_finish: the whole image has been found to be what its manifest says. */
static bool accepts(void *context, enum store store, uint8_t slot) {
    struct board *board = context;
    uint32_t size;
    const uint8_t *payload = board_payload_at(board, store, slot, &size);
    switch (store) {
    case STORE_CONFIG:
        return takes_config(board, payload, size);
    case STORE_MODEL:
        return model_open(board->trial.model, payload, size, board->trial.memory, board->trial.size) == MODEL_OK &&
               board->trial.model->heard <= board->trial.model->samples; /* there is no sample_part here */
    default:
        return true; /* the boot stub has looked at a firmware's vectors, or will */
    }
}

/* Who has the node's key may give it a model and a schedule: what comes over the air is sealed with it. A firmware is
 * signed, for somebody else vouches for that. */
void board_rules(struct board *board) {
    board->rules = (struct image_rules){
        .board = CHIP_BOARD,
        .unsigned_stores = 1 << STORE_CONFIG | 1 << STORE_MODEL,
        .running = chip_running_slot(board->registers),
        .accept = accepts,
    };
    chip_signing(&board->rules);
    for (unsigned store = 0; store < STORES; store++) {
        board->used[store] = -1;
    }
    board->used[STORE_FIRMWARE] = board->rules.running;
}

const uint8_t *board_payload(struct board *board, enum store store, uint32_t *size, bool *refused) {
    const struct slots slots = slots_of(board, store);
    enum image_reply why[STORE_SLOTS];
    const int slot = slots_choose(&slots, &board->rules, why);
    *refused = slot < 0 && (why[0] != IMAGE_OK || why[1] != IMAGE_OK);
    board->used[store] = (int8_t)slot;
    if (slot < 0) {
        *size = 0;
        return NULL;
    }
    return board_payload_at(board, store, (uint8_t)slot, size);
}

/* One slot that is in use and has not proved itself. */
static bool is_on_trial(struct board *board, enum store store) {
    const struct slots slots = slots_of(board, store);
    struct slot_state state;
    if (board->used[store] < 0) {
        return false;
    }
    slots_read(&slots, (uint8_t)board->used[store], &state);
    return state.whole && !state.marked[SLOT_CONFIRMED] && !state.marked[SLOT_BAD];
}

bool board_on_trial(struct board *board) {
    bool found = false;
    for (unsigned store = 0; store < STORES; store++) {
        found = found || is_on_trial(board, (enum store)store);
    }
    return found;
}

bool board_overdue(struct board *board, uint64_t since_boot_ms, uint32_t deadline_ms) {
    bool found = false;
    for (unsigned store = 0; store < STORES; store++) {
        const struct slots slots = slots_of(board, (enum store)store);
        struct slot_state other;
        if (board->used[store] >= 0 && update_overdue(&slots, since_boot_ms, deadline_ms)) {
            slots_read(&slots, (uint8_t)board->used[store] ^ 1, &other);
            found = found || slots_proven(&other);
        }
    }
    return found;
}

void board_confirm(struct board *board) {
    for (unsigned store = 0; store < STORES; store++) {
        const struct slots slots = slots_of(board, (enum store)store);
        if (is_on_trial(board, (enum store)store)) {
            (void)slots_confirm(&slots, (uint8_t)board->used[store]);
        }
    }
}
