#include <string.h>

#include "fixed.h"
#include "node_internal.h"
#include "sha256.h"

enum { LEARNER_ID = 8 };

/* A number for one message; the message is given up if there is none. */
static bool take_seq(struct node *node, uint32_t *seq) {
    if (ceiling_take_seq(&node->kept->ceiling, node->port, seq)) {
        node->kept->counters.messages++;
        return true;
    }
    node->kept->counters.unnumbered++;
    node_without_number(node);
    return false;
}

bool node_has_birth(const struct node *node) {
    struct ring_entry entry;
    size_t at = 0;
    while (ring_next(&node->kept->ring, &at, &entry)) {
        if (entry.type == MESSAGE_BIRTH) {
            return true;
        }
    }
    return false;
}

bool node_has_room(const struct node *node) {
    return node->kept->ring.used + sizeof(struct ring_entry) + MESSAGE_MAX <= RING_BYTES;
}

static uint8_t generation(const struct node *node) {
    return node->model != NULL ? node->model->generation : 0;
}

/* What the node has learned, by the first bytes of its hash. As it needs room for the image, only before a window is
 * sampled, or after it is done with; else it is left as it was said before. */
static struct codec_span learner_id(struct node *node, uint8_t id[LEARNER_ID]) {
    uint8_t *image;
    uint8_t digest[SHA256_SIZE];
    const size_t n = node->kept->collect == 0 ? node_learner_image(node, &image) : 0;
    if (n == 0) {
        return (struct codec_span){NULL, 0};
    }
    sha256(image, n, digest);
    memcpy(id, digest, LEARNER_ID);
    return (struct codec_span){id, LEARNER_ID};
}

static struct codec_span text(const char *value) {
    uint32_t n = 0;
    while (n < NODE_TEXT_MAX && value[n] != '\0') {
        n++;
    }
    return (struct codec_span){value, n};
}

/* Writes a message, whose first member is its number, and puts it into the ring. What is given up for it may be half of
 * all numbers, or the Birth that tells which half: without one the gateway would take new numbers for old ones. */
static bool put_numbered(struct node *node, enum message_type type, uint32_t seq, void *message) {
    uint8_t *out = node->frame; /* between two frames it is free */
    *(uint32_t *)message = seq & UINT16_MAX;
    const size_t n = codec_write(codec_up((uint8_t)type), message, out);
    if (n == 0) {
        return false;
    }
    const uint32_t dropped = ring_add(&node->kept->ring, (uint8_t)type, seq, node_now(node), out, n);
    if (dropped > 0) {
        node_tell(node, EVENT_MESSAGE_LOST, dropped);
        node->kept->birth_due |= !node_has_birth(node);
    }
    return true;
}

static void put(struct node *node, enum message_type type, void *message) {
    uint32_t seq;
    if (take_seq(node, &seq)) {
        put_numbered(node, type, seq, message);
    }
}

void node_report_birth(struct node *node) {
    const struct node_config *config = node->config;
    struct ceiling *ceiling = &node->kept->ceiling;
    uint8_t id[LEARNER_ID];
    uint32_t seq;
    if (!take_seq(node, &seq)) {
        return;
    }
    struct birth birth = {
        .wire_version = WIRE_VERSION,
        .full_seq = seq,
        .skipped = ceiling->skipped,
        .reset_cause = config->reset_cause,
        .hardware = text(config->hardware),
        .firmware = text(config->firmware),
        .feature_set = node_feature_set(node),
        .channels = config->channels,
        .generation = generation(node),
        .wake_ms = node_wake_ms(node),
        .heartbeat_ms = node_heartbeat_ms(node),
        .listen_ms = config->listen_ms,
        .epoch = node->kept->downlink.epoch,
        .last_command = ceiling->record.last_command,
        .has_more = 1,
        .samples = config->samples,
        .rate_millihz = config->rate_millihz,
        .firmware_counter = config->firmware_counter,
        .slot = config->slot,
        .learner = learner_id(node, id),
    };
    if (node->model != NULL) {
        birth.model = (struct codec_span){node->model->id, sizeof node->model->id};
    }
    if (put_numbered(node, MESSAGE_BIRTH, seq, &birth)) {
        ceiling->skipped = 0; /* said of the numbers just before this one */
        node->kept->birth_due = false;
    }
}

