/* Sleep, time, memory of the RTC, NVS and partitions of the fake board, and its beginning. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "esp_app_desc.h"
#include "esp_partition.h"
#include "esp_rtc_time.h"
#include "esp_sleep.h"
#include "esp_system.h"
#include "fake_idf.h"
#include "nvs.h"
#include "nvs_flash.h"

/* Of the linker: all that is RTC_DATA_ATTR. */
extern uint8_t __start_rtc_data[], __stop_rtc_data[];

void app_main(void);

static uint64_t asleep_us; /* time of the board that was not spent in this process */
static uint64_t timer_us;

FILE *fake_file(const char *name, const char *mode) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", getenv("BOARD"), name);
    return fopen(path, mode);
}

void fake_log(const char *format, ...) {
    va_list arguments;
    FILE *log = fake_file("calls", "a");
    va_start(arguments, format);
    vfprintf(log, format, arguments);
    va_end(arguments);
    fputc('\n', log);
    fclose(log);
}

const char *fake_option(const char *name, const char *otherwise) {
    const char *value = getenv(name);
    return value != NULL ? value : otherwise;
}

void fake_pass(uint64_t us) {
    asleep_us += us;
}

static uint64_t process_us(void) {
    static struct timespec begun;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (begun.tv_sec == 0) {
        begun = now;
    }
    return (uint64_t)(now.tv_sec - begun.tv_sec) * 1000000 + (uint64_t)(now.tv_nsec / 1000) -
           (uint64_t)(begun.tv_nsec / 1000);
}

uint64_t esp_rtc_get_time_us(void) {
    return asleep_us + process_us();
}

/* The RTC's memory is there after deep sleep, and after nothing else: a power failure is a removed file. */
int main(void) {
    const size_t n = (size_t)(__stop_rtc_data - __start_rtc_data);
    FILE *file = fake_file("rtc", "rb");
    process_us();
    if (file != NULL) {
        if (fread(&asleep_us, sizeof asleep_us, 1, file) != 1 || fread(__start_rtc_data, 1, n, file) != n) {
            abort();
        }
        fclose(file);
    }
    app_main();
    return 1; /* it never returns */
}

esp_err_t esp_sleep_enable_timer_wakeup(uint64_t time_in_us) {
    timer_us = time_in_us;
    return ESP_OK;
}

esp_err_t esp_light_sleep_start(void) {
    fake_pass(timer_us);
    return ESP_OK;
}

void esp_deep_sleep(uint64_t time_in_us) {
    const size_t n = (size_t)(__stop_rtc_data - __start_rtc_data);
    const uint64_t wakes_us = esp_rtc_get_time_us() + time_in_us;
    FILE *file = fake_file("rtc", "wb");
    fake_log("deep_sleep %llu", (unsigned long long)time_in_us);
    fwrite(&wakes_us, sizeof wakes_us, 1, file);
    fwrite(__start_rtc_data, 1, n, file);
    fclose(file);
    exit(0);
}

esp_err_t esp_sleep_disable_wakeup_source(int source) {
    timer_us = source == ESP_SLEEP_WAKEUP_ALL ? 0 : timer_us;
    return ESP_OK;
}

void esp_deep_sleep_start(void) {
    fake_log("deep_sleep for ever");
    exit(0);
}

/* A software reset gives the RTC's memory its first values again. */
void esp_restart(void) {
    char path[512];
    fake_log("restart");
    snprintf(path, sizeof path, "%s/rtc", getenv("BOARD"));
    remove(path);
    exit(0);
}

esp_reset_reason_t esp_reset_reason(void) {
    FILE *file = fake_file("rtc", "rb");
    if (file == NULL) {
        return ESP_RST_POWERON;
    }
    fclose(file);
    return ESP_RST_DEEPSLEEP;
}

const esp_app_desc_t *esp_app_get_description(void) {
    static const esp_app_desc_t DESCRIPTION = {.version = "0.1.0"};
    return &DESCRIPTION;
}

esp_err_t nvs_flash_init(void) {
    return ESP_OK;
}

esp_err_t nvs_open(const char *name, nvs_open_mode_t mode, nvs_handle_t *out) {
    (void)mode;
    *out = 1;
    return strcmp(name, "stethos") == 0 ? ESP_OK : ESP_FAIL;
}

void nvs_close(nvs_handle_t handle) {
    (void)handle;
}

static FILE *nvs_file(const char *key, const char *mode) {
    char name[64];
    if (strlen(key) > 15) { /* NVS_KEY_NAME_MAX_SIZE less its zero */
        abort();
    }
    snprintf(name, sizeof name, "nvs-%s", key);
    return fake_file(name, mode);
}

