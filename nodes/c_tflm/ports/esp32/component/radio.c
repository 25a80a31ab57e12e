#include "radio.h"

#include <string.h>
#include <sys/time.h>

#include "crc.h"
#include "esp_event.h"
#include "esp_wifi.h"
#include "freertos/FreeRTOS.h"
#include "freertos/event_groups.h"
#include "lwip/sockets.h"

enum { JOIN_REMEMBERED_MS = 1500, JOIN_ANEW_MS = 8000 };
enum { HAS_ADDRESS = 1, HAS_FAILED = 2 };

/* What the event handler of this start of the application tells the one task that waits. */
struct radio {
    EventGroupHandle_t events;
    esp_netif_t *interface;
};

static uint32_t check_of(const struct esp_remembered *remembered) {
    return ~crc32((const uint8_t *)remembered, offsetof(struct esp_remembered, check)); /* all zeros are no memory */
}

static void on_event(void *argument, esp_event_base_t base, int32_t id, void *data) {
    const struct radio *radio = argument;
    (void)data;
    if (base == WIFI_EVENT && id == WIFI_EVENT_STA_START) {
        esp_wifi_connect();
    } else if (base == WIFI_EVENT && id == WIFI_EVENT_STA_DISCONNECTED) {
        xEventGroupSetBits(radio->events, HAS_FAILED);
    } else if (base == IP_EVENT && id == IP_EVENT_STA_GOT_IP) {
        xEventGroupSetBits(radio->events, HAS_ADDRESS);
    }
}

static bool start(struct radio *radio) {
    const wifi_init_config_t init = WIFI_INIT_CONFIG_DEFAULT();
    radio->events = xEventGroupCreate();
    if (radio->events == NULL || esp_netif_init() != ESP_OK || esp_event_loop_create_default() != ESP_OK) {
        return false;
    }
    radio->interface = esp_netif_create_default_wifi_sta();
    return radio->interface != NULL && esp_wifi_init(&init) == ESP_OK &&
           esp_wifi_set_storage(WIFI_STORAGE_RAM) == ESP_OK &&
           esp_event_handler_register(WIFI_EVENT, ESP_EVENT_ANY_ID, on_event, radio) == ESP_OK &&
           esp_event_handler_register(IP_EVENT, IP_EVENT_STA_GOT_IP, on_event, radio) == ESP_OK &&
           esp_wifi_set_mode(WIFI_MODE_STA) == ESP_OK;
}

static bool join(const struct radio *radio, wifi_config_t *config, uint32_t patience_ms) {
    xEventGroupClearBits(radio->events, HAS_ADDRESS | HAS_FAILED);
    if (esp_wifi_set_config(WIFI_IF_STA, config) != ESP_OK || esp_wifi_start() != ESP_OK) {
        return false;
    }
    const EventBits_t bits =
        xEventGroupWaitBits(radio->events, HAS_ADDRESS | HAS_FAILED, pdFALSE, pdFALSE, pdMS_TO_TICKS(patience_ms));
    if ((bits & HAS_ADDRESS) != 0) {
        return true;
    }
    esp_wifi_stop();
    return false;
}

/* To the very access point, on its channel, under the address of last time: no scan, no DHCP. */
static bool join_remembered(const struct radio *radio, wifi_config_t config, const struct esp_remembered *remembered) {
    config.sta.bssid_set = true;
    memcpy(config.sta.bssid, remembered->bssid, sizeof config.sta.bssid);
    config.sta.channel = remembered->channel;
    return esp_netif_dhcpc_stop(radio->interface) == ESP_OK &&
           esp_netif_set_ip_info(radio->interface, &remembered->address) == ESP_OK &&
           join(radio, &config, JOIN_REMEMBERED_MS);
}

static void remember(const struct radio *radio, struct esp_remembered *remembered) {
    wifi_ap_record_t point;
    memset(remembered, 0, sizeof *remembered);
    if (esp_wifi_sta_get_ap_info(&point) != ESP_OK ||
        esp_netif_get_ip_info(radio->interface, &remembered->address) != ESP_OK) {
        return;
    }
    memcpy(remembered->bssid, point.bssid, sizeof remembered->bssid);
    remembered->channel = point.primary;
    remembered->check = check_of(remembered);
}

static bool join_anew(const struct radio *radio, wifi_config_t config, struct esp_remembered *remembered) {
    memset(remembered, 0, sizeof *remembered);
    const esp_err_t dhcp = esp_netif_dhcpc_start(radio->interface);
    if ((dhcp != ESP_OK && dhcp != ESP_ERR_ESP_NETIF_DHCP_ALREADY_STARTED) || !join(radio, &config, JOIN_ANEW_MS)) {
        return false;
    }
    remember(radio, remembered);
    return true;
}

static int open_socket(const struct esp_identity *identity) {
    const struct sockaddr_in gateway = {
        .sin_family = AF_INET, .sin_port = htons(identity->gateway_port), .sin_addr = {.s_addr = identity->gateway_ip}};
    const int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&gateway, sizeof gateway) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void up(struct esp_board *board) {
    static struct radio radio; /* the event handler has its address for as long as the application runs */
    const struct esp_identity *identity = board->identity;
    wifi_config_t config = {0};
    memcpy(config.sta.ssid, identity->ssid, strnlen(identity->ssid, sizeof config.sta.ssid));
    memcpy(config.sta.password, identity->password, strnlen(identity->password, sizeof config.sta.password));
    if (!start(&radio)) {
        return;
    }
    const bool known = board->remembered->check == check_of(board->remembered);
    if ((known && join_remembered(&radio, config, board->remembered)) || join_anew(&radio, config, board->remembered)) {
        board->socket = open_socket(identity);
    }
}

bool radio_send(struct esp_board *board, const uint8_t *envelope, size_t n) {
    if (!board->tried) {
        board->tried = true;
        up(board);
    }
    return board->socket >= 0 && send(board->socket, envelope, n, 0) == (ssize_t)n;
}

size_t radio_receive(struct esp_board *board, uint8_t *out, size_t size, uint32_t ms) {
    const struct timeval patience = {.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
    if (board->socket < 0 || ms == 0 ||
        setsockopt(board->socket, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
        return 0;
    }
    const ssize_t n = recv(board->socket, out, size, 0);
    return n > 0 ? (size_t)n : 0;
}

int16_t radio_dbm(void) {
    wifi_ap_record_t point;
    return esp_wifi_sta_get_ap_info(&point) == ESP_OK ? point.rssi : PORT_LINK_NONE;
}

void radio_down(struct esp_board *board) {
    if (board->socket >= 0) {
        close(board->socket);
        board->socket = -1;
    }
    if (board->tried) {
        esp_wifi_stop();
    }
}
