/* The configuration of a node, as it lies in its slot of the flash (core/store.h): what provisioning writes
 * (provision.py), so that one firmware serves every node. Little-endian; under one version the layout stays, and may
 * grow at its end: what a shorter page does not have is 0. */
#ifndef STETHOS_CONFIG_PAGE_H
#define STETHOS_CONFIG_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum config_sensor { SENSOR_NONE, SENSOR_LSM6DSL, SENSOR_MPU6050, SENSOR_LIS2DW12, SENSORS };

/* How frames get to the gateway; a chip need not have all (chip.h). */
enum config_line { LINE_USART, LINE_LPUART, LINE_MODULE, LINES };

/* CONFIG_ROOM: bytes of its slot that a page may take. */
enum { CONFIG_VERSION = 1, CONFIG_TEXT = 24, CONFIG_IDENTITY = 20, CONFIG_SIZE_MIN = 88, CONFIG_ROOM = 1024 };

struct config_page {
    uint32_t magic; /* "STCF" */
    uint16_t version;
    uint16_t size;  /* of this struct */
    uint8_t kid[4]; /* with the secret, CONFIG_IDENTITY: who the node is */
    uint8_t secret[16];
    uint32_t wake_ms;
    uint32_t heartbeat_ms;
    uint32_t baud;
    uint32_t rate_millihz;
    uint16_t listen_ms;
    uint16_t samples; /* per channel in one window; 0: what the model wants */
    uint16_t window_every;
    uint16_t flag_repeat;
    uint8_t channels;
    uint8_t sensor;
    uint16_t learn; /* windows to learn from what is normal; 0: no learner */
    uint8_t line;
    uint8_t feature_set;            /* without a model; 0: statistics */
    uint16_t radio_min_mv;          /* below it nothing is sent; 0: always send */
    char hardware[CONFIG_TEXT + 4]; /* ends in a zero */
    uint16_t short_samples;         /* look at so many first; 0: always at the whole window */
    uint8_t whole_every;            /* all the same at the whole window in every n-th wake; 0: as the core has it */
    uint8_t alert_after;            /* core/alert.h: looks in a row until the lamp is lit; 0: never */
    uint8_t clear_after;
    uint8_t alert_on_fault;
    uint8_t reserved[2];
};

/* A page of `size` bytes. False: not of this version, or not within what the core takes. Its slot has said already that
 * it is whole. */
bool config_page_read(struct config_page *out, const uint8_t *page, uint32_t size);

/* The same id and the same secret. */
bool config_page_same_node(const struct config_page *a, const struct config_page *b);

#endif
