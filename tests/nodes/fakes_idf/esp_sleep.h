#pragma once
#include "esp_err.h"
esp_err_t esp_sleep_enable_timer_wakeup(uint64_t time_in_us);
esp_err_t esp_light_sleep_start(void);
enum { ESP_SLEEP_WAKEUP_ALL = 1 };
esp_err_t esp_sleep_disable_wakeup_source(int source);
void esp_deep_sleep_start(void) __attribute__((noreturn));
void esp_deep_sleep(uint64_t time_in_us) __attribute__((noreturn));
