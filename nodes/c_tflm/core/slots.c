#include "slots.h"

#include <string.h>

#include "crc.h"
#include "sha256.h"

/* The head of a slot: manifest; its checksum; the marks, tries and floors, with spare words for each. */
enum {
    SPARES = 4,
    FLOORS = 16,
    AT_CRC = IMAGE_MANIFEST,
    AT_MARKS = AT_CRC + STORE_WORD,
    AT_TRIES = AT_MARKS + SLOT_MARKS * SPARES * STORE_WORD,
    AT_FLOORS = AT_TRIES + SLOT_TRIES * STORE_WORD,
};
_Static_assert(AT_FLOORS + FLOORS * STORE_WORD == SLOT_HEAD && SLOT_HEAD <= 512, "the head has a page of its own");

static const uint8_t MARK[SLOT_MARKS][STORE_WORD] = {"complete", "activate", "confirm!", "bad! bad"};
static const uint8_t TRY[STORE_WORD] = "try! try";

static bool read_word(const struct slots *slots, uint8_t slot, uint32_t at, uint8_t out[STORE_WORD]) {
    return slots->port->read(slots->context, slots->store, slot, at, out, STORE_WORD);
}

static bool write_word(const struct slots *slots, uint8_t slot, uint32_t at, const uint8_t word[STORE_WORD]) {
    return slots->port->write(slots->context, slots->store, slot, at, word, STORE_WORD);
}

static bool is_blank(const struct slots *slots, uint8_t slot, uint32_t at) {
    static const uint8_t BLANK[STORE_WORD] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
    uint8_t word[STORE_WORD];
    return read_word(slots, slot, at, word) && memcmp(word, BLANK, sizeof word) == 0;
}

/* Into the first of `n` words from `at` on that is blank. */
static bool write_first_blank(const struct slots *slots, uint8_t slot, uint32_t at, unsigned n, const uint8_t *word) {
    for (; n > 0; n--, at += STORE_WORD) {
        if (is_blank(slots, slot, at)) {
            return write_word(slots, slot, at, word);
        }
    }
    return false;
}

static uint32_t at_mark(enum slot_mark mark) {
    return AT_MARKS + (uint32_t)mark * SPARES * STORE_WORD;
}

static bool is_marked(const struct slots *slots, uint8_t slot, enum slot_mark mark) {
    uint8_t word[STORE_WORD];
    for (unsigned i = 0; i < SPARES; i++) {
        const bool read = read_word(slots, slot, at_mark(mark) + i * STORE_WORD, word);
        if (read && memcmp(word, MARK[mark], sizeof word) == 0) {
            return true;
        }
    }
    return false;
}

bool slots_mark(const struct slots *slots, uint8_t slot, enum slot_mark mark) {
    return is_marked(slots, slot, mark) || write_first_blank(slots, slot, at_mark(mark), SPARES, MARK[mark]);
}

/* A number, and its complement: what is torn is not taken for a number. */
static void number_word(uint32_t number, uint8_t word[STORE_WORD]) {
    for (unsigned i = 0; i < 4; i++) {
        word[i] = (uint8_t)(number >> 8 * i);
        word[4 + i] = (uint8_t)~word[i];
    }
}

static bool word_number(const uint8_t word[STORE_WORD], uint32_t *number) {
    uint8_t again[STORE_WORD];
    *number = (uint32_t)word[0] | (uint32_t)word[1] << 8 | (uint32_t)word[2] << 16 | (uint32_t)word[3] << 24;
    number_word(*number, again);
    return memcmp(word, again, sizeof again) == 0;
}

static bool read_manifest(const struct slots *slots, uint8_t slot, struct image_manifest *out) {
    uint8_t word[STORE_WORD];
    uint32_t crc;
    return slots->port->read(slots->context, slots->store, slot, 0, out->bytes, IMAGE_MANIFEST) &&
           read_word(slots, slot, AT_CRC, word) && word_number(word, &crc) && crc == crc32(out->bytes, IMAGE_MANIFEST);
}

