/* Currents by sensor and line, from the one table (gateway/energy): each header brings an array of the same name. */
#include "chip.h"

#define ENERGY_CURRENT_NA LSM6DSL_LINE
#include <energy_stm32l475_lsm6dsl_lpuart.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA LSM6DSL_BLE
#include <energy_stm32l475_lsm6dsl_ble.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA MPU6050_LINE
#include <energy_stm32l475_mpu6050_lpuart.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA MPU6050_BLE
#include <energy_stm32l475_mpu6050_ble.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA MPU6050_ACCELEROMETER_LINE
#include <energy_stm32l475_mpu6050-accelerometer_lpuart.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA MPU6050_ACCELEROMETER_BLE
#include <energy_stm32l475_mpu6050-accelerometer_ble.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA LIS2DW12_LINE
#include <energy_stm32l475_lis2dw12_lpuart.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA LIS2DW12_BLE
#include <energy_stm32l475_lis2dw12_ble.h>
#undef ENERGY_CURRENT_NA

const uint32_t *chip_current_na(const struct config_page *config) {
    const bool module = config->line == LINE_MODULE;
    switch (config->sensor) {
    case SENSOR_LIS2DW12:
        return module ? LIS2DW12_BLE : LIS2DW12_LINE;
    case SENSOR_MPU6050:
        if (config->channels <= 3) {
            return module ? MPU6050_ACCELEROMETER_BLE : MPU6050_ACCELEROMETER_LINE;
        }
        return module ? MPU6050_BLE : MPU6050_LINE;
    default: /* also where an emulator feeds samples */
        return module ? LSM6DSL_BLE : LSM6DSL_LINE;
    }
}
