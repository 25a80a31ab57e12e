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
    const bool hears = m != NULL && m->heard != 0 && node_model_fits(node);
    const uint16_t all = hears ? m->heard : last;
    for (uint16_t left = all, n; left != 0; left = (uint16_t)(left - n)) {
        n = left == last ? last : left - last < last ? (uint16_t)(left - last) : last;
        const enum sample_status status = piece(node, n, (uint16_t)(left - n), all == last);
        if (status != SAMPLE_OK) {
            return status;
        }
        if (*why == 0 && left != last && n == last) { /* of a few samples nobody can say that they stand still */
            *why = features_sensor_fault(node_feature_set(node), node->samples, n, config->channels);
        }
        if (hears) {
            m->hear(m, node->samples, n, left == all);
        }
    }
    return SAMPLE_OK;
}
