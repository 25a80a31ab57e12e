#include "update.h"

#include <string.h>

static uint32_t file_size(const struct update *update) {
    return IMAGE_MANIFEST + update->offer.size;
}

static bool is_offered(const struct update_offer *offer, const struct image_manifest *manifest) {
    return image_size(manifest) == offer->size && image_counter(manifest) == offer->counter &&
           memcmp(image_sha256(manifest), offer->sha256, IMAGE_SHA256) == 0;
}

static bool read_payload_word(const struct update *update, uint32_t at, uint8_t word[STORE_WORD]) {
    const struct slots *slots = &update->slots;
    return slots->port->read(slots->context, slots->store, update->slot, slots->port->page + at, word, STORE_WORD);
}

static bool is_erased(const uint8_t word[STORE_WORD]) {
    for (unsigned i = 0; i < STORE_WORD; i++) {
        if (word[i] != 0xFF) {
            return false;
        }
    }
    return true;
}

/* How much of the payload an earlier transfer has left: up to the last word that is not erased. */
static uint32_t payload_there(const struct update *update) {
    uint8_t word[STORE_WORD];
    const uint32_t size = update->offer.size;
    uint32_t at = (size + STORE_WORD - 1) / STORE_WORD * STORE_WORD;
    while (at > 0 && read_payload_word(update, at - STORE_WORD, word) && is_erased(word)) {
        at -= STORE_WORD;
    }
    return at < size ? at : size;
}

/* The last word that is there may be torn; asked for once more, it is compared. */
static uint32_t resume_at(const struct update *update) {
    struct slot_state state;
    slots_read(&update->slots, update->slot, &state);
    if (!state.whole || state.marked[SLOT_BAD] || !is_offered(&update->offer, &state.manifest)) {
        return 0;
    }
    if (state.marked[SLOT_COMPLETE]) {
        return file_size(update);
    }
    const uint32_t there = payload_there(update);
    return IMAGE_MANIFEST + (there == 0 ? 0 : (there - 1) / STORE_WORD * STORE_WORD);
}

/* Where an image may go: never the slot in use, nor the one that this firmware runs from. */
static uint8_t free_slot(const struct slots *slots, const struct image_rules *rules, int active) {
    if (slots->store == STORE_FIRMWARE && rules->running >= 0) {
        return (uint8_t)rules->running ^ 1;
    }
    return active == 0 ? 1 : 0;
}

/* The image in use has been rolled back, and this firmware still runs from it: the other one is all there is. */
static bool is_last_resort(const struct update *update) {
    struct slot_state state;
    slots_read(&update->slots, update->slot, &state);
    if (!slots_proven(&state)) {
        return false;
    }
    slots_read(&update->slots, update->slot ^ 1, &state);
    return !slots_proven(&state);
}

enum image_reply update_begin(struct update *update, const struct slots *slots, const struct image_rules *rules,
                              const struct update_offer *offer) {
    struct slot_state active;
    memset(update, 0, sizeof *update);
    if (slots->port == NULL || slots->port->size[slots->store] <= slots->port->page) {
        return IMAGE_NO_STORE;
    }
    if (offer->size > slots->port->size[slots->store] - slots->port->page) {
        return IMAGE_TOO_LARGE;
    }
    const int slot = slots_active(slots, &active);
    if (slot >= 0 && !active.marked[SLOT_CONFIRMED]) {
        return IMAGE_UNCONFIRMED;
    }
    if (offer->counter <= slots_floor(slots)) {
        return IMAGE_COUNTER;
    }
    update->slots = *slots;
    update->rules = rules;
    update->offer = *offer;
    update->slot = free_slot(slots, rules, slot);
    if (is_last_resort(update)) {
        return IMAGE_UNCONFIRMED;
    }
    update->wanted = resume_at(update);
    update->open = true;
    return IMAGE_OK;
}

/* Nothing is erased for a manifest that would be refused in the end. */
static enum image_reply take_manifest(struct update *update, const uint8_t *data, size_t n) {
    const struct slots *slots = &update->slots;
    struct image_manifest manifest;
    if (n < IMAGE_MANIFEST) {
        return IMAGE_NO_MANIFEST;
    }
    memcpy(manifest.bytes, data, IMAGE_MANIFEST);
    const uint32_t room = slots->port->size[slots->store] - slots->port->page;
    const enum image_reply reply = image_check(&manifest, update->rules, slots->store, update->slot, room);
    if (reply != IMAGE_OK) {
        return reply;
    }
    if (!is_offered(&update->offer, &manifest)) {
        return IMAGE_NO_MANIFEST;
    }
    if (!slots_erase(slots, update->slot) || !slots_write_manifest(slots, update->slot, manifest.bytes)) {
        return IMAGE_FLASH;
    }
    update->wanted = IMAGE_MANIFEST;
    return IMAGE_OK;
}

/* A word that is there already is left alone, one that is erased and to stay so too. */
static enum image_reply take_word(struct update *update, const uint8_t *data, uint32_t n) {
    const struct slots *slots = &update->slots;
    const uint32_t at = update->wanted - IMAGE_MANIFEST;
    uint8_t word[STORE_WORD];
    uint8_t there[STORE_WORD];
    memset(word, 0xFF, sizeof word);
    memcpy(word, data, n);
    const bool readable = read_payload_word(update, at, there);
    if (!readable || memcmp(there, word, sizeof word) != 0) {
        if (!readable || !is_erased(there)) {
            update->wanted = 0;
            return IMAGE_TORN;
        }
        if (!slots->port->write(slots->context, slots->store, update->slot, slots->port->page + at, word,
                                sizeof word)) {
            return IMAGE_FLASH;
        }
    }
    update->wanted += n;
    return IMAGE_OK;
}

enum image_reply update_write(struct update *update, uint32_t offset, const uint8_t *data, size_t n) {
    enum image_reply reply = IMAGE_OK;
    if (!update->open) {
        return IMAGE_NOT_OPEN;
    }
    const uint32_t size = file_size(update);
    if (offset != update->wanted || n > size - offset) {
        return IMAGE_OFFSET;
    }
    const uint8_t *end = data + n;
    if (offset == 0) {
        reply = take_manifest(update, data, n);
        data += reply == IMAGE_OK ? IMAGE_MANIFEST : 0;
    }
    while (reply == IMAGE_OK && data < end) {
        const uint32_t left = size - update->wanted;
        const uint32_t take = left < STORE_WORD ? left : STORE_WORD;
        if ((size_t)(end - data) < take) {
            break; /* the rest of a word comes with the next piece */
        }
        reply = take_word(update, data, take);
        data += take;
    }
    return reply;
}

enum image_reply update_finish(struct update *update) {
    const struct slots *slots = &update->slots;
    if (!update->open) {
        return IMAGE_NOT_OPEN;
    }
    if (update->wanted < file_size(update)) {
        return IMAGE_TRUNCATED;
    }
    const enum image_reply reply = slots_check(slots, update->slot, update->rules);
    update->open = false;
    if (reply != IMAGE_OK) {
        (void)slots_erase(slots, update->slot);
        return reply;
    }
    return slots_mark(slots, update->slot, SLOT_COMPLETE) ? IMAGE_OK : IMAGE_FLASH;
}

bool update_overdue(const struct slots *slots, uint64_t since_boot_ms, uint32_t deadline_ms) {
    struct slot_state active;
    return since_boot_ms > deadline_ms && slots_active(slots, &active) >= 0 && !active.marked[SLOT_CONFIRMED];
}
