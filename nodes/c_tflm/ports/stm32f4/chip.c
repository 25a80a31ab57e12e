/* STM32F405/F407: the pins of USART1 and USART2 that all packages have, and a lamp at PC12 (Olimex STM32-H405). */
#include "chip.h"

#include "chip_layout.h"
#include "cortex.h"
#include "gpio.h"

enum { LAMP = 12 };
enum { AF_I2C = 4, AF_USART = 7 };

void chip_start(const struct registers *r) {
    register_set(r, RCC_AHB1ENR, BIT(PORT_A) | BIT(PORT_B) | BIT(PORT_C) | RCC_AHB1ENR_DMA1EN);
    register_set(r, RCC_APB1ENR, RCC_APB1ENR_USART2EN | RCC_APB1ENR_I2C1EN | RCC_APB1ENR_PWREN);
    register_set(r, RCC_APB2ENR, RCC_APB2ENR_USART1EN);
    gpio_function(r, GPIO(PORT_A), 9, AF_USART); /* USART1 */
    gpio_function(r, GPIO(PORT_A), 10, AF_USART);
    gpio_function(r, GPIO(PORT_A), 2, AF_USART); /* USART2 */
    gpio_function(r, GPIO(PORT_A), 3, AF_USART);
    register_set(r, GPIO(PORT_B) + GPIO_OTYPER,
                 BIT(6) | BIT(7)); /* I2C1 drives low only; the sensor's board pulls up */
    gpio_function(r, GPIO(PORT_B), 6, AF_I2C);
    gpio_function(r, GPIO(PORT_B), 7, AF_I2C);
    gpio_mode(r, GPIO(PORT_C), LAMP, GPIO_OUTPUT);
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
    if ((flags & RCC_CSR_PORRSTF) != 0) {
        return RESET_POWER_ON;
    }
    if ((flags & RCC_CSR_BORRSTF) != 0) {
        return RESET_BROWN_OUT;
    }
    return (flags & RCC_CSR_PINRSTF) != 0 ? RESET_PIN : RESET_UNKNOWN;
}

void chip_lamp(const struct registers *r, bool on) {
    register_write(r, GPIO(PORT_C) + GPIO_BSRR, on ? BIT(LAMP + 16) : BIT(LAMP)); /* lit by a zero */
}

uint32_t chip_line_base(uint8_t line) {
    return line == LINE_USART ? USART1 : 0;
}

void chip_module_wake(const struct registers *r, bool awake) {
    (void)r; /* it has no line for one */
    (void)awake;
}

uint32_t chip_feed_base(void) {
    return USART2;
}

uint32_t chip_uart_clock_hz(void) {
    return CHIP_RESET_HZ;
}

void chip_uart_listen(const struct registers *r) {
    interrupt_enable(r, IRQ_USART1);
    interrupt_enable(r, IRQ_USART2);
}

/* There is no boot stub for this chip: its firmware lies alone, and none is taken. */
int8_t chip_running_slot(const struct registers *r) {
    (void)r;
    return -1;
}

void chip_signing(struct image_rules *rules) {
    (void)rules;
}
