#include "node_internal.h"

/* Everything is sent in parts through the ring: in batches of as many as fit without giving anything up. A gateway that
 * does not answer ends it for this wake. */
static bool send_each(struct node *node, enum message_type type, const uint8_t *data, size_t n) {
    const size_t parts = (n + CODEC_DATA_MAX - 1) / CODEC_DATA_MAX;
    for (size_t part = 0; part < parts; part++) {
        if (!node_has_room(node)) {
            node_exchange(node);
        }
        if (!node_has_room(node) || node->state != NODE_RUNNING) {
            return false;
        }
        const size_t at = part * CODEC_DATA_MAX;
        const size_t left = n - at;
        const struct codec_span span = {data + at, (uint32_t)(left < CODEC_DATA_MAX ? left : CODEC_DATA_MAX)};
        node_report_part(node, type, (uint8_t)part, (uint8_t)parts, span);
    }
    node_exchange(node);
    return node->kept->ring.count == 0;
}

/* Meanwhile nothing else may be put where the samples lie. */
static bool send_parts(struct node *node, enum message_type type, const uint8_t *data, size_t n) {
    node->parts = true;
    const bool sent = send_each(node, type, data, n);
    node->parts = false;
    return sent;
}

/* Samples are told as they lie here: little-endian on every board there is a port for (checked in record.c). */
void node_collect(struct node *node) {
    struct node_kept *kept = node->kept;
    const size_t n = sizeof(int16_t) * node->config->samples * node->config->channels;
    if (kept->collect == 0 || kept->deferring) {
        return;
    }
    kept->collect--;
    kept->window_number++;
    if (send_parts(node, MESSAGE_SAMPLED, (const uint8_t *)node->samples, n)) {
        kept->counters.collected++;
        node_tell(node, EVENT_COLLECTED, kept->window_number);
    }
}

void node_send_learner(struct node *node) {
    uint8_t *image;
    if (!node->learner_wanted || node->kept->deferring) {
        return;
    }
    node->learner_wanted = false;
    const size_t n = node_learner_image(node, &image);
    if (n > 0) {
        (void)send_parts(node, MESSAGE_LEARNER_STATE, image, n);
    }
}
