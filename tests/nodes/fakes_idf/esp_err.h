/* Of ESP-IDF, what ports/esp32 uses, for the host: fake_idf.c stands behind it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int esp_err_t;
enum { ESP_OK = 0, ESP_FAIL = -1 };
