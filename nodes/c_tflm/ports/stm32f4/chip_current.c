/* Currents by sensor and line, from the one table (gateway/energy): each header brings an array of the same name. */
#include "chip.h"

#define ENERGY_CURRENT_NA LSM6DSL_NA
#include <energy_stm32f407_lsm6dsl_lpuart.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA MPU6050_NA
#include <energy_stm32f407_mpu6050_lpuart.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA MPU6050_ACCELEROMETER_NA
#include <energy_stm32f407_mpu6050-accelerometer_lpuart.h>
#undef ENERGY_CURRENT_NA
#define ENERGY_CURRENT_NA LIS2DW12_NA
#include <energy_stm32f407_lis2dw12_lpuart.h>
#undef ENERGY_CURRENT_NA

const uint32_t *chip_current_na(const struct config_page *config) {
    switch (config->sensor) {
    case SENSOR_LIS2DW12:
        return LIS2DW12_NA;
    case SENSOR_MPU6050:
        return config->channels > 3 ? MPU6050_NA : MPU6050_ACCELEROMETER_NA;
    default: /* also where an emulator feeds samples */
        return LSM6DSL_NA;
    }
}
