/* The port to ESP-IDF: deep sleep with memory of the RTC, Wi-Fi that joins without looking around, one datagram a
 * report, NVS for the numbers that never repeat, partitions as slots. Made for IDF 5.1 and later.
 *
 * A wake is one start of the application: it calls esp_board_open, node_init, node_step and esp_board_sleep. The radio
 * is started by the first message that is to go out; a wake without news never starts it. */
#ifndef STETHOS_ESP_H
#define STETHOS_ESP_H

#include "esp_netif.h"
#include "node.h"
#include "nvs.h"
#include "store.h"

/* Who the node is, where its gateway is. Written into NVS, namespace "stethos", when the node is made. */
struct esp_identity {
    uint8_t kid[KEYS_KID];
    uint8_t secret[KEYS_SECRET];
    char ssid[33];
    char password[65];
    uint32_t gateway_ip; /* in network order */
    uint16_t gateway_port;
};

/* What the last association has found out; in memory of the RTC, so that the next one asks nobody. */
struct esp_remembered {
    uint8_t bssid[6];
    uint8_t channel;
    esp_netif_ip_info_t address;
    uint32_t check; /* what deep sleep has not kept is not used */
};

/* The application's part: its sensor, and its battery if it can measure it (else NULL). */
struct esp_source {
    enum sample_status (*sample)(void *context, int16_t *out, uint16_t samples, uint8_t channels);
    uint16_t (*battery_mv)(void *context);
    void *context;
};

struct esp_board {
    const struct esp_identity *identity;
    const struct esp_source *source;
    struct esp_remembered *remembered;
    nvs_handle_t nvs;
    int socket;
    bool tried; /* the radio, in this wake */
};

/* NVS, and who the node is. False: this board has not been provisioned. */
bool esp_board_open(struct esp_board *board, struct esp_identity *identity, struct esp_remembered *remembered,
                    const struct esp_source *source);

struct port esp_port(struct esp_board *board);

/* First records, once, if provisioning has left the mark "fresh" in NVS. False: they could not be made. */
bool esp_board_provision(struct esp_board *board, const struct port *port);

uint8_t esp_reset_cause(void); /* nodes/wire/SPEC.md, "Reset cause" */

/* Radio off, then deep sleep; the next thing that happens is a start of the application. */
_Noreturn void esp_board_sleep(struct esp_board *board, uint32_t ms);

/* Slots of model, configuration and learner in the partitions NAME_a and NAME_b; its context is not used. Firmware has
 * IDF's own two slots (esp_ota_ops.h). */
extern const struct port_store ESP_STORE;

/* The payload in a slot, as memory; NULL: it cannot be mapped. */
const uint8_t *esp_store_map(enum store store, uint8_t slot);

#endif
