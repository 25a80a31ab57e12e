#pragma once
#include "esp_err.h"
typedef struct {
    char label[17];
    uint32_t size;
} esp_partition_t;
typedef uint32_t esp_partition_mmap_handle_t;
enum { ESP_PARTITION_TYPE_DATA = 1, ESP_PARTITION_SUBTYPE_ANY = 0xff, ESP_PARTITION_MMAP_DATA = 0 };
const esp_partition_t *esp_partition_find_first(int type, int subtype, const char *label);
esp_err_t esp_partition_read(const esp_partition_t *partition, size_t at, void *out, size_t n);
esp_err_t esp_partition_write(const esp_partition_t *partition, size_t at, const void *data, size_t n);
esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t at, size_t n);
esp_err_t esp_partition_mmap(const esp_partition_t *partition, size_t at, size_t n, int memory, const void **out,
                             esp_partition_mmap_handle_t *handle);
