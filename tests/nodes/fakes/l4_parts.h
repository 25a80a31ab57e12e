/* What l4.c and the peripherals of the fake agree on. */
#ifndef STETHOS_FAKE_L4_PARTS_H
#define STETHOS_FAKE_L4_PARTS_H

#include "l4.h"

uint32_t *fake_plain(struct fake *f, uint32_t address);
bool fake_bit(struct fake *f, uint32_t address, unsigned bit);

uint32_t fake_rcc_read(struct fake *f, uint32_t address);
void fake_rcc_write(struct fake *f, uint32_t address, uint32_t value);
uint32_t fake_rtc_read(struct fake *f, uint32_t address);
void fake_rtc_write(struct fake *f, uint32_t address, uint32_t value);
void fake_rtc_event(struct fake *f);
void fake_watchdog_write(struct fake *f, uint32_t offset, uint32_t value);

uint32_t fake_flash_word(struct fake *f, uint32_t at);
void fake_flash_program(struct fake *f, uint32_t at, uint32_t value);
uint32_t fake_flash_read(struct fake *f, uint32_t offset);
void fake_flash_write(struct fake *f, uint32_t offset, uint32_t value);

uint32_t fake_i2c_read(struct fake *f, uint32_t offset);
void fake_i2c_write(struct fake *f, uint32_t offset, uint32_t value);
void fake_i2c_event(struct fake *f, bool asleep);

uint32_t fake_uart_read(struct fake *f, unsigned uart, uint32_t offset);
void fake_uart_write(struct fake *f, unsigned uart, uint32_t offset, uint32_t value);
void fake_uart_event(struct fake *f);
bool fake_uart_wants(struct fake *f, unsigned uart);
uint32_t fake_uart_byte_us(struct fake *f);          /* as the other end has it */
bool fake_hsi_feeds(struct fake *f, unsigned shift); /* that field of RCC_CCIPR */

uint32_t fake_adc_read(struct fake *f, uint32_t offset);
void fake_adc_write(struct fake *f, uint32_t offset, uint32_t value);

#endif