bool slots_write_manifest(const struct slots *slots, uint8_t slot, const uint8_t bytes[IMAGE_MANIFEST]) {
    uint8_t word[STORE_WORD];
    number_word(crc32(bytes, IMAGE_MANIFEST), word);
    return slots->port->write(slots->context, slots->store, slot, 0, bytes, IMAGE_MANIFEST) &&
           write_word(slots, slot, AT_CRC, word);
}

void slots_read(const struct slots *slots, uint8_t slot, struct slot_state *out) {
    memset(out, 0, sizeof *out);
    out->whole = read_manifest(slots, slot, &out->manifest);
    for (unsigned mark = 0; mark < SLOT_MARKS; mark++) {
        out->marked[mark] = is_marked(slots, slot, (enum slot_mark)mark);
    }
    for (unsigned i = 0; i < SLOT_TRIES; i++) {
        out->tries = (uint8_t)(out->tries + !is_blank(slots, slot, AT_TRIES + i * STORE_WORD));
    }
}

static bool is_candidate(const struct slot_state *state) {
    return state->whole && state->marked[SLOT_COMPLETE] && state->marked[SLOT_ACTIVE] && !state->marked[SLOT_BAD];
}

bool slots_proven(const struct slot_state *state) {
    return is_candidate(state) && state->marked[SLOT_CONFIRMED];
}

int slots_active(const struct slots *slots, struct slot_state *out) {
    struct slot_state other;
    slots_read(slots, 0, out);
    slots_read(slots, 1, &other);
    const bool first = is_candidate(out);
    const bool second = is_candidate(&other);
    if (second && (!first || image_counter(&other.manifest) > image_counter(&out->manifest))) {
        *out = other;
        return 1;
    }
    return first ? 0 : -1;
}

/* What one slot knows of the floor: the counter it was confirmed with, and what was noted in its head. */
static uint32_t floor_of(const struct slots *slots, uint8_t slot) {
    struct slot_state state;
    uint8_t word[STORE_WORD];
    uint32_t number;
    slots_read(slots, slot, &state);
    uint32_t floor = state.whole && state.marked[SLOT_CONFIRMED] ? image_counter(&state.manifest) : 0;
    for (unsigned i = 0; i < FLOORS; i++) {
        if (read_word(slots, slot, AT_FLOORS + i * STORE_WORD, word) && word_number(word, &number) && number > floor) {
            floor = number;
        }
    }
    return floor;
}

uint32_t slots_floor(const struct slots *slots) {
    const uint32_t first = floor_of(slots, 0);
    const uint32_t second = floor_of(slots, 1);
    return first > second ? first : second;
}

bool slots_erase(const struct slots *slots, uint8_t slot) {
    const uint8_t other = slot ^ 1;
    const uint32_t floor = floor_of(slots, slot);
    if (floor > floor_of(slots, other)) {
        uint8_t word[STORE_WORD];
        number_word(floor, word);
        if (!write_first_blank(slots, other, AT_FLOORS, FLOORS, word)) {
            return false;
        }
    }
    return slots->port->erase(slots->context, slots->store, slot);
}

static enum image_reply check_payload(const struct slots *slots, uint8_t slot, const struct image_manifest *manifest) {
    uint8_t bytes[SHA256_BLOCK];
    struct sha256 hash;
    const uint32_t size = image_size(manifest);
    sha256_init(&hash);
    for (uint32_t at = 0; at < size; at += sizeof bytes) {
        const uint32_t n = size - at < sizeof bytes ? size - at : (uint32_t)sizeof bytes;
        if (!slots->port->read(slots->context, slots->store, slot, slots->port->page + at, bytes, n)) {
            return IMAGE_HASH;
        }
        sha256_update(&hash, bytes, n);
    }
    sha256_final(&hash, bytes);
    return memcmp(bytes, image_sha256(manifest), IMAGE_SHA256) == 0 ? IMAGE_OK : IMAGE_HASH;
}