static void fill_measured(const struct node *node, struct health *health) {
    const struct port *port = node->port;
    const int16_t temperature = port->temperature_cdeg(port->context);
    const int16_t link = port->link_dbm(port->context);
    health->battery_mv = port->battery_mv(port->context);
    health->temperature_cdeg = temperature != PORT_TEMPERATURE_NONE ? temperature : CODEC_NIL;
    health->link_dbm = link == PORT_LINK_NONE ? CODEC_NIL : link > 0 ? 0 : link < -128 ? -128 : link;
}

static void fill_counted(const struct node *node, struct health *health) {
    const struct node_counters *counters = &node->kept->counters;
    health->uptime_s = (uint32_t)fixed_divide(node_now(node) - node->kept->booted_ms, 1000);
    health->wakes = counters->wakes;
    health->flags = counters->flags;
    health->resends = counters->resends;
    health->ring_drops = node->kept->ring.dropped + counters->unnumbered;
    health->refused = counters->verdicts[MALFORMED] + counters->verdicts[BAD_TAG] + counters->verdicts[UNDECODABLE];
    for (unsigned activity = 0; activity < ACTIVITIES; activity++) {
        health->energy_uc[activity] = energy_uc(&node->kept->energy, (enum activity)activity);
    }
}

static void fill_learner(const struct node *node, struct health *health) {
    struct learner_diagnosis now;
    if (node->config->learner == NULL) {
        return;
    }
    learner_diagnose(node->config->learner, &now);
    health->has_learner = 1;
    health->state = now.state;
    health->learned = now.learned;
    health->similarity = node->kept->similarity;
    health->drift = now.drift_q8 < UINT8_MAX ? now.drift_q8 : UINT8_MAX;
    health->events_ppb = now.events_ppb;
}

static void fill_more(const struct node *node, struct health *health) {
    const struct port *port = node->port;
    const uint16_t load = node->kept->battery_load_mv;
    health->has_more = 1;
    health->battery_load_mv = load > 0 ? load : CODEC_NIL;
    health->deferred = node->kept->counters.deferred;
    health->stop_refused = port->stop_refused != NULL ? port->stop_refused(port->context) : 0;
    health->restarts = node->kept->counters.restarts;
}

void node_report_health(struct node *node) {
    struct health health = {
        .score = node->kept->last_score,
        .why = node->kept->standing == WHY_ANOMALOUS ? 0 : node->kept->standing,
    };
    fill_measured(node, &health);
    fill_counted(node, &health);
    fill_more(node, &health);
    fill_learner(node, &health);
    put(node, MESSAGE_HEALTH, &health);
}

static struct codec_span values(const struct node *node, const int32_t *features) {
    return (struct codec_span){features, feature_set_size(node_feature_set(node), node->config->channels)};
}

void node_report_flag(struct node *node, uint8_t score, uint8_t why, const int32_t *features) {
    struct flag flag = {
        .score = score,
        .why = why,
        .generation = generation(node),
        .has_features = features != NULL,
        .feature_set = node_feature_set(node),
        .values = values(node, features),
    };
    put(node, MESSAGE_FLAG, &flag);
}

void node_report_window(struct node *node, uint8_t score, const int32_t *features) {
    struct window window = {
        .score = score,
        .generation = generation(node),
        .feature_set = node_feature_set(node),
        .values = values(node, features),
    };
    put(node, MESSAGE_WINDOW, &window);
}

void node_report_result(struct node *node, uint32_t id, uint8_t code, const uint32_t *detail) {
    struct result result = {
        .id = id, .code = code, .has_detail = detail != NULL, .detail = detail != NULL ? *detail : 0};
    put(node, MESSAGE_RESULT, &result);
}

void node_report_part(struct node *node, enum message_type type, uint8_t part, uint8_t parts, struct codec_span data) {
    if (type == MESSAGE_SAMPLED) {
        struct sampled sampled = {
            .window_number = node->kept->window_number,
            .part = part,
            .parts = parts,
            .channels = node->config->channels,
            .rate_millihz = node->config->rate_millihz,
            .data = data,
        };
        put(node, type, &sampled);
    } else {
        struct learner_part state = {.part = part, .parts = parts, .data = data};
        put(node, type, &state);
    }
}

void node_notice(struct node *node, uint8_t why, bool so) {
    const uint8_t bit = (uint8_t)(1 << (why - WHY_MOVED));
    const bool new = so && (node->kept->noticed & bit) == 0;
    node->kept->noticed = (uint8_t)(so ? node->kept->noticed | bit : node->kept->noticed & ~bit);
    if (new) {
        node_tell(node, EVENT_NOTICE, why);
        node_report_flag(node, node->kept->last_score, why, NULL);
    }
}
