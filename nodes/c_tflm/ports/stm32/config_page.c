#include "config_page.h"

#include <string.h>

#include "feature_set.h"
#include "node.h"

#define MAGIC UINT32_C(0x46435453)

enum { SAMPLES_MIN = 32 };

_Static_assert(sizeof(struct config_page) == 96, "the layout that provision.py writes");

static bool within_limits(const struct config_page *page) {
    return page->channels >= 1 && page->channels <= NODE_CHANNELS_MAX && page->samples <= NODE_SAMPLES_MAX &&
           (page->samples == 0 || page->samples >= SAMPLES_MIN) && page->wake_ms >= NODE_WAKE_MIN_MS &&
           page->wake_ms <= NODE_WAKE_MAX_MS && page->heartbeat_ms > 0 && page->flag_repeat > 0 && page->baud > 0 &&
           page->sensor < SENSORS && page->line < LINES && page->hardware[0] != '\0' &&
           page->hardware[CONFIG_TEXT] == '\0' &&
           (page->feature_set == 0 || feature_set_size(page->feature_set, page->channels) > 0) &&
           (page->short_samples == 0 || page->short_samples >= SAMPLES_MIN);
}

bool config_page_read(struct config_page *out, const uint8_t *page, uint32_t size) {
    memset(out, 0, sizeof *out);
    if (size < CONFIG_SIZE_MIN || size > CONFIG_ROOM) {
        return false;
    }
    memcpy(out, page, CONFIG_SIZE_MIN);
    if (out->magic != MAGIC || out->version != CONFIG_VERSION || out->size < CONFIG_SIZE_MIN || out->size > size) {
        return false;
    }
    memcpy(out, page, out->size < sizeof *out ? out->size : sizeof *out);
    return within_limits(out);
}

bool config_page_same_node(const struct config_page *a, const struct config_page *b) {
    const size_t at = offsetof(struct config_page, kid);
    return memcmp((const uint8_t *)a + at, (const uint8_t *)b + at, CONFIG_IDENTITY) == 0;
}
