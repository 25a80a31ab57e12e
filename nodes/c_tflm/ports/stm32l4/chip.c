/* STM32L475 on the B-L475E-IOT01A (UM2153): which pins, which ports, what it takes. */
#include "chip.h"

#include "adc.h"
#include "chip_layout.h"
#include "cortex.h"
#include "gpio.h"

enum { LAMP = 14 };                /* PB14 */
enum { AF_I2C = 4, AF_USART = 7 }; /* "Alternate functions" of DS10969 */
enum { HSI16_HZ = 16000000 };

/* From the data sheets (DS10969, LSM6DSL): Stop 2 with RTC, and the sensor in power-down; sensor in high-performance
 * mode and the core in Sleep; 80 MHz; HSI16, the core mostly in Sleep. Not measured. */
const uint32_t CHIP_CURRENT_NA[ACTIVITIES] = {
    [SLEEPING] = 4400, [SENSING] = 850000, [COMPUTING] = 10200000, [RADIATING] = 1200000};

void chip_start(const struct registers *r) {
    register_set(r, RCC_AHB1ENR, RCC_AHB1ENR_DMA1EN);
    register_set(r, RCC_AHB2ENR, BIT(PORT_A) | BIT(PORT_B) | BIT(PORT_D));
    register_set(r, RCC_APB1ENR1, RCC_APB1ENR1_USART2EN | RCC_APB1ENR1_I2C2EN | RCC_APB1ENR1_PWREN);
    register_set(r, RCC_APB2ENR, RCC_APB2ENR_SYSCFGEN | RCC_APB2ENR_USART1EN);
    /* Sensor and line have a clock of their own, whatever the core's. */
    register_set(r, RCC_CR, RCC_CR_HSION);
    register_set(r, RCC_CCIPR, RCC_CCIPR_USART1_HSI16 | RCC_CCIPR_USART2_HSI16 | RCC_CCIPR_I2C2_HSI16);
    gpio_function(r, GPIO(PORT_B), 6, AF_USART); /* USART1, to the ST-LINK */
    gpio_function(r, GPIO(PORT_B), 7, AF_USART);
    gpio_function(r, GPIO(PORT_D), 5, AF_USART); /* USART2 */
    gpio_function(r, GPIO(PORT_D), 6, AF_USART);
    register_set(r, GPIO(PORT_B) + GPIO_OTYPER, BIT(10) | BIT(11)); /* I2C2 drives low only; the board pulls up */
    gpio_function(r, GPIO(PORT_B), 10, AF_I2C);
    gpio_function(r, GPIO(PORT_B), 11, AF_I2C);
    gpio_mode(r, GPIO(PORT_B), LAMP, GPIO_OUTPUT);
}

uint8_t chip_reset_cause(const struct registers *r) {
    const uint32_t flags = register_read(r, RCC_CSR);
    register_set(r, RCC_CSR, RCC_CSR_RMVF);
    if ((flags & (RCC_CSR_IWDGRSTF | RCC_CSR_WWDGRSTF)) != 0) {
        return RESET_WATCHDOG;
    }
    if ((flags & RCC_CSR_SFTRSTF) != 0) {
        return RESET_SOFTWARE;
    }
    if ((flags & RCC_CSR_BORRSTF) != 0) { /* so does power-on: the manual has one flag for both */
        return (register_read(r, RCC_BDCR) & RCC_BDCR_RTCEN) != 0 ? RESET_BROWN_OUT : RESET_POWER_ON;
    }
    return (flags & RCC_CSR_PINRSTF) != 0 ? RESET_PIN : RESET_UNKNOWN;
}

void chip_lamp(const struct registers *r, bool on) {
    register_write(r, GPIO(PORT_B) + GPIO_BSRR, on ? BIT(LAMP) : BIT(LAMP + 16));
}

uint16_t chip_supply_mv(const struct registers *r) {
    return adc_supply_mv(r);
}

uint32_t chip_line_base(void) {
    return USART1;
}

uint32_t chip_feed_base(void) {
    return USART2;
}

uint32_t chip_uart_clock_hz(void) {
    return HSI16_HZ;
}

void chip_uart_listen(const struct registers *r) {
    interrupt_enable(r, IRQ_USART1);
    interrupt_enable(r, IRQ_USART2);
}
