#pragma once
#include "esp_err.h"
typedef struct {
    int magic;
} wifi_init_config_t;
#define WIFI_INIT_CONFIG_DEFAULT()                                                                                     \
    { .magic = 0x1F2F3F4F }
typedef struct {
    uint8_t ssid[32], password[64];
    bool bssid_set;
    uint8_t bssid[6];
    uint8_t channel;
} wifi_sta_config_t;
typedef union {
    wifi_sta_config_t sta;
} wifi_config_t;
typedef struct {
    uint8_t bssid[6];
    uint8_t primary;
    int8_t rssi;
} wifi_ap_record_t;
enum { WIFI_STORAGE_RAM = 1, WIFI_MODE_STA = 1, WIFI_IF_STA = 0 };
esp_err_t esp_wifi_init(const wifi_init_config_t *config);
esp_err_t esp_wifi_set_storage(int storage);
esp_err_t esp_wifi_set_mode(int mode);
esp_err_t esp_wifi_set_config(int interface, wifi_config_t *config);
esp_err_t esp_wifi_start(void);
esp_err_t esp_wifi_connect(void);
esp_err_t esp_wifi_stop(void);
esp_err_t esp_wifi_sta_get_ap_info(wifi_ap_record_t *out);