esp_err_t nvs_get_blob(nvs_handle_t handle, const char *key, void *out, size_t *length) {
    FILE *file = nvs_file(key, "rb");
    (void)handle;
    if (file == NULL) {
        return ESP_FAIL;
    }
    const size_t n = fread(out, 1, *length, file);
    const int more = fgetc(file);
    fclose(file);
    *length = n;
    return more == EOF ? ESP_OK : ESP_FAIL;
}

esp_err_t nvs_set_blob(nvs_handle_t handle, const char *key, const void *value, size_t length) {
    FILE *file = nvs_file(key, "wb");
    (void)handle;
    fwrite(value, 1, length, file);
    fclose(file);
    return ESP_OK;
}

esp_err_t nvs_get_str(nvs_handle_t handle, const char *key, char *out, size_t *length) {
    size_t n = *length - 1;
    if (nvs_get_blob(handle, key, out, &n) != ESP_OK) {
        return ESP_FAIL;
    }
    out[n] = '\0';
    return ESP_OK;
}

static esp_err_t get_number(nvs_handle_t handle, const char *key, void *out, size_t size) {
    size_t n = size;
    return nvs_get_blob(handle, key, out, &n) == ESP_OK && n == size ? ESP_OK : ESP_FAIL;
}

esp_err_t nvs_get_u8(nvs_handle_t handle, const char *key, uint8_t *out) {
    return get_number(handle, key, out, sizeof *out);
}

esp_err_t nvs_get_u16(nvs_handle_t handle, const char *key, uint16_t *out) {
    return get_number(handle, key, out, sizeof *out);
}

esp_err_t nvs_get_u32(nvs_handle_t handle, const char *key, uint32_t *out) {
    return get_number(handle, key, out, sizeof *out);
}

esp_err_t nvs_erase_key(nvs_handle_t handle, const char *key) {
    char path[512];
    (void)handle;
    snprintf(path, sizeof path, "%s/nvs-%s", getenv("BOARD"), key);
    return remove(path) == 0 ? ESP_OK : ESP_FAIL;
}

esp_err_t nvs_commit(nvs_handle_t handle) {
    (void)handle;
    return ESP_OK;
}

/* A partition is a file of its size; one that is not there does not exist. */
const esp_partition_t *esp_partition_find_first(int type, int subtype, const char *label) {
    static esp_partition_t found;
    FILE *file = fake_file(label, "rb");
    (void)type;
    (void)subtype;
    if (file == NULL) {
        return NULL;
    }
    fseek(file, 0, SEEK_END);
    found.size = (uint32_t)ftell(file);
    fclose(file);
    snprintf(found.label, sizeof found.label, "%s", label);
    return &found;
}

esp_err_t esp_partition_read(const esp_partition_t *partition, size_t at, void *out, size_t n) {
    FILE *file = fake_file(partition->label, "rb");
    fseek(file, (long)at, SEEK_SET);
    const size_t got = fread(out, 1, n, file);
    fclose(file);
    return got == n ? ESP_OK : ESP_FAIL;
}

/* Flash: a write clears bits and sets none. */
esp_err_t esp_partition_write(const esp_partition_t *partition, size_t at, const void *data, size_t n) {
    uint8_t *bytes = malloc(n);
    if (at + n > partition->size || esp_partition_read(partition, at, bytes, n) != ESP_OK) {
        free(bytes);
        return ESP_FAIL;
    }
    for (size_t i = 0; i < n; i++) {
        bytes[i] &= ((const uint8_t *)data)[i];
    }
    FILE *file = fake_file(partition->label, "r+b");
    fseek(file, (long)at, SEEK_SET);
    fwrite(bytes, 1, n, file);
    fclose(file);
    free(bytes);
    return ESP_OK;
}

esp_err_t esp_partition_erase_range(const esp_partition_t *partition, size_t at, size_t n) {
    if (at % 4096 != 0 || n % 4096 != 0 || at + n > partition->size) {
        return ESP_FAIL;
    }
    FILE *file = fake_file(partition->label, "r+b");
    fseek(file, (long)at, SEEK_SET);
    for (size_t i = 0; i < n; i++) {
        fputc(0xFF, file);
    }
    fclose(file);
    return ESP_OK;
}

esp_err_t esp_partition_mmap(const esp_partition_t *partition, size_t at, size_t n, int memory, const void **out,
                             esp_partition_mmap_handle_t *handle) {
    uint8_t *bytes = malloc(n); /* for as long as the process runs */
    (void)memory;
    *handle = 1;
    *out = bytes;
    return esp_partition_read(partition, at, bytes, n);
}
