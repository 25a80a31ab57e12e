#include "image.h"
#include "node_internal.h"

static void answer(struct node *node, enum image_reply reply) {
    const uint32_t wanted = node->update.wanted;
    const uint32_t why = (uint32_t)reply;
    const bool goes_on = reply == IMAGE_OK || reply == IMAGE_OFFSET || reply == IMAGE_TORN;
    node_report_result(node, node->transfer, goes_on ? GO_ON : FAILED, goes_on ? &wanted : &why);
}

/* The same offer goes on where its transfer stopped, however often it comes. */
static void take_offer(struct node *node, const struct offer *offer) {
    struct record record = node->kept->ceiling.record;
    const struct slots slots = {node->port->store, node->port->context, (enum store)offer->store};
    struct update_offer wanted = {.size = offer->size, .counter = offer->counter};
    if (offer->id < record.last_command || offer->store == STORE_LEARNER) { /* which is the node's own */
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
    answer(node, update_begin(&node->update, &slots, node->config->rules, &wanted));
}

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

static void take_chunk(struct node *node, const struct chunk *chunk) {
    struct update *update = &node->update;
    if (!update->open || chunk->transfer != node->transfer) {
        node_report_result(node, chunk->transfer, REFUSED, NULL); /* after a reset: it wants the offer again */
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
