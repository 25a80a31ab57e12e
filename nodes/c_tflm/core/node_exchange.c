#include "node_internal.h"

enum {
    EXCHANGES_MAX = 8,   /* times in one wake that the node sends and listens */
    RESEND_GAP_MAX = 16, /* wakes between resends to a gateway that does not answer */
    REFUSALS_MAX = 4,    /* transmissions that the port refuses before the radio is taken for dead in this wake */
};

static struct cipher cipher_of(const struct node *node) {
    return (struct cipher){node->port->aes, node->port->context};
}

/* False if it did not go out. */
static bool transmit_one(struct node *node, size_t at, const struct ring_entry *entry) {
    struct node_kept *kept = node->kept;
    const struct cipher cipher = cipher_of(node);
    uint32_t partial_iv;
    if (!ceiling_take_partial_iv(&kept->ceiling, node->port, &partial_iv)) {
        node_without_number(node);
        node->refusals = REFUSALS_MAX; /* nor is there one for the next */
        return false;
    }
    const uint64_t now = node_now(node);
    const uint64_t age_ms = now > entry->at_ms ? clock_gateway_ms(&kept->clock, now - entry->at_ms) : 0;
    uint8_t *plaintext = node->frame + ENVELOPE_HEAD; /* sealed where it lies */
    const size_t n = ring_message(&kept->ring, at, entry, entry->at_ms + age_ms, plaintext);
    const size_t size = envelope_seal_up(&node->keys, &cipher, partial_iv, plaintext, n, node->frame);
    if (!node->port->send(node->port->context, node->frame, size)) {
        kept->counters.not_sent++;
        node->refusals++;
        return false;
    }
    kept->counters.sent++;
    kept->counters.resends += entry->sends > 0;
    ring_sent(&kept->ring, at, entry);
    node_tell(node, EVENT_SENT, (uint32_t)entry->type << 16 | (entry->seq & UINT16_MAX));
    return true;
}

static bool has_unsent(const struct node *node) {
    struct ring_entry entry;
    size_t at = 0;
    while (ring_next(&node->kept->ring, &at, &entry)) {
        if (entry.sends == 0) {
            return true;
        }
    }
    return false;
}

/* Births, or all else: what was never sent, and with `again` the rest too. A refusal may be of that one message, too
 * long for the link, say: the others have their turn. True if something went out. */
static bool transmit_those(struct node *node, bool births, bool again) {
    struct ring_entry entry;
    size_t at = 0;
    bool sent = false;
    while (node->refusals < REFUSALS_MAX && ring_next(&node->kept->ring, &at, &entry)) {
        if ((entry.type == MESSAGE_BIRTH) == births && (again || entry.sends == 0)) {
            sent |= transmit_one(node, at, &entry);
        }
    }
    return sent;
}

/* Sends what was never sent, and with `again` all the rest too; in a wake's first exchange never without the Birth that
 * is not acknowledged. False if nothing went out. */
static bool transmit(struct node *node, bool again, bool first) {
    const bool birth_again = again || (first && has_unsent(node));
    node_enter(node, RADIATING);
    const bool births = transmit_those(node, true, birth_again);
    const bool others = transmit_those(node, false, again);
    node_enter(node, COMPUTING);
    return births || others;
}

static void take_ack(struct node *node, const struct ack *ack) {
    struct node_kept *kept = node->kept;
    const uint64_t now = node_now(node);
    if (ack->base != CODEC_NIL) {
        const uint32_t n = ring_acknowledge(&kept->ring, (uint16_t)ack->base, ack->bitmap);
        kept->counters.acknowledged += n;
        node_tell(node, EVENT_ACKNOWLEDGED, n);
    } else {
        node->unplaced = true;
    }
    node->heard = true;
    clock_compare(&kept->clock, now, ack->time_ms);
    const uint64_t next = node_after(node, ack->next_s < UINT32_MAX / 1000 ? ack->next_s * 1000 : UINT32_MAX);
    if (ack->next_s != 0 && next < kept->health_due_ms) {
        kept->health_due_ms = next; /* it is heard listening after it has sent */
    }
    if (ack->birth_wanted && !node->birth_asked && !node_has_birth(node)) {
        node->birth_asked = true;
        node_report_birth(node);
    }
}

/* An epoch is kept before anything under it is acted on. How far its numbers have come goes into the next record: what
 * was acknowledged since lies below the numbers that a reset starts from, so a replay of it acknowledges nothing. */
