#include "config_page.h"

#include "node.h"

#define MAGIC UINT32_C(0x46435453)

enum { SAMPLES_MIN = 32 };

_Static_assert(sizeof(struct config_page) == 88, "the layout that provision.py writes");

static bool within_limits(const struct config_page *page) {
    return page->channels >= 1 && page->channels <= NODE_CHANNELS_MAX && page->samples <= NODE_SAMPLES_MAX &&
           (page->samples == 0 || page->samples >= SAMPLES_MIN) && page->wake_ms >= NODE_WAKE_MIN_MS &&
           page->wake_ms <= NODE_WAKE_MAX_MS && page->heartbeat_ms > 0 && page->flag_repeat > 0 && page->baud > 0 &&
           page->sensor < SENSORS && page->hardware[0] != '\0' && page->hardware[CONFIG_TEXT] == '\0';
}

bool config_page_valid(const struct config_page *page) {
    return page->magic == MAGIC && page->version == CONFIG_VERSION && page->size == sizeof *page && within_limits(page);
}
