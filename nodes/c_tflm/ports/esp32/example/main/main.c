/* A node on an ESP32-C3: wakes, listens to its machine through an LIS2DW12, says what there is to say in one datagram,
 * hears the Ack, sleeps. Each wake is a start of app_main; what must survive lies in memory of the RTC. */
#include "esp_app_desc.h"
#include "esp_attr.h"
#include "lis2dw12.h"
#include "slots.h"
#include "stethos_esp.h"

enum {
    SAMPLES = 128,
    WAKE_MS = 60000,
    HEARTBEAT_MS = 3600000,
    LISTEN_MS = 300,
    FLAG_REPEAT = 10,
    UNPROVISIONED_MS = 3600000,
    MODEL_MEMORY = 12288,
    SDA = 5,
    SCL = 6,
};

static RTC_DATA_ATTR struct node_kept kept;
static RTC_DATA_ATTR struct esp_remembered remembered;

/* The model's memory; while a new one is tried, the one in use keeps its own. */
static uint64_t model_memory[2][MODEL_MEMORY / sizeof(uint64_t)];

/* Opens what lies in a slot, where it lies; the model's own self-test says whether it runs here. */
static bool open_slot(const struct slots *slots, uint8_t slot, struct model *model, unsigned memory) {
    struct slot_state state;
    slots_read(slots, slot, &state);
    const uint8_t *image = esp_store_map(STORE_MODEL, slot);
    return image != NULL &&
           model_open(model, image, image_size(&state.manifest), model_memory[memory], sizeof model_memory[memory]) ==
               MODEL_OK &&
           model->heard <= model->samples; /* there is no sample_part here */
}

static bool accept(void *context, enum store store, uint8_t slot) {
    static struct model trial;
    const struct slots slots = {&ESP_STORE, context, store};
    return store != STORE_MODEL || open_slot(&slots, slot, &trial, 1);
}

/* Who has the node's key may give it a model: what comes over the air is sealed with it. */
static const struct image_rules RULES = {
    .board = "esp32c3", .unsigned_stores = 1 << STORE_MODEL, .running = -1, .accept = accept};

/* The model in use. One that has passed its self-test has proved itself. */
static struct model *open_model(bool *broken) {
    static struct model model;
    const struct slots slots = {&ESP_STORE, NULL, STORE_MODEL};
    enum image_reply why[STORE_SLOTS];
    const int slot = slots_choose(&slots, &RULES, why);
    *broken = slot < 0 ? why[0] != IMAGE_OK || why[1] != IMAGE_OK : !open_slot(&slots, (uint8_t)slot, &model, 0);
    if (slot < 0 || *broken) {
        return NULL;
    }
    (void)slots_confirm(&slots, (uint8_t)slot); /* if flash does not take it now, then at the next wake */
    return &model;
}

static struct node_config configure(const struct esp_identity *identity, const struct model *model, bool model_broken) {
    struct node_config config = {
        .hardware = "esp32c3",
        .firmware = esp_app_get_description()->version,
        .wake_ms = WAKE_MS,
        .heartbeat_ms = HEARTBEAT_MS,
        .listen_ms = LISTEN_MS,
        .samples = model != NULL ? model->samples : SAMPLES,
        .channels = LIS2DW12_CHANNELS,
        .reset_cause = esp_reset_cause(),
        .window_every = model == NULL,
        .flag_repeat = FLAG_REPEAT,
        .model_broken = model_broken,
        .feature_set = model != NULL ? model->feature_set : 0,
        .rate_millihz = LIS2DW12_RATE_HZ * 1000,
        .rules = &RULES,
        .updates = &NODE_UPDATES,
        .hear = node_hear,
    };
    for (unsigned i = 0; i < sizeof config.kid; i++) {
        config.kid[i] = identity->kid[i];
    }
    for (unsigned i = 0; i < sizeof config.secret; i++) {
        config.secret[i] = identity->secret[i];
    }
    return config;
}

void app_main(void) {
    static struct esp_board board;
    static struct esp_identity identity;
    static struct node node;
    static int16_t samples[NODE_SAMPLES_MAX * LIS2DW12_CHANNELS];
    static struct lis2dw12 sensor = {.sda = SDA, .scl = SCL};
    const struct esp_source source = {.sample = lis2dw12_sample, .context = &sensor};
    if (!esp_board_open(&board, &identity, &remembered, &source)) {
        esp_board_sleep(&board, UNPROVISIONED_MS);
    }
    const struct port port = esp_port(&board);
    bool model_broken;
    struct model *model = open_model(&model_broken);
    const struct node_config config = configure(&identity, model, model_broken);
    if (!esp_board_provision(&board, &port) ||
        node_init(&node, &config, &port, model, samples, &kept) != NODE_RUNNING) {
        esp_board_sleep(&board, UNPROVISIONED_MS);
    }
    const uint32_t sleep_ms = node_step(&node);
    esp_board_sleep(&board, sleep_ms == NODE_NEVER ? UNPROVISIONED_MS : sleep_ms);
}