static bool follow_downlink(struct node *node) {
    const struct downlink *downlink = &node->kept->downlink;
    const uint32_t newest = downlink->replay.newest;
    const uint32_t unused = newest < UINT32_MAX ? newest + 1 : newest;
    struct record *kept = &node->kept->ceiling.record;
    if (downlink->epoch == kept->epoch) {
        kept->down_unused = unused;
        return true;
    }
    struct record record = *kept;
    record.down_unused = unused;
    record.epoch = downlink->epoch;
    if (!node_keep(node, &record)) {
        return false;
    }
    node_tell(node, EVENT_EPOCH, record.epoch);
    return true;
}

static enum verdict open_frame(struct node *node, size_t n, struct down_message *message) {
    const struct cipher cipher = cipher_of(node);
    size_t length = 0;
    const enum verdict verdict =
        envelope_open_down(&node->keys, &cipher, &node->kept->downlink, node->frame, n, node->frame, &length);
    if (verdict != ACCEPTED) {
        return verdict;
    }
    return message_read_down(node->frame, length, message) ? ACCEPTED : UNDECODABLE;
}

/* False: there is nothing more to wait for. */
static bool take_frame(struct node *node, size_t n) {
    struct down_message message;
    const enum verdict verdict = open_frame(node, n, &message);
    node->kept->counters.verdicts[verdict]++;
    if (verdict != ACCEPTED) {
        node_tell(node, EVENT_REFUSED, verdict);
        return true;
    }
    if (!follow_downlink(node)) {
        return true;
    }
    if (message.type != MESSAGE_ACK) {
        node_take_mail(node, &message);
        return true;
    }
    take_ack(node, &message.ack);
    return message.ack.mail > 0 || node->kept->ring.count > 0;
}

/* Until the time is up, all is acknowledged and no mail waits, or there is something new to send: true then. */
static bool listen(struct node *node) {
    const uint64_t end_ms = node_now(node) + node->config->listen_ms; /* a flood may leave left_ms as it is */
    uint32_t left_ms = node->config->listen_ms;
    node_enter(node, RADIATING);
    do {
        const size_t n = node->port->receive(node->port->context, node->frame, sizeof node->frame, &left_ms);
        if (n == 0 || !take_frame(node, n) || has_unsent(node)) {
            break;
        }
    } while (node_now(node) < end_ms);
    node_enter(node, COMPUTING);
    return has_unsent(node);
}

/* To a gateway that does not answer, old news goes out ever more rarely; fresh news at once. */
static void plan_resend(struct node *node) {
    struct node_kept *kept = node->kept;
    if (node->heard) {
        kept->silence = 0;
    } else if (kept->silence < RESEND_GAP_MAX) {
        kept->silence++;
    }
    const uint32_t gap = (UINT32_C(1) << kept->silence) / 2;
    kept->resend_at_wake = kept->counters.wakes + (gap < 1 ? 1 : gap > RESEND_GAP_MAX ? RESEND_GAP_MAX : gap);
}

static void begin(struct node *node) {
    node->heard = false;
    node->birth_asked = false;
    node->unplaced = false;
    node->refusals = 0;
}

/* A radio that starts on a weak battery resets the node, and what it had to say is lost. So below the least voltage all
 * waits in the ring, and with it one notice that says since when. */
static bool too_weak(struct node *node) {
    const struct port *port = node->port;
    struct node_kept *kept = node->kept;
    const uint16_t least_mv = node->config->radio_min_mv;
    if (kept->ring.count == 0) {
        return kept->deferring;
    }
    if (port->battery_load_mv != NULL) {
        kept->battery_load_mv = port->battery_load_mv(port->context);
    }
    const uint16_t mv = port->battery_load_mv != NULL ? kept->battery_load_mv : port->battery_mv(port->context);
    kept->deferring = least_mv > 0 && mv < least_mv;
    kept->counters.deferred += kept->deferring;
    node_notice(node, WHY_DEFERRED, kept->deferring);
    return kept->deferring;
}

void node_announce(struct node *node) {
    begin(node);
    if (too_weak(node)) {
        return;
    }
    if (transmit(node, false, true)) {
        listen(node);
    }
}

void node_exchange(struct node *node) {
    bool again = node->kept->counters.wakes >= node->kept->resend_at_wake;
    bool sent = false;
    bool placed_anew = false;
    begin(node);
    if (too_weak(node)) {
        return;
    }
    for (unsigned i = 0; i < EXCHANGES_MAX && node->state == NODE_RUNNING; i++) {
        if (!transmit(node, again, i == 0)) {
            break;
        }
        sent = true;
        const bool more = listen(node);
        again = node->unplaced && !placed_anew; /* behind a Birth what could not be placed can be; once in a wake */
        placed_anew |= again;
        if (!more && !again) {
            break;
        }
    }
    if (sent) {
        plan_resend(node);
    }
}
