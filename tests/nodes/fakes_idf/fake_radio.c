/* The fake board's Wi-Fi, and the one access point there is: $AP_SSID, $AP_PASSWORD, $AP_BSSID, $AP_CHANNEL. */
#include <stdlib.h>
#include <string.h>

#include "esp_event.h"
#include "esp_netif.h"
#include "esp_wifi.h"
#include "fake_idf.h"
#include "freertos/event_groups.h"

enum { HANDLERS = 4, SCAN_US = 2000000, ASSOCIATE_US = 80000, DHCP_US = 600000, LEASE = 0x2A01A8C0 };

const esp_event_base_t WIFI_EVENT = "WIFI_EVENT", IP_EVENT = "IP_EVENT";

struct event_group {
    EventBits_t bits;
};

static struct {
    esp_event_base_t base;
    int32_t id;
    esp_event_handler_t call;
    void *argument;
} handlers[HANDLERS];
static unsigned handlers_n;
static struct event_group group;
static wifi_config_t config;
static esp_netif_ip_info_t address;
static bool dhcp = true, joined;

EventGroupHandle_t xEventGroupCreate(void) {
    return &group;
}

EventBits_t xEventGroupSetBits(EventGroupHandle_t g, EventBits_t bits) {
    return g->bits |= bits;
}

EventBits_t xEventGroupClearBits(EventGroupHandle_t g, EventBits_t bits) {
    return g->bits &= ~bits;
}

/* Events have come by now or never come: waiting is time that passes. */
EventBits_t xEventGroupWaitBits(EventGroupHandle_t g, EventBits_t bits, BaseType_t clear, BaseType_t all,
                                TickType_t ticks) {
    (void)clear;
    (void)all;
    if ((g->bits & bits) == 0) {
        fake_pass((uint64_t)ticks * 1000000 / TICKS_HZ);
    }
    return g->bits;
}

static void post(esp_event_base_t base, int32_t id) {
    for (unsigned i = 0; i < handlers_n; i++) {
        if (handlers[i].base == base && (handlers[i].id == id || handlers[i].id == ESP_EVENT_ANY_ID)) {
            handlers[i].call(handlers[i].argument, base, id, NULL);
        }
    }
}

esp_err_t esp_event_loop_create_default(void) {
    return ESP_OK;
}

esp_err_t esp_event_handler_register(esp_event_base_t base, int32_t id, esp_event_handler_t handler, void *argument) {
    if (handlers_n == HANDLERS) {
        return ESP_FAIL;
    }
    handlers[handlers_n].base = base;
    handlers[handlers_n].id = id;
    handlers[handlers_n].call = handler;
    handlers[handlers_n].argument = argument;
    handlers_n++;
    return ESP_OK;
}

esp_err_t esp_netif_init(void) {
    return ESP_OK;
}

esp_netif_t *esp_netif_create_default_wifi_sta(void) {
    return (esp_netif_t *)&address;
}

esp_err_t esp_netif_dhcpc_stop(esp_netif_t *netif) {
    (void)netif;
    dhcp = false;
    return ESP_OK;
}

esp_err_t esp_netif_dhcpc_start(esp_netif_t *netif) {
    (void)netif;
    if (dhcp) {
        return ESP_ERR_ESP_NETIF_DHCP_ALREADY_STARTED;
    }
    dhcp = true;
    return ESP_OK;
}

esp_err_t esp_netif_set_ip_info(esp_netif_t *netif, const esp_netif_ip_info_t *info) {
    (void)netif;
    if (dhcp) {
        return ESP_FAIL; /* ESP_ERR_ESP_NETIF_DHCP_NOT_STOPPED */
    }
    address = *info;
    return ESP_OK;
}

esp_err_t esp_netif_get_ip_info(esp_netif_t *netif, esp_netif_ip_info_t *out) {
    (void)netif;
    *out = address;
    return ESP_OK;
}

esp_err_t esp_wifi_init(const wifi_init_config_t *init) {
    return init->magic == 0x1F2F3F4F ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_set_storage(int storage) {
    return storage == WIFI_STORAGE_RAM ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_set_mode(int mode) {
    return mode == WIFI_MODE_STA ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_set_config(int interface, wifi_config_t *asked) {
    config = *asked;
    return interface == WIFI_IF_STA ? ESP_OK : ESP_FAIL;
}

esp_err_t esp_wifi_start(void) {
    fake_log("wifi_start");
    post(WIFI_EVENT, WIFI_EVENT_STA_START);
    return ESP_OK;
}

static void point(wifi_ap_record_t *out) {
    unsigned bytes[6] = {0};
    sscanf(fake_option("AP_BSSID", "02:00:5e:00:00:01"), "%x:%x:%x:%x:%x:%x", bytes, bytes + 1, bytes + 2, bytes + 3,
           bytes + 4, bytes + 5);
    for (unsigned i = 0; i < 6; i++) {
        out->bssid[i] = (uint8_t)bytes[i];
    }
    out->primary = (uint8_t)atoi(fake_option("AP_CHANNEL", "6"));
    out->rssi = -61;
}

static bool is_there(const wifi_ap_record_t *ap) {
    const wifi_sta_config_t *sta = &config.sta;
    if (strncmp((const char *)sta->ssid, fake_option("AP_SSID", "plant"), sizeof sta->ssid) != 0 ||
        strncmp((const char *)sta->password, fake_option("AP_PASSWORD", "open sesame"), sizeof sta->password) != 0) {
        return false;
    }
    return (!sta->bssid_set || memcmp(sta->bssid, ap->bssid, sizeof ap->bssid) == 0) &&
           (sta->channel == 0 || sta->channel == ap->primary);
}

esp_err_t esp_wifi_connect(void) {
    wifi_ap_record_t ap;
    point(&ap);
    fake_log(config.sta.channel == 0 ? "scan" : "channel %u bssid %d", config.sta.channel, config.sta.bssid_set);
    fake_pass(config.sta.channel == 0 ? SCAN_US : ASSOCIATE_US);
    joined = is_there(&ap);
    if (!joined) {
        post(WIFI_EVENT, WIFI_EVENT_STA_DISCONNECTED);
        return ESP_OK;
    }
    if (dhcp) {
        fake_log("dhcp");
        fake_pass(DHCP_US);
        address = (esp_netif_ip_info_t){{LEASE}, {0x00FFFFFF}, {0x0101A8C0}};
    } else {
        fake_log("address %08x", address.ip.addr);
    }
    if (address.ip.addr != 0) {
        post(IP_EVENT, IP_EVENT_STA_GOT_IP);
    }
    return ESP_OK;
}

esp_err_t esp_wifi_stop(void) {
    fake_log("wifi_stop");
    joined = false;
    return ESP_OK;
}

esp_err_t esp_wifi_sta_get_ap_info(wifi_ap_record_t *out) {
    if (!joined) {
        return ESP_FAIL; /* ESP_ERR_WIFI_NOT_CONNECT */
    }
    point(out);
    return ESP_OK;
}
