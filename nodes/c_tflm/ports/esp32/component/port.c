/* The port's functions, and waking and sleeping. The radio is radio.c, the slots are store.c. */
#include <string.h>

#include <energy_esp32c3_lis2dw12_wifi.h>

#include "esp_rtc_time.h"
#include "esp_sleep.h"
#include "esp_system.h"
#include "nvs_flash.h"
#include "radio.h"

static const char *const RECORD_KEY[] = {"record0", "record1", "record2", "record3"};
_Static_assert(PORT_SLOTS <= sizeof RECORD_KEY / sizeof *RECORD_KEY, "a key for each slot");

static bool get_blob(nvs_handle_t nvs, const char *key, void *out, size_t n) {
    size_t size = n;
    return nvs_get_blob(nvs, key, out, &size) == ESP_OK && size == n;
}

static bool get_text(nvs_handle_t nvs, const char *key, char *out, size_t n) {
    size_t size = n;
    return nvs_get_str(nvs, key, out, &size) == ESP_OK;
}

static bool read_identity(nvs_handle_t nvs, struct esp_identity *out) {
    return get_blob(nvs, "kid", out->kid, sizeof out->kid) &&
           get_blob(nvs, "secret", out->secret, sizeof out->secret) &&
           get_text(nvs, "ssid", out->ssid, sizeof out->ssid) &&
           get_text(nvs, "password", out->password, sizeof out->password) &&
           nvs_get_u32(nvs, "gateway_ip", &out->gateway_ip) == ESP_OK &&
           nvs_get_u16(nvs, "gateway_port", &out->gateway_port) == ESP_OK;
}

bool esp_board_open(struct esp_board *board, struct esp_identity *identity, struct esp_remembered *remembered,
                    const struct esp_source *source) {
    memset(identity, 0, sizeof *identity);
    *board = (struct esp_board){.identity = identity, .source = source, .remembered = remembered, .socket = -1};
    return nvs_flash_init() == ESP_OK && nvs_open("stethos", NVS_READWRITE, &board->nvs) == ESP_OK &&
           read_identity(board->nvs, identity);
}

/* The RTC's counter goes on through deep sleep, and nobody sets it. */
static uint64_t port_now_ms(void *context) {
    (void)context;
    return esp_rtc_get_time_us() / 1000;
}

static enum sample_status port_sample(void *context, int16_t *out, uint16_t samples, uint8_t channels) {
    const struct esp_board *board = context;
    return board->source->sample(board->source->context, out, samples, channels);
}

static bool port_send(void *context, const uint8_t *envelope, size_t n) {
    return radio_send(context, envelope, n);
}

static size_t port_receive(void *context, uint8_t *out, size_t size, uint32_t *left_ms) {
    const uint64_t begun_ms = port_now_ms(context);
    const size_t n = radio_receive(context, out, size, *left_ms);
    const uint64_t took_ms = port_now_ms(context) - begun_ms;
    *left_ms = n > 0 && took_ms < *left_ms ? *left_ms - (uint32_t)took_ms : 0;
    return n;
}

static bool port_persist_read(void *context, uint8_t slot, uint8_t *out) {
    const struct esp_board *board = context;
    return slot < PORT_SLOTS && get_blob(board->nvs, RECORD_KEY[slot], out, PORT_RECORD_SIZE);
}

static bool port_persist_write(void *context, uint8_t slot, const uint8_t *record) {
    const struct esp_board *board = context;
    return slot < PORT_SLOTS && nvs_set_blob(board->nvs, RECORD_KEY[slot], record, PORT_RECORD_SIZE) == ESP_OK &&
           nvs_commit(board->nvs) == ESP_OK;
}

static uint16_t port_battery_mv(void *context) {
    const struct esp_board *board = context;
    return board->source->battery_mv != NULL ? board->source->battery_mv(board->source->context) : 0;
}

static int16_t port_temperature_cdeg(void *context) {
    (void)context;
    return PORT_TEMPERATURE_NONE;
}

static int16_t port_link_dbm(void *context) {
    (void)context;
    return radio_dbm();
}

static void port_restart(void *context) {
    radio_down(context);
    esp_restart();
}

/* No timer, no pin: only the reset button, or a new battery, ends it. */
static void port_storage(void *context) {
    radio_down(context);
    esp_sleep_disable_wakeup_source(ESP_SLEEP_WAKEUP_ALL);
    esp_deep_sleep_start();
}

struct port esp_port(struct esp_board *board) {
    struct port port = {
        .context = board,
        .now_ms = port_now_ms,
        .sample = port_sample,
        .send = port_send,
        .receive = port_receive,
        .persist_read = port_persist_read,
        .persist_write = port_persist_write,
        .battery_mv = port_battery_mv,
        .temperature_cdeg = port_temperature_cdeg,
        .link_dbm = port_link_dbm,
        .store = &ESP_STORE,
        .restart = port_restart,
        .storage = port_storage,
    };
    memcpy(port.current_na, ENERGY_CURRENT_NA, sizeof port.current_na);
    return port;
}

bool esp_board_provision(struct esp_board *board, const struct port *port) {
    uint8_t fresh = 0;
    if (nvs_get_u8(board->nvs, "fresh", &fresh) != ESP_OK || fresh == 0) {
        return true;
    }
    return ceiling_provision(port) && nvs_erase_key(board->nvs, "fresh") == ESP_OK && nvs_commit(board->nvs) == ESP_OK;
}

uint8_t esp_reset_cause(void) {
    enum { POWER_ON, PIN, SOFTWARE, WATCHDOG, BROWN_OUT, UNKNOWN };
    switch (esp_reset_reason()) {
    case ESP_RST_POWERON:
        return POWER_ON;
    case ESP_RST_EXT:
        return PIN;
    case ESP_RST_SW:
    case ESP_RST_PANIC:
        return SOFTWARE;
    case ESP_RST_INT_WDT:
    case ESP_RST_TASK_WDT:
    case ESP_RST_WDT:
        return WATCHDOG;
    case ESP_RST_BROWNOUT:
        return BROWN_OUT;
    default:
        return UNKNOWN;
    }
}

_Noreturn void esp_board_sleep(struct esp_board *board, uint32_t ms) {
    radio_down(board);
    nvs_close(board->nvs);
    esp_deep_sleep(UINT64_C(1000) * ms);
}
