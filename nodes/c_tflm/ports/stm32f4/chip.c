/* STM32F405/F407: the pins of USART1 and USART2 that all packages have, and a lamp at PC12 (Olimex STM32-H405). */
#include "chip.h"

#include "chip_layout.h"
#include "cortex.h"
#include "gpio.h"

enum { LAMP = 12 };
enum { AF_USART = 7 };

/* From the data sheet (DS8626): Stop; Sleep with the sensor on; 168 MHz; 16 MHz. Not measured. */
const uint32_t CHIP_CURRENT_NA[ACTIVITIES] = {
    [SLEEPING] = 280000, [SENSING] = 2500000, [COMPUTING] = 40000000, [RADIATING] = 5000000};

void chip_start(const struct registers *r) {
    register_set(r, RCC_AHB1ENR, BIT(PORT_A) | BIT(PORT_C));
    register_set(r, RCC_APB1ENR, RCC_APB1ENR_USART2EN | RCC_APB1ENR_PWREN);
    register_set(r, RCC_APB2ENR, RCC_APB2ENR_USART1EN);
    gpio_function(r, GPIO(PORT_A), 9, AF_USART); /* USART1 */
    gpio_function(r, GPIO(PORT_A), 10, AF_USART);
    gpio_function(r, GPIO(PORT_A), 2, AF_USART); /* USART2 */
    gpio_function(r, GPIO(PORT_A), 3, AF_USART);
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

uint32_t chip_line_base(void) {
    return USART1;
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
