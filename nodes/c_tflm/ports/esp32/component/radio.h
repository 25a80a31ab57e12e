/* Wi-Fi and one UDP socket. Started by the first message of a wake, never twice in one. */
#ifndef STETHOS_ESP_RADIO_H
#define STETHOS_ESP_RADIO_H

#include "stethos_esp.h"

bool radio_send(struct esp_board *board, const uint8_t *envelope, size_t n);

/* 0: nothing came in this time, or the radio is not on. */
size_t radio_receive(struct esp_board *board, uint8_t *out, size_t size, uint32_t ms);

int16_t radio_dbm(void); /* of the access point, or PORT_LINK_NONE */
void radio_down(struct esp_board *board);

#endif
