/* Offers and pieces from somebody who may say anything, to a store that takes what is not signed: no read or write out
 * of bounds, and whatever comes, the image in use stays whole and in use. */
#include <stdlib.h>
#include <string.h>

#include "sha256.h"
#include "update.h"

enum { PAGE = 512, SIZE = 4 * PAGE };

static uint8_t flash[STORE_SLOTS][SIZE];
static uint8_t erased_of_active; /* must stay 0 */
static uint8_t active;

static bool flash_read(void *context, enum store store, uint8_t slot, uint32_t at, uint8_t *out, uint32_t n) {
    (void)context;
    (void)store;
    if (at > SIZE || n > SIZE - at) {
        abort();
    }
    memcpy(out, flash[slot] + at, n);
    return true;
}

static bool flash_erase(void *context, enum store store, uint8_t slot) {
    (void)context;
    (void)store;
    erased_of_active |= slot == active;
    memset(flash[slot], 0xFF, SIZE);
    return true;
}

static bool flash_write(void *context, enum store store, uint8_t slot, uint32_t at, const uint8_t *data, uint32_t n) {
    (void)context;
    (void)store;
    if (at > SIZE || n > SIZE - at || at % STORE_WORD != 0 || n % STORE_WORD != 0) {
        abort();
    }
    memcpy(flash[slot] + at, data, n);
    return true;
}

static const struct port_store STORE = {
    .size = {[STORE_CONFIG] = SIZE}, .page = PAGE, .read = flash_read, .erase = flash_erase, .write = flash_write};
static const struct slots SLOTS = {&STORE, NULL, STORE_CONFIG};
static const struct image_rules RULES = {.board = "fuzz", .unsigned_stores = 1 << STORE_CONFIG, .running = -1};

/* A manifest that fits, but for what the input says of it. */
static void manifest_of(const uint8_t *payload, uint32_t size, uint32_t counter, uint8_t out[IMAGE_MANIFEST]) {
    memset(out, 0, IMAGE_MANIFEST);
    memcpy(out, "STI1", 4);
    out[4] = STORE_CONFIG;
    out[5] = IMAGE_ANY_SLOT;
    memcpy(out + 8, "fuzz", 4);
    memcpy(out + 24, &counter, 4);
    memcpy(out + 28, &size, 4);
    sha256(payload, size, out + 32);
}

static void install_first(void) {
    static const uint8_t PAYLOAD[8] = "in use";
    uint8_t manifest[IMAGE_MANIFEST];
    memset(flash, 0xFF, sizeof flash);
    manifest_of(PAYLOAD, sizeof PAYLOAD, 5, manifest);
    slots_write_manifest(&SLOTS, 0, manifest);
    memcpy(flash[0] + PAGE, PAYLOAD, sizeof PAYLOAD);
    slots_mark(&SLOTS, 0, SLOT_COMPLETE);
    slots_activate(&SLOTS, 0);
    slots_confirm(&SLOTS, 0);
    active = 0;
    erased_of_active = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    static uint8_t payload[256];
    struct update update = {0};
    struct update_offer offer = {0};
    struct slot_state state;
    uint8_t manifest[IMAGE_MANIFEST] = {0};
    install_first();
    while (n >= 4) {
        const uint32_t number = (uint32_t)data[1] | (uint32_t)data[2] << 8;
        const size_t length = data[3] < n - 4 ? data[3] : n - 4;
        const uint8_t *bytes = data + 4;
        switch (data[0] % 6) {
        case 0: /* an offer that fits */
            memcpy(payload, bytes, length);
            manifest_of(payload, (uint32_t)length, number, manifest);
            offer = (struct update_offer){.size = (uint32_t)length, .counter = number};
            memcpy(offer.sha256, manifest + 32, sizeof offer.sha256);
            (void)update_begin(&update, &SLOTS, &RULES, &offer);
            break;
        case 1: /* one that need not */
            offer.size = number * (uint32_t)(data[3] + 1);
            (void)update_begin(&update, &SLOTS, &RULES, &offer);
            break;
        case 2:
            (void)update_write(&update, 0, manifest, sizeof manifest);
            break;
        case 3: /* what is wanted next */
            if (update.open && update.wanted >= IMAGE_MANIFEST && update.wanted - IMAGE_MANIFEST < offer.size &&
                offer.size <= sizeof payload) {
                (void)update_write(&update, update.wanted, payload + (update.wanted - IMAGE_MANIFEST),
                                   offer.size - (update.wanted - IMAGE_MANIFEST));
            }
            break;
        case 4: /* anything */
            (void)update_write(&update, number, bytes, length);
            break;
        default:
            if (update_finish(&update) == IMAGE_OK && slots_activate(&SLOTS, update.slot) &&
                slots_confirm(&SLOTS, update.slot)) {
                active = update.slot;
            }
            break;
        }
        data += 4 + length;
        n -= 4 + length;
        if (erased_of_active || slots_active(&SLOTS, &state) != active || !slots_proven(&state) ||
            slots_check(&SLOTS, active, &RULES) != IMAGE_OK) {
            abort();
        }
    }
    return 0;
}
