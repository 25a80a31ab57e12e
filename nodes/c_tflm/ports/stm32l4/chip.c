/* STM32L475 on the B-L475E-IOT01A (UM2153): which pins, which ports, what it takes. */
#include "chip.h"

#include "adc.h"
#include "backup.h"
#include "chip_layout.h"
#include "cortex.h"
#include "gpio.h"

enum { LAMP = 14 };                               /* PB14 */
enum { MODULE_WAKE = 2 };                         /* PC2, A3 of the Arduino connector: low is awake */
enum { AF_I2C = 4, AF_USART = 7, AF_LPUART = 8 }; /* "Alternate functions" of DS10969 */
enum { HSI16_HZ = 16000000 };

void chip_start(const struct registers *r) {
    register_set(r, RCC_AHB1ENR, RCC_AHB1ENR_DMA1EN);
    register_set(r, RCC_AHB2ENR, BIT(PORT_A) | BIT(PORT_B) | BIT(PORT_C) | BIT(PORT_D));
    register_set(r, RCC_APB1ENR1, RCC_APB1ENR1_USART2EN | RCC_APB1ENR1_I2C2EN | RCC_APB1ENR1_PWREN);
    register_set(r, RCC_APB1ENR2, RCC_APB1ENR2_LPUART1EN);
    register_set(r, RCC_APB2ENR, RCC_APB2ENR_SYSCFGEN | RCC_APB2ENR_USART1EN);
    /* Sensor and line have a clock of their own, whatever the core's. */
    register_set(r, RCC_CR, RCC_CR_HSION);
    register_set(r, RCC_CCIPR,
                 RCC_CCIPR_USART1_HSI16 | RCC_CCIPR_USART2_HSI16 | RCC_CCIPR_LPUART1_HSI16 | RCC_CCIPR_I2C2_HSI16);
    gpio_function(r, GPIO(PORT_B), 6, AF_USART); /* USART1, to the ST-LINK */
    gpio_function(r, GPIO(PORT_B), 7, AF_USART);
    gpio_function(r, GPIO(PORT_D), 5, AF_USART); /* USART2 */
    gpio_function(r, GPIO(PORT_D), 6, AF_USART);
    gpio_function(r, GPIO(PORT_C), 0, AF_LPUART); /* LPUART1: A5 and A4 of the Arduino connector */
    gpio_function(r, GPIO(PORT_C), 1, AF_LPUART);
    chip_module_wake(r, false);
    gpio_mode(r, GPIO(PORT_C), MODULE_WAKE, GPIO_OUTPUT);
    register_set(r, GPIO(PORT_B) + GPIO_OTYPER, BIT(10) | BIT(11)); /* I2C2 drives low only; the board pulls up */
    gpio_function(r, GPIO(PORT_B), 10, AF_I2C);
    gpio_function(r, GPIO(PORT_B), 11, AF_I2C);
    gpio_mode(r, GPIO(PORT_B), LAMP, GPIO_OUTPUT);
}

/* Power-on, a fall of the supply and the way out of Shutdown set one flag ("Power reset"); what the backup domain has
 * kept tells them apart. */
static uint8_t power_reset(const struct registers *r) {
    if (!register_is(r, RCC_BDCR, RCC_BDCR_RTCEN, RCC_BDCR_RTCEN)) {
        return RESET_POWER_ON;
    }
    if (backup_read(r, BACKUP_STORED) == BACKUP_IS_STORED) {
        backup_open(r);
        backup_write(r, BACKUP_STORED, 0);
        return RESET_PIN; /* somebody has woken the board */
    }
    return RESET_BROWN_OUT;
}

uint8_t chip_reset_cause(const struct registers *r) {
    const uint32_t flags = register_read(r, RCC_CSR);
    register_set(r, RCC_CSR, RCC_CSR_RMVF);
    if ((flags & (RCC_CSR_IWDGRSTF | RCC_CSR_WWDGRSTF)) != 0) {
        return RESET_WATCHDOG;
    }
    if ((flags & (RCC_CSR_SFTRSTF | RCC_CSR_OBLRSTF)) != 0) { /* its options loaded anew: its own doing, too */
        return RESET_SOFTWARE;
    }
    if ((flags & RCC_CSR_BORRSTF) != 0) {
        return power_reset(r);
    }
    /* Every reset pulls the pin; with a low-power reset it has pulled nothing else. */
    return (flags & (RCC_CSR_PINRSTF | RCC_CSR_LPWRRSTF)) == RCC_CSR_PINRSTF ? RESET_PIN : RESET_UNKNOWN;
}

void chip_lamp(const struct registers *r, bool on) {
    register_write(r, GPIO(PORT_B) + GPIO_BSRR, on ? BIT(LAMP) : BIT(LAMP + 16));
}

uint16_t chip_supply_mv(const struct registers *r) {
    return adc_supply_mv(r);
}

uint32_t chip_line_base(uint8_t line) {
    return line == LINE_USART ? USART1 : line == LINE_LPUART || line == LINE_MODULE ? LPUART1 : 0;
}

void chip_module_wake(const struct registers *r, bool awake) {
    register_write(r, GPIO(PORT_C) + GPIO_BSRR, awake ? BIT(MODULE_WAKE + 16) : BIT(MODULE_WAKE));
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
    interrupt_enable(r, IRQ_LPUART1);
}

int8_t chip_running_slot(const struct registers *r) {
    const uint32_t vectors = register_read(r, SCB_VTOR);
    for (int8_t slot = 0; slot < STORE_SLOTS; slot++) {
        if (vectors == chip_store_address(STORE_FIRMWARE, (uint8_t)slot) + CHIP_STORE_HEAD) {
            return slot;
        }
    }
    return -1;
}
