/* Slots in partitions of data: model_a, model_b, and so on (partitions.csv). */
#include "esp_partition.h"
#include "stethos_esp.h"

enum { PAGE = 4096, MODEL_SIZE = 0x10000, CONFIG_SIZE = 0x4000, LEARNER_SIZE = 0x4000 };

static const esp_partition_t *partition_of(enum store store, uint8_t slot) {
    static const char *const LABEL[STORES][STORE_SLOTS] = {[STORE_MODEL] = {"model_a", "model_b"},
                                                           [STORE_CONFIG] = {"config_a", "config_b"},
                                                           [STORE_LEARNER] = {"learner_a", "learner_b"}};
    const char *label = LABEL[store][slot];
    return label == NULL ? NULL : esp_partition_find_first(ESP_PARTITION_TYPE_DATA, ESP_PARTITION_SUBTYPE_ANY, label);
}

static bool store_read(void *context, enum store store, uint8_t slot, uint32_t at, uint8_t *out, uint32_t n) {
    const esp_partition_t *partition = partition_of(store, slot);
    (void)context;
    return partition != NULL && esp_partition_read(partition, at, out, n) == ESP_OK;
}

static bool store_erase(void *context, enum store store, uint8_t slot) {
    const esp_partition_t *partition = partition_of(store, slot);
    (void)context;
    if (partition == NULL) {
        return false;
    }
    for (uint32_t at = 0; at < ESP_STORE.size[store]; at += PAGE) {
        if (esp_partition_erase_range(partition, at, PAGE) != ESP_OK) {
            return false;
        }
    }
    return true;
}

static bool store_write(void *context, enum store store, uint8_t slot, uint32_t at, const uint8_t *data, uint32_t n) {
    const esp_partition_t *partition = partition_of(store, slot);
    (void)context;
    return partition != NULL && esp_partition_write(partition, at, data, n) == ESP_OK;
}

const struct port_store ESP_STORE = {
    .size = {[STORE_MODEL] = MODEL_SIZE, [STORE_CONFIG] = CONFIG_SIZE, [STORE_LEARNER] = LEARNER_SIZE},
    .page = PAGE,
    .read = store_read,
    .erase = store_erase,
    .write = store_write,
};

const uint8_t *esp_store_map(enum store store, uint8_t slot) {
    const esp_partition_t *partition = partition_of(store, slot);
    const void *memory;
    esp_partition_mmap_handle_t handle;
    if (partition == NULL || esp_partition_mmap(partition, PAGE, ESP_STORE.size[store] - PAGE, ESP_PARTITION_MMAP_DATA,
                                                &memory, &handle) != ESP_OK) {
        return NULL;
    }
    return memory;
}
