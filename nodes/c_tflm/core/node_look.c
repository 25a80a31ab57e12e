#include "feature_set.h"
#include "node_internal.h"

/* Notes what stands; true at its onset, and at every flag_repeat-th wake after it. */
static bool stands(struct node *node, uint8_t why) {
    struct node_kept *kept = node->kept;
    const uint16_t repeat = node->config->flag_repeat > 0 ? node->config->flag_repeat : 1;
    if (kept->standing != why) {
        if (why == 0) {
            kept->health_due_ms = 0; /* the all-clear is news: what was said before stands until it comes */
        }
        kept->standing = why;
        kept->standing_for = 0;
    }
    return kept->standing_for++ % repeat == 0;
}

static void fault(struct node *node, uint8_t why) {
    node->kept->counters.faults++;
    if (stands(node, why)) {
        node_tell(node, EVENT_SENSOR_FAULT, why);
        node_report_flag(node, 0, why, NULL, 0);
    }
}

static bool model_fits(const struct node *node) {
    return node->model->feature_set == FEATURE_SET_STATISTICS && node->model->channels == node->config->channels &&
           node->model->samples == node->config->samples;
}

static void report_normal(struct node *node, uint8_t score, const int32_t *features, uint8_t features_n) {
    const uint16_t every = node->config->window_every;
    if (every > 0 && node->kept->counters.windows % every == 0) {
        node_report_window(node, score, features, features_n);
    }
}

static void judge(struct node *node, const int32_t *features, uint8_t features_n) {
    struct model_score score;
    model_score(node->model, features, &score);
    node->kept->last_score = score.score;
    if (!score.anomalous) {
        stands(node, 0);
        report_normal(node, score.score, features, features_n);
        return;
    }
    node->kept->counters.anomalous++;
    if (stands(node, WHY_ANOMALOUS)) {
        node->kept->counters.flags++;
        node_tell(node, EVENT_ANOMALOUS, score.score);
        node_report_flag(node, score.score, score.why != 0 ? score.why : WHY_ANOMALOUS, features, features_n);
    }
}

void node_look(struct node *node) {
    const uint8_t channels = node->config->channels;
    int32_t features[FEATURES_PER_CHANNEL * NODE_CHANNELS_MAX];
    node_enter(node, SENSING);
    const enum sample_status status =
        node->port->sample(node->port->context, node->samples, node->config->samples, channels);
    node_enter(node, COMPUTING);
    if (status == SAMPLE_NONE) {
        return;
    }
    const uint8_t why =
        status != SAMPLE_OK ? (uint8_t)status : features_sensor_fault(node->samples, node->config->samples, channels);
    if (why != 0) {
        fault(node, why);
        return;
    }
    node->kept->counters.windows++;
    features_statistics(node->samples, node->config->samples, channels, features);
    if (node->config->model_broken || (node->model != NULL && !model_fits(node))) {
        fault(node, WHY_MODEL);
        report_normal(node, 0, features, (uint8_t)(FEATURES_PER_CHANNEL * channels));
    } else if (node->model == NULL) {
        stands(node, 0);
        report_normal(node, 0, features, (uint8_t)(FEATURES_PER_CHANNEL * channels));
    } else {
        judge(node, features, (uint8_t)(FEATURES_PER_CHANNEL * channels));
    }
}
