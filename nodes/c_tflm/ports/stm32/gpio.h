/* General-purpose pins: a port's registers lie alike on every STM32 ("GPIO registers"); where it begins, and what a
 * pin's alternate functions are, is the chip's. */
#ifndef STETHOS_GPIO_H
#define STETHOS_GPIO_H

#include "registers.h"

#define GPIO_MODER 0x00
#define GPIO_OTYPER 0x04
#define GPIO_PUPDR 0x0C
#define GPIO_BSRR 0x18
#define GPIO_AFRL 0x20

enum { GPIO_OUTPUT = 1, GPIO_ALTERNATE = 2 };

static inline void gpio_mode(const struct registers *r, uint32_t port, uint32_t pin, uint32_t mode) {
    register_field(r, port + GPIO_MODER, UINT32_C(3) << 2 * pin, mode << 2 * pin);
}

static inline void gpio_function(const struct registers *r, uint32_t port, uint32_t pin, uint32_t function) {
    register_field(r, port + GPIO_AFRL + pin / 8 * 4, UINT32_C(15) << pin % 8 * 4, function << pin % 8 * 4);
    gpio_mode(r, port, pin, GPIO_ALTERNATE);
}

#endif
