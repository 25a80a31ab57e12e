/* Windows for a model that looks at a spectrogram. A firmware that does not name node_hear in its configuration does
 * not contain it. */
#include "node_internal.h"

/* The next samples into memory; `left` follow them. */
static enum sample_status piece(struct node *node, uint16_t n, uint16_t left, bool whole) {
    const struct port *port = node->port;
    const uint8_t channels = node->config->channels;
    node_enter(node, SENSING);
    const enum sample_status status = whole ? port->sample(port->context, node->samples, n, channels)
                                            : port->sample_part(port->context, node->samples, n, channels, left);
    node_enter(node, COMPUTING);
    return status;
}

enum sample_status node_hear(struct node *node, uint8_t *why) {
    const struct node_config *config = node->config;
    const struct model *m = node->model;
    const uint16_t last = config->samples;
    const bool hears = m != NULL && m->heard != 0 && m->channels == config->channels && m->samples == last;
    const bool whole = !hears || m->heard == last;
    if (!whole && node->port->sample_part == NULL) {
        *why = WHY_MODEL;
        return piece(node, last, 0, true);
    }
    for (uint16_t left = whole ? last : m->heard, n; left != 0; left = (uint16_t)(left - n)) {
        n = left == last ? last : left - last < last ? (uint16_t)(left - last) : last;
        const enum sample_status status = piece(node, n, (uint16_t)(left - n), whole);
        if (status != SAMPLE_OK) {
            return status;
        }
        if (*why == 0 && left != last) {
            /* the sensor goes on all the same */
            *why = features_sensor_fault(node_feature_set(node), node->samples, n, config->channels);
        }
        if (hears) {
            m->hear(m, node->samples, n, left == m->heard);
        }
    }
    return SAMPLE_OK;
}
