#include <string.h>

#include "crc.h"
#include "node_internal.h"

/* The learner's state lies in two slots of flash that take turns: 16 bytes of head, then the image. The head is written
 * last, so a slot that was cut short is none. */
enum { MAGIC = 0x314C5453, HEAD = 16 };

struct head {
    uint32_t magic;
    uint32_t write; /* counts the writes */
    uint32_t size;
    uint32_t crc; /* of the image, and of the numbers before it */
};

_Static_assert(sizeof(struct head) == HEAD, "two words of flash");

static uint32_t crc_of(const struct head *head, const uint8_t *image) {
    return crc32(image, head->size) ^ crc32((const uint8_t *)head, offsetof(struct head, crc));
}

static bool has_store(const struct node *node) {
    return node->config->learner != NULL && node->port->store != NULL && node->port->store->size[STORE_LEARNER] > HEAD;
}

static size_t room_of(const struct node *node) {
    return sizeof(int16_t) * node->config->samples * node->config->channels;
}

static bool read(const struct node *node, uint8_t slot, uint32_t at, void *out, uint32_t n) {
    return node->port->store->read(node->port->context, STORE_LEARNER, slot, at, out, n);
}

static bool write(const struct node *node, uint8_t slot, uint32_t at, const void *data, uint32_t n) {
    return node->port->store->write(node->port->context, STORE_LEARNER, slot, at, data, n);
}

/* The image of a slot in node->samples; false if there is none that is whole. */
static bool read_slot(const struct node *node, uint8_t slot, struct head *head) {
    uint8_t *image = (uint8_t *)node->samples;
    return read(node, slot, 0, head, HEAD) && head->magic == MAGIC && head->size > 0 && head->size <= room_of(node) &&
           head->size <= node->port->store->size[STORE_LEARNER] - HEAD && read(node, slot, HEAD, image, head->size) &&
           crc_of(head, image) == head->crc;
}

/* The newer of the two slots, -1: none. Its image is in node->samples. */
static int newest(const struct node *node, struct head *head) {
    struct head found;
    int slot = -1;
    for (uint8_t i = 0; i < STORE_SLOTS; i++) {
        if (read_slot(node, i, &found) && (slot < 0 || (int32_t)(found.write - head->write) > 0)) {
            *head = found;
            slot = i;
        }
    }
    if (slot == 0) {
        (void)read_slot(node, 0, head); /* the other one was read over it */
    }
    return slot;
}

size_t node_learner_image(struct node *node, uint8_t **image) {
    *image = (uint8_t *)node->samples;
    return node->config->learner != NULL ? learner_save(node->config->learner, *image, room_of(node)) : 0;
}

bool node_keep_learner(struct node *node) {
    struct head head = {0};
    uint8_t *image;
    if (!has_store(node)) {
        return false;
    }
    const uint8_t other = newest(node, &head) == 0 ? 1 : 0;
    const size_t n = node_learner_image(node, &image);
    const size_t whole = (n + STORE_WORD - 1) / STORE_WORD * STORE_WORD;
    if (n == 0 || whole > room_of(node) || HEAD + whole > node->port->store->size[STORE_LEARNER]) {
        return false;
    }
    memset(image + n, 0, whole - n);
    head.magic = MAGIC;
    head.write++;
    head.size = (uint32_t)n;
    head.crc = crc_of(&head, image);
    const bool kept = node->port->store->erase(node->port->context, STORE_LEARNER, other) &&
                      write(node, other, HEAD, image, (uint32_t)whole) && write(node, other, 0, &head, HEAD);
    if (kept) {
        node->kept->learner_changed = false;
    }
    return kept;
}

static void begin_learner(struct node *node) {
    struct learner *learner = node->config->learner;
    struct learner_setup setup = node->config->setup;
    struct learner_diagnosis now;
    struct head head;
    setup.feature_set = node_feature_set(node);
    setup.channels = node->config->channels;
    learner_diagnose(learner, &now);
    if (now.state != LEARNER_EMPTY) {
        return; /* it slept, or its memory outlives a reset */
    }
    (void)learner_init(learner, &setup);
    if (has_store(node) && newest(node, &head) >= 0) {
        (void)learner_load(learner, (const uint8_t *)node->samples, head.size);
    }
}

void node_remember(struct node *node) {
    struct node_kept *kept = node->kept;
    struct notes notes;
    notes_open(&notes, node->port);
    kept->counters.anomalous = notes.anomalous;
    kept->counters.flags = notes.flags;
    kept->counters.faults = notes.faults;
    kept->counters.deferred = notes.deferred;
    kept->counters.restarts = notes.restarts + 1;
    kept->notes_write = notes.write;
    if (notes.fast_ppm <= CLOCK_LIMIT_PPM && notes.fast_ppm >= -CLOCK_LIMIT_PPM) {
        kept->clock.fast_ppm = notes.fast_ppm;
    }
    if (node->config->learner != NULL) {
        begin_learner(node);
    }
}

void node_memorise(struct node *node) {
    struct node_kept *kept = node->kept;
    const uint64_t now = node_now(node);
    if (now >= kept->notes_due_ms) {
        struct notes notes = {
            .write = kept->notes_write,
            .restarts = kept->counters.restarts,
            .anomalous = kept->counters.anomalous,
            .flags = kept->counters.flags,
            .faults = kept->counters.faults,
            .deferred = kept->counters.deferred,
            .fast_ppm = kept->clock.fast_ppm,
        };
        (void)notes_keep(&notes, node->port);
        kept->notes_write = notes.write;
        kept->notes_due_ms = now + NOTES_EVERY_MS;
    }
    if (kept->learner_changed || (now >= kept->learner_due_ms && node->config->learner != NULL)) {
        (void)node_keep_learner(node);
        kept->learner_changed = false; /* tried once: it comes again tomorrow */
        kept->learner_due_ms = now + LEARNER_STORE_EVERY_MS;
    }
}
