#include <string.h>

#include <wire_encode.h>

#include "feature_set.h"
#include "node_internal.h"

enum { SEQ_BITS = 0xFFFF };

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

/* What is given up may be half of all numbers, or the Birth that tells which half: without one the gateway would take
 * new numbers for old ones. */
static void add(struct node *node, enum message_type type, uint32_t seq, size_t n) {
    const uint32_t dropped = ring_add(&node->kept->ring, (uint8_t)type, seq, node_now(node), node->message, n);
    if (dropped > 0) {
        node_tell(node, EVENT_MESSAGE_LOST, dropped);
        node->kept->birth_due |= !node_has_birth(node);
    }
}

static uint8_t generation(const struct node *node) {
    return node->model != NULL ? node->model->generation : 0;
}

static struct zcbor_string text(const char *value) {
    size_t n = 0;
    while (n < NODE_TEXT_MAX && value[n] != '\0') {
        n++;
    }
    return (struct zcbor_string){.value = (const uint8_t *)value, .len = n};
}

void node_report_birth(struct node *node) {
    const struct node_config *config = node->config;
    struct ceiling *ceiling = &node->kept->ceiling;
    struct birth birth = {0};
    uint32_t seq;
    size_t n;
    if (!take_seq(node, &seq)) {
        return;
    }
    birth.birth_seq = seq & SEQ_BITS;
    birth.birth_wire_version = WIRE_VERSION;
    birth.birth_full_seq = seq;
    birth.birth_skipped = ceiling->skipped;
    birth.birth_reset_cause = config->reset_cause;
    birth.birth_hardware = text(config->hardware);
    birth.birth_firmware = text(config->firmware);
    birth.birth_feature_set = FEATURE_SET_STATISTICS;
    birth.birth_channels = config->channels;
    birth.birth_generation = generation(node);
    birth.birth_model_choice = birth_model_nil_c;
    if (node->model != NULL) {
        birth.birth_model_choice = birth_model_bstr8_c;
        birth.birth_model_bstr8 = (struct zcbor_string){.value = node->model->id, .len = sizeof node->model->id};
    }
    birth.birth_wake_ms = node_wake_ms(node);
    birth.birth_heartbeat_ms = node_heartbeat_ms(node);
    birth.birth_listen_ms = config->listen_ms;
    birth.birth_epoch = node->kept->downlink.epoch;
    birth.birth_last_command = ceiling->record.last_command;
    if (cbor_encode_birth(node->message, sizeof node->message, &birth, &n) == 0) {
        add(node, MESSAGE_BIRTH, seq, n);
        ceiling->skipped = 0; /* said of the numbers just before this one */
        node->kept->birth_due = false;
    }
}

static void fill_measured(const struct node *node, struct health *health) {
    const struct port *port = node->port;
    const int16_t temperature = port->temperature_cdeg(port->context);
    const int16_t link = port->link_dbm(port->context);
    health->health_battery_mv = port->battery_mv(port->context);
    health->health_temperature_cdeg_choice = health_temperature_cdeg_nil_c;
    if (temperature != PORT_TEMPERATURE_NONE) {
        health->health_temperature_cdeg_choice = health_temperature_cdeg_int_c;
        health->health_temperature_cdeg_int = temperature;
    }
    health->health_link_dbm_choice = health_link_dbm_nil_c;
    if (link != PORT_LINK_NONE) {
        health->health_link_dbm_choice = health_link_dbm_int_c;
        health->health_link_dbm_int = link > 0 ? 0 : link < -128 ? -128 : link;
    }
}

static void fill_counted(const struct node *node, struct health *health) {
    const struct node_counters *counters = &node->kept->counters;
    const struct energy *energy = &node->kept->energy;
    health->health_uptime_s = (uint32_t)((node_now(node) - node->kept->booted_ms) / 1000);
    health->health_wakes = counters->wakes;
    health->health_flags = counters->flags;
    health->health_resends = counters->resends;
    health->health_ring_drops = node->kept->ring.dropped + counters->unnumbered;
    health->health_refused =
        counters->verdicts[MALFORMED] + counters->verdicts[BAD_TAG] + counters->verdicts[UNDECODABLE];
    health->health_energy_uc_sleep = energy_uc(energy, SLEEPING);
    health->health_energy_uc_sensor = energy_uc(energy, SENSING);
    health->health_energy_uc_compute = energy_uc(energy, COMPUTING);
    health->health_energy_uc_radio = energy_uc(energy, RADIATING);
}

void node_report_health(struct node *node) {
    struct health health = {0};
    uint32_t seq;
    size_t n;
    if (!take_seq(node, &seq)) {
        return;
    }
    health.health_seq = seq & SEQ_BITS;
    health.health_score = node->kept->last_score;
    health.health_why = node->kept->standing == WHY_ANOMALOUS ? 0 : node->kept->standing;
    fill_measured(node, &health);
    fill_counted(node, &health);
    if (cbor_encode_health(node->message, sizeof node->message, &health, &n) == 0) {
        add(node, MESSAGE_HEALTH, seq, n);
    }
}

void node_report_flag(struct node *node, uint8_t score, uint8_t why, const int32_t *features, uint8_t features_n) {
    struct flag flag = {0};
    uint32_t seq;
    size_t n;
    if (!take_seq(node, &seq)) {
        return;
    }
    flag.flag_seq = seq & SEQ_BITS;
    flag.flag_score = score;
    flag.flag_why = why;
    flag.flag_generation = generation(node);
    flag.flag_window_part_present = features != NULL;
    if (features != NULL) {
        struct flag_window_part *part = &flag.flag_window_part;
        part->flag_window_part_feature_set = FEATURE_SET_STATISTICS;
        part->window_part_values_feature_value_m_count = features_n;
        memcpy(part->window_part_values_feature_value_m, features, features_n * sizeof *features);
    }
    if (cbor_encode_flag(node->message, sizeof node->message, &flag, &n) == 0) {
        add(node, MESSAGE_FLAG, seq, n);
    }
}

void node_report_window(struct node *node, uint8_t score, const int32_t *features, uint8_t features_n) {
    struct window window = {0};
    uint32_t seq;
    size_t n;
    if (!take_seq(node, &seq)) {
        return;
    }
    window.window_seq = seq & SEQ_BITS;
    window.window_score = score;
    window.window_generation = generation(node);
    window.window_feature_set = FEATURE_SET_STATISTICS;
    window.window_values_feature_value_m_count = features_n;
    memcpy(window.window_values_feature_value_m, features, features_n * sizeof *features);
    if (cbor_encode_window(node->message, sizeof node->message, &window, &n) == 0) {
        add(node, MESSAGE_WINDOW, seq, n);
    }
}

void node_report_result(struct node *node, uint32_t id, uint8_t code) {
    struct result result = {0};
    uint32_t seq;
    size_t n;
    if (!take_seq(node, &seq)) {
        return;
    }
    result.result_seq = seq & SEQ_BITS;
    result.result_id = id;
    result.result_code = code;
    if (cbor_encode_result(node->message, sizeof node->message, &result, &n) == 0) {
        add(node, MESSAGE_RESULT, seq, n);
    }
}