enum image_reply slots_check(const struct slots *slots, uint8_t slot, const struct image_rules *rules) {
    struct image_manifest manifest;
    if (!read_manifest(slots, slot, &manifest)) {
        return IMAGE_NO_MANIFEST;
    }
    const uint32_t room = slots->port->size[slots->store] - slots->port->page;
    enum image_reply reply = image_check(&manifest, rules, slots->store, slot, room);
    if (reply == IMAGE_OK) {
        reply = check_payload(slots, slot, &manifest);
    }
    if (reply == IMAGE_OK && rules->accept != NULL && !rules->accept(slots->context, slots->store, slot)) {
        reply = IMAGE_SELF_TEST;
    }
    return reply;
}

/* One candidate of a boot. One that fails is bad for good only if another is there to take over. */
static enum image_reply try_slot(const struct slots *slots, uint8_t slot, const struct slot_state state[STORE_SLOTS],
                                 const struct image_rules *rules) {
    const bool confirmed = state[slot].marked[SLOT_CONFIRMED];
    const bool other = slots_proven(&state[slot ^ 1]);
    enum image_reply reply = slots_check(slots, slot, rules);
    if (reply == IMAGE_OK && !confirmed && other && state[slot].tries >= SLOT_TRIES) {
        reply = IMAGE_UNCONFIRMED;
    }
    if (reply != IMAGE_OK) {
        if (!confirmed && other) {
            slots_mark(slots, slot, SLOT_BAD);
        }
        return reply;
    }
    if (!confirmed && other && !write_first_blank(slots, slot, AT_TRIES, SLOT_TRIES, TRY)) {
        return IMAGE_FLASH; /* a try that cannot be counted might never end */
    }
    return IMAGE_OK;
}

int slots_choose(const struct slots *slots, const struct image_rules *rules, enum image_reply why[STORE_SLOTS]) {
    struct slot_state state[STORE_SLOTS];
    for (unsigned i = 0; i < STORE_SLOTS; i++) {
        slots_read(slots, (uint8_t)i, &state[i]);
        why[i] = IMAGE_OK;
    }
    const bool both = is_candidate(&state[0]) && is_candidate(&state[1]);
    uint8_t slot = !is_candidate(&state[0]);
    if (both && image_counter(&state[1].manifest) > image_counter(&state[0].manifest)) {
        slot = 1;
    }
    for (unsigned i = 0; i < STORE_SLOTS; i++, slot ^= 1) {
        if (is_candidate(&state[slot])) {
            why[slot] = try_slot(slots, slot, state, rules);
            if (why[slot] == IMAGE_OK) {
                return slot;
            }
        }
    }
    return -1;
}

bool slots_activate(const struct slots *slots, uint8_t slot) {
    struct slot_state state, active;
    slots_read(slots, slot, &state);
    const int now = slots_active(slots, &active);
    const bool newer = now < 0 || image_counter(&state.manifest) > image_counter(&active.manifest);
    return state.whole && state.marked[SLOT_COMPLETE] && !state.marked[SLOT_BAD] && (newer || now == slot) &&
           slots_mark(slots, slot, SLOT_ACTIVE);
}

bool slots_confirm(const struct slots *slots, uint8_t slot) {
    struct slot_state state;
    slots_read(slots, slot, &state);
    return is_candidate(&state) && slots_mark(slots, slot, SLOT_CONFIRMED);
}

bool slots_roll_back(const struct slots *slots) {
    struct slot_state active, other;
    const int slot = slots_active(slots, &active);
    if (slot < 0) {
        return false;
    }
    slots_read(slots, (uint8_t)slot ^ 1, &other);
    return slots_proven(&other) && slots_mark(slots, (uint8_t)slot, SLOT_BAD);
}
