#include "fixed.h"
#include "node_internal.h"

enum { WHOLE_EVERY = 16, HINDERED_AFTER = 24 };

/* Notes what stands; true at its onset, and at every flag_repeat-th wake after it. While the battery is too low to
 * send, at the onset alone: repetitions would push it out of the ring. */
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
    const uint32_t wakes = kept->standing_for++;
    return kept->deferring ? wakes == 0 : wakes % repeat == 0;
}

void node_alert(struct node *node, bool was) {
    const bool on = node->kept->alert.on;
    if (on == was) {
        return;
    }
    if (node->port->alert != NULL) {
        node->port->alert(node->port->context, on);
    }
    node_tell(node, EVENT_ALERT, on);
}

static void show(struct node *node, enum alert_look look) {
    const bool was = node->kept->alert.on;
    alert_judge(&node->kept->alert, &node->config->alert, look);
    node_alert(node, was);
}

/* Nothing of a window with a sensor fault goes any further: neither to a model nor to the learner. */
static void fault(struct node *node, uint8_t why) {
    node->kept->counters.faults++;
    show(node, ALERT_FAULT);
    if (stands(node, why)) {
        node_tell(node, EVENT_SENSOR_FAULT, why);
        node_report_flag(node, 0, why, NULL);
    }
}

bool node_model_fits(const struct node *node) {
    const struct model *m = node->model;
    const struct node_config *config = node->config;
    const bool given = config->hear != NULL && (m->heard == m->samples || node->port->sample_part != NULL);
    return m->feature_set == node_feature_set(node) && m->channels == config->channels &&
           m->samples == config->samples && (m->heard == 0 || given);
}

static void report_normal(struct node *node, uint8_t score, const int32_t *features) {
    const uint16_t every = node->config->window_every;
    if (every > 0 && node->kept->counters.windows % every == 0 && !node->kept->deferring) {
        node_report_window(node, score, features);
    }
}

/* UTC, for slow sensors; -1 until the gateway has said what time it is. */
static int16_t minute_of_day(const struct node *node) {
    const struct clock *clock = &node->kept->clock;
    const uint64_t now = node_now(node);
    if (node->config->slow == NULL || !clock->started || now < clock->local_ms) {
        return -1;
    }
    const uint64_t ms = clock->gateway_ms + clock_gateway_ms(clock, now - clock->local_ms);
    return (int16_t)((uint32_t)fixed_divide(ms, 60000) % 1440);
}

static void ask(struct node *node, const int32_t *features, struct judgement *verdict) {
    const struct node_config *config = node->config;
    const struct judge judge = {node->model, config->learner, config->slow, config->judge_slow, &config->limits};
    const struct look look = {features, node->samples, config->samples, config->channels, minute_of_day(node)};
    judge_window(&judge, &look, verdict);
    node->kept->counters.learned += verdict->taught;
    node->kept->similarity = verdict->similarity;
    if (verdict->learned) {
        node->kept->learner_changed = true;
        node->kept->birth_due = true; /* it says what the node has learned */
        node_tell(node, EVENT_LEARNED, node->kept->counters.learned);
    }
    node_notice(node, WHY_MOVED, verdict->moved);
    node_notice(node, WHY_DRIFTED, verdict->drifted);
    uint8_t *hindered = &node->kept->hindered;
    *hindered = verdict->hindered ? (uint8_t)(*hindered + (*hindered < HINDERED_AFTER)) : 0;
    node_notice(node, WHY_HINDERED, *hindered == HINDERED_AFTER);
}

static void judge(struct node *node, const int32_t *features) {
    struct judgement verdict;
    ask(node, features, &verdict);
    node->kept->last_score = verdict.score;
    show(node, verdict.anomalous ? ALERT_ANOMALOUS : ALERT_NORMAL);
    if (!verdict.anomalous) {
        stands(node, 0);
        report_normal(node, verdict.score, features);
        if (node->config->short_samples > 0 && verdict.judged) {
            glance_learn(&node->kept->glance, node->samples, node->config->short_samples, node->config->channels);
        }
        return;
    }
    node->kept->counters.anomalous++;
    if (stands(node, WHY_ANOMALOUS)) {
        node->kept->counters.flags++;
        node_tell(node, EVENT_ANOMALOUS, verdict.score);
        node_report_flag(node, verdict.score, verdict.why, features);
    }
}

static enum sample_status take(struct node *node, uint16_t samples, bool brief) {
    const struct port *port = node->port;
    node_enter(node, SENSING);
    const enum sample_status status =
        brief && port->sample_short != NULL
            ? port->sample_short(port->context, node->samples, samples, node->config->channels)
            : port->sample(port->context, node->samples, samples, node->config->channels);
    node_enter(node, COMPUTING);
    return status;
}

/* The short look: true if it was enough. Whatever is not plainly normal, a fault of the sensor for one, is for the
 * whole window to show. */
static bool glance(struct node *node) {
    const struct node_config *config = node->config;
    struct node_kept *kept = node->kept;
    const uint8_t every = config->whole_every > 0 ? config->whole_every : WHOLE_EVERY;
    if (config->short_samples == 0 || kept->standing != 0 || kept->collect > 0 || kept->glance.seen < GLANCE_LEARNED ||
        kept->counters.wakes % every == 0) {
        return false;
    }
    const bool plain =
        take(node, config->short_samples, true) == SAMPLE_OK &&
        features_sensor_fault(node_feature_set(node), node->samples, config->short_samples, config->channels) == 0 &&
        glance_is_plain(&kept->glance, node->samples, config->short_samples, config->channels);
    if (plain) {
        kept->counters.glances++;
        show(node, ALERT_NORMAL);
    }
    return plain;
}

static void look_at_window(struct node *node) {
    const struct node_config *config = node->config;
    int32_t features[FEATURES_MAX];
    features_compute(node_feature_set(node), node->samples, config->samples, config->channels, &node->scratch,
                     features);
    node->kept->counters.windows++;
    if (config->model_broken || (node->model != NULL && !node_model_fits(node))) {
        fault(node, WHY_MODEL);
        report_normal(node, 0, features);
    } else {
        judge(node, features);
    }
}

void node_look(struct node *node) {
    const struct node_config *config = node->config;
    if (glance(node)) {
        return;
    }
    uint8_t why = 0;
    const enum sample_status status =
        config->hear != NULL ? config->hear(node, &why) : take(node, config->samples, false);
    if (status == SAMPLE_NONE) {
        return;
    }
    if (status != SAMPLE_OK) {
        why = (uint8_t)status;
    } else if (why == 0) {
        why = features_sensor_fault(node_feature_set(node), node->samples, config->samples, config->channels);
    }
    if (why != 0) {
        fault(node, why);
    } else {
        look_at_window(node);
    }
    if (status == SAMPLE_OK) {
        node_collect(node);
    }
}
