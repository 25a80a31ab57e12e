/* The fake board's I2C bus, with an LIS2DW12 on it. $SENSOR: absent, stopped (it fills no FIFO), slow (somebody has
 * taken so long that the FIFO has run over), stuck (it always says the same), or well. */
#include <string.h>

#include "driver/i2c_master.h"
#include "esp_rtc_time.h"
#include "fake_idf.h"

enum { WHO_AM_I = 0x0F, CTRL1 = 0x20, OUT_X_L = 0x28, FIFO_CTRL = 0x2E, FIFO_SAMPLES = 0x2F };
enum { DEPTH = 32, ADDRESS = 0x19, FRAME = 6 };

static uint8_t registers[64];
static uint64_t filled_from_us;
static uint64_t taken;

static bool is(const char *what) {
    return strcmp(fake_option("SENSOR", "well"), what) == 0;
}

static uint64_t made(void) {
    const bool runs = registers[CTRL1] >> 4 == 6 && registers[FIFO_CTRL] >> 5 == 6 && !is("stopped");
    const uint64_t us = esp_rtc_get_time_us() - filled_from_us;
    return runs ? us * (is("slow") ? 800 : 200) / 1000000 : 0;
}

esp_err_t i2c_new_master_bus(const i2c_master_bus_config_t *config, i2c_master_bus_handle_t *out) {
    static uint8_t bus;
    *out = (i2c_master_bus_handle_t)&bus;
    return config->sda_io_num != config->scl_io_num ? ESP_OK : ESP_FAIL;
}

esp_err_t i2c_del_master_bus(i2c_master_bus_handle_t bus) {
    (void)bus;
    fake_log("sensor %s", registers[CTRL1] == 0 ? "off" : "on");
    return ESP_OK;
}

esp_err_t i2c_master_bus_add_device(i2c_master_bus_handle_t bus, const i2c_device_config_t *config,
                                    i2c_master_dev_handle_t *out) {
    *out = (i2c_master_dev_handle_t)bus;
    return config->device_address == ADDRESS ? ESP_OK : ESP_FAIL;
}

esp_err_t i2c_master_bus_rm_device(i2c_master_dev_handle_t device) {
    (void)device;
    return ESP_OK;
}

esp_err_t i2c_master_transmit(i2c_master_dev_handle_t device, const uint8_t *bytes, size_t n, int ms) {
    (void)device;
    (void)ms;
    if (is("absent") || n != 2) {
        return ESP_FAIL;
    }
    registers[bytes[0]] = bytes[1];
    if (bytes[0] == FIFO_CTRL) {
        filled_from_us = esp_rtc_get_time_us();
        taken = 0;
    }
    return ESP_OK;
}

static int16_t sample(uint64_t i, unsigned axis) {
    const uint64_t turn = is("stuck") ? 0 : i * (31 + axis);
    return (int16_t)(4000 * (int)axis + (int)(turn * turn % 977) - 488);
}

esp_err_t i2c_master_transmit_receive(i2c_master_dev_handle_t device, const uint8_t *bytes, size_t n, uint8_t *out,
                                      size_t out_n, int ms) {
    (void)device;
    (void)ms;
    if (is("absent") || n != 1) {
        return ESP_FAIL;
    }
    const uint64_t waiting = made() - taken;
    switch (bytes[0]) {
    case WHO_AM_I:
        *out = 0x44;
        return ESP_OK;
    case FIFO_SAMPLES:
        *out = (uint8_t)(waiting > DEPTH ? 0x40 | DEPTH : waiting);
        return ESP_OK;
    case OUT_X_L:
        if (out_n % FRAME != 0 || out_n / FRAME > waiting) {
            return ESP_FAIL;
        }
        for (size_t i = 0; i < out_n / 2; i++) {
            const int16_t value = sample(taken + i / 3, i % 3);
            out[2 * i] = (uint8_t)value;
            out[2 * i + 1] = (uint8_t)((uint16_t)value >> 8);
        }
        taken += out_n / FRAME;
        return ESP_OK;
    default:
        return ESP_FAIL;
    }
}
