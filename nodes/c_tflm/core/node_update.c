#include <string.h>

#include "image.h"
#include "node_internal.h"
#include "sha256.h"

static void answer(struct node *node, enum image_reply reply) {
    const uint32_t wanted = node->update.wanted;
    const uint32_t why = (uint32_t)reply;
    const bool goes_on = reply == IMAGE_OK || reply == IMAGE_OFFSET || reply == IMAGE_TORN;
    node_report_result(node, node->transfer, goes_on ? GO_ON : FAILED, goes_on ? &wanted : &why);
}

/* --- what another node has learned: gathered where the samples lie between two looks, so within one wake */

static enum image_reply begin_learner(struct node *node, const struct update_offer *offer) {
    struct update *update = &node->update;
    memset(update, 0, sizeof *update);
    if (node->config->learner == NULL || node->port->store->size[STORE_LEARNER] == 0) {
        return IMAGE_NO_STORE;
    }
    if (offer->size > sizeof(int16_t) * node->config->samples * node->config->channels) {
        return IMAGE_TOO_LARGE;
    }
    update->slots.store = STORE_LEARNER;
    update->offer = *offer;
    update->slot = (uint8_t)node->kept->counters.wakes;
    update->open = true;
    return IMAGE_OK;
}

/* A learner that knows nothing knows that instead; else it adds that, and keeps what it knew to roll back to. */
static bool teach(struct learner *learner, const uint8_t *image, size_t n) {
    struct learner_diagnosis now;
    learner_diagnose(learner, &now);
    return (now.state < LEARNER_WATCHING ? learner_load(learner, image, n) : learner_merge(learner, image, n)) ==
           LEARNER_OK;
}

static enum image_reply finish_learner(struct node *node) {
    struct learner *learner = node->config->learner;
    const uint8_t *image = (const uint8_t *)node->samples;
    const uint32_t n = node->update.offer.size;
    uint8_t digest[IMAGE_SHA256];
    node->update.open = false;
    sha256(image, n, digest);
    if (memcmp(digest, node->update.offer.sha256, sizeof digest) != 0) {
        return IMAGE_HASH;
    }
    if (!teach(learner, image, n)) {
        return IMAGE_SELF_TEST;
    }
    if (!node_keep_learner(node)) {
        if (learner_rollback(learner) != LEARNER_OK) {
            (void)learner_relearn(learner, 0);
        }
        return IMAGE_FLASH;
    }
    node->kept->birth_due = true; /* it says what the node knows now */
    return IMAGE_OK;
}

static void take_learner_chunk(struct node *node, const struct chunk *chunk) {
    struct update *update = &node->update;
    if (chunk->offset != update->wanted || chunk->data.n > update->offer.size - update->wanted) {
        answer(node, IMAGE_OFFSET);
        return;
    }
    memcpy((uint8_t *)node->samples + chunk->offset, chunk->data.at, chunk->data.n);
    update->wanted += chunk->data.n;
    const bool whole = update->wanted == update->offer.size;
    const enum image_reply reply = whole ? finish_learner(node) : IMAGE_OK;
    if (whole && reply == IMAGE_OK) {
        node_report_result(node, node->transfer, DONE, NULL);
    } else {
        answer(node, reply);
    }
}

/* Whether that is the transfer under way; of what was for the learner, the next look, or what else is sent
 * in parts, has left nothing. */
static bool goes_on(const struct node *node, const struct chunk *chunk) {
    const struct update *update = &node->update;
    const bool there = !node->parts && update->slot == (uint8_t)node->kept->counters.wakes;
    return update->open && chunk->transfer == node->transfer && (update->slots.store != STORE_LEARNER || there);
}

/* --- what goes into a slot */

/* All of it is there: verified, it is what the next start takes. */
static void finish(struct node *node) {
    const enum image_reply reply = update_finish(&node->update);
    if (reply != IMAGE_OK) {
        answer(node, reply);
    } else if (!slots_activate(&node->update.slots, node->update.slot)) {
        answer(node, IMAGE_FLASH);
    } else {
        node->then = node->port->restart != NULL ? THEN_RESTART : THEN_NOTHING;
        node_report_result(node, node->transfer, DONE, NULL);
    }
}

/* The same offer goes on where its transfer stopped, however often it comes. */
static void take_offer(struct node *node, const struct offer *offer) {
    struct record record = node->kept->ceiling.record;
    const struct slots slots = {node->port->store, node->port->context, (enum store)offer->store};
    struct update_offer wanted = {.size = offer->size, .counter = offer->counter};
    if (offer->store == STORE_LEARNER && node->parts) {
        return; /* there is no room for it now: it comes again */
    }
    if (offer->id < record.last_command) {
        node_report_result(node, offer->id, REFUSED, NULL);
        return;
    }
    if (offer->id > record.last_command && !node_take_up(node, &record, offer->id, DONE, 0)) {
        return;
    }
    for (unsigned i = 0; i < sizeof wanted.sha256; i++) {
        wanted.sha256[i] = ((const uint8_t *)offer->sha256.at)[i];
    }
    node->transfer = offer->id;
    const enum image_reply reply = offer->store == STORE_LEARNER
                                       ? begin_learner(node, &wanted)
                                       : update_begin(&node->update, &slots, node->config->rules, &wanted);
    if (reply == IMAGE_OK && offer->store != STORE_LEARNER && node->update.wanted >= IMAGE_MANIFEST + offer->size) {
        finish(node); /* a reset came between the last chunk and its end */
    } else {
        answer(node, reply);
    }
}

static void take_chunk(struct node *node, const struct chunk *chunk) {
    struct update *update = &node->update;
    if (!goes_on(node, chunk)) {
        node_report_result(node, chunk->transfer, REFUSED, NULL); /* after a reset: it wants the offer again */
        return;
    }
    if (update->slots.store == STORE_LEARNER) {
        take_learner_chunk(node, chunk);
        return;
    }
    const enum image_reply reply = update_write(update, chunk->offset, chunk->data.at, chunk->data.n);
    if (reply == IMAGE_OK && update->wanted >= IMAGE_MANIFEST + update->offer.size) {
        finish(node);
    } else {
        answer(node, reply);
    }
}

const struct node_updates NODE_UPDATES = {take_offer, take_chunk};
