#include "lis2dw12.h"

#include "driver/i2c_master.h"
#include "esp_sleep.h"

/* Registers and their bits: LIS2DW12 data sheet, "Register description". */
enum {
    ADDRESS = 0x19,
    WHO_AM_I = 0x0F,
    IS_LIS2DW12 = 0x44,
    CTRL1 = 0x20,
    CTRL1_OFF = 0x00,
    CTRL1_200_HZ_HIGH_PERFORMANCE = 0x64,
    CTRL2 = 0x21,
    CTRL2_BLOCK_UPDATE_INCREMENT = 0x0C,
    CTRL6 = 0x25,
    CTRL6_4_G = 0x10,
    OUT_X_L = 0x28,
    FIFO_CTRL = 0x2E,
    FIFO_CTRL_BYPASS = 0x00,
    FIFO_CTRL_CONTINUOUS = 0xC0,
    FIFO_SAMPLES = 0x2F,
    FIFO_SAMPLES_OVERRUN = 0x40,
    FIFO_SAMPLES_COUNT = 0x3F,
    FIFO_DEPTH = 32,
};

enum {
    BUS_HZ = 400000,
    PATIENCE_MS = 50,
    SETTLE_MS = 10,
    DRAIN_EVERY_MS = 100, /* 20 of the 32 places are full by then */
    DRAINS_EMPTY_MAX = 5, /* in a row: the sensor has stopped */
    FRAME = 2 * LIS2DW12_CHANNELS,
};

static bool get(i2c_master_dev_handle_t device, uint8_t at, uint8_t *out, size_t n) {
    return i2c_master_transmit_receive(device, &at, 1, out, n, PATIENCE_MS) == ESP_OK;
}

static bool set(i2c_master_dev_handle_t device, uint8_t at, uint8_t value) {
    const uint8_t bytes[] = {at, value};
    return i2c_master_transmit(device, bytes, sizeof bytes, PATIENCE_MS) == ESP_OK;
}

static bool begin(i2c_master_dev_handle_t device) {
    uint8_t who;
    return get(device, WHO_AM_I, &who, 1) && who == IS_LIS2DW12 && set(device, CTRL2, CTRL2_BLOCK_UPDATE_INCREMENT) &&
           set(device, CTRL6, CTRL6_4_G) && set(device, FIFO_CTRL, FIFO_CTRL_BYPASS) &&
           set(device, CTRL1, CTRL1_200_HZ_HIGH_PERFORMANCE);
}

/* Memory and pins stay as they are, and so does the sensor. */
static void doze(uint32_t ms) {
    esp_sleep_enable_timer_wakeup(UINT64_C(1000) * ms);
    esp_light_sleep_start();
}

/* What is in the FIFO, up to `most` frames; how many. */
static enum sample_status drain(i2c_master_dev_handle_t device, int16_t *out, uint16_t most, uint16_t *taken) {
    uint8_t bytes[FIFO_DEPTH * FRAME];
    uint8_t level;
    *taken = 0;
    if (!get(device, FIFO_SAMPLES, &level, 1)) {
        return SAMPLE_NO_ANSWER;
    }
    if ((level & FIFO_SAMPLES_OVERRUN) != 0) {
        return SAMPLE_OVERRUN;
    }
    uint16_t n = level & FIFO_SAMPLES_COUNT;
    n = n < most ? n : most;
    if (n > FIFO_DEPTH || (n > 0 && !get(device, OUT_X_L, bytes, (size_t)n * FRAME))) {
        return SAMPLE_NO_ANSWER;
    }
    for (size_t i = 0; i < (size_t)n * LIS2DW12_CHANNELS; i++) {
        out[i] = (int16_t)(bytes[2 * i] | bytes[2 * i + 1] << 8);
    }
    *taken = n;
    return SAMPLE_OK;
}

static enum sample_status window(i2c_master_dev_handle_t device, int16_t *out, uint16_t samples) {
    unsigned empty = 0;
    uint16_t taken;
    if (!begin(device)) {
        return SAMPLE_NO_ANSWER;
    }
    doze(SETTLE_MS);
    if (!set(device, FIFO_CTRL, FIFO_CTRL_CONTINUOUS)) {
        return SAMPLE_NO_ANSWER;
    }
    for (uint16_t done = 0; done < samples; done = (uint16_t)(done + taken)) {
        doze(DRAIN_EVERY_MS);
        const enum sample_status status =
            drain(device, out + (size_t)done * LIS2DW12_CHANNELS, (uint16_t)(samples - done), &taken);
        empty = taken > 0 ? 0 : empty + 1;
        if (status != SAMPLE_OK || empty > DRAINS_EMPTY_MAX) {
            return status != SAMPLE_OK ? status : SAMPLE_NO_ANSWER;
        }
    }
    return SAMPLE_OK;
}

enum sample_status lis2dw12_sample(void *context, int16_t *out, uint16_t samples, uint8_t channels) {
    const struct lis2dw12 *sensor = context;
    const i2c_master_bus_config_t bus_config = {.i2c_port = -1,
                                                .sda_io_num = sensor->sda,
                                                .scl_io_num = sensor->scl,
                                                .clk_source = I2C_CLK_SRC_DEFAULT,
                                                .glitch_ignore_cnt = 7,
                                                .flags = {.enable_internal_pullup = true}};
    const i2c_device_config_t device_config = {
        .dev_addr_length = I2C_ADDR_BIT_LEN_7, .device_address = ADDRESS, .scl_speed_hz = BUS_HZ};
    i2c_master_bus_handle_t bus;
    i2c_master_dev_handle_t device;
    if (channels != LIS2DW12_CHANNELS || i2c_new_master_bus(&bus_config, &bus) != ESP_OK) {
        return SAMPLE_NO_ANSWER;
    }
    enum sample_status status = SAMPLE_NO_ANSWER;
    if (i2c_master_bus_add_device(bus, &device_config, &device) == ESP_OK) {
        status = window(device, out, samples);
        set(device, CTRL1, CTRL1_OFF);
        i2c_master_bus_rm_device(device);
    }
    i2c_del_master_bus(bus);
    return status;
}
