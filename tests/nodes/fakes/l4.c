#include "l4.h"

#include <string.h>

#include "l4_parts.h"

/* Base addresses ("Memory map and register boundary addresses"). */
enum {
    AT_FLASH_REGISTERS = 0x40022000,
    AT_RCC = 0x40021000,
    AT_PWR = 0x40007000,
    AT_RTC = 0x40002800,
    AT_IWDG = 0x40003000,
    AT_EXTI = 0x40010400,
    AT_DMA1 = 0x40020000,
    AT_I2C2 = 0x40005800,
    AT_USART1 = 0x40013800,
    AT_LPUART1 = 0x40008000,
    AT_ADC1 = 0x50040000,
    AT_FLASH = 0x08000000,
};

uint32_t *fake_plain(struct fake *f, uint32_t address) {
    for (unsigned i = 0; i < f->plain_n; i++) {
        if (f->plain[i].address == address) {
            return &f->plain[i].value;
        }
    }
    f->plain[f->plain_n].address = address;
    f->plain[f->plain_n].value = 0;
    return &f->plain[f->plain_n++].value;
}

bool fake_bit(struct fake *f, uint32_t address, unsigned bit) {
    return (*fake_plain(f, address) >> bit & 1) != 0;
}

/* "Peripheral clock enable registers": an access to what is not clocked does nothing. */
static bool clocked(struct fake *f, uint32_t address) {
    static const struct {
        uint32_t from, to, enable;
        uint8_t bit;
    } CLOCKS[] = {
        {AT_PWR, AT_PWR + 0x400, AT_RCC + 0x58, 28},       {AT_I2C2, AT_I2C2 + 0x400, AT_RCC + 0x58, 22},
        {AT_USART1, AT_USART1 + 0x400, AT_RCC + 0x60, 14}, {AT_DMA1, AT_DMA1 + 0x400, AT_RCC + 0x48, 0},
        {AT_ADC1, AT_ADC1 + 0x400, AT_RCC + 0x4C, 13},     {AT_LPUART1, AT_LPUART1 + 0x400, AT_RCC + 0x5C, 0},
    };
    for (unsigned i = 0; i < sizeof CLOCKS / sizeof CLOCKS[0]; i++) {
        if (address >= CLOCKS[i].from && address < CLOCKS[i].to && !fake_bit(f, CLOCKS[i].enable, CLOCKS[i].bit)) {
            f->seen[SEEN_UNCLOCKED]++;
            return false;
        }
    }
    return true;
}

/* The lines into the NVIC, by level: what is still up pends again. "Vector table": 3, 15, 33, 34, 37, 70. */
static void gather(struct fake *f) {
    const uint32_t rtc = f->exti_pr1 & *fake_plain(f, AT_EXTI) & UINT32_C(1) << 20;
    const uint32_t ccr5 = *fake_plain(f, AT_DMA1 + 0x58);
    const uint32_t dma = *fake_plain(f, AT_DMA1) >> 16;
    const uint32_t i2c = *fake_plain(f, AT_I2C2);
    f->nvic_pending[0] |= (rtc != 0 ? 1u << 3 : 0) | (((dma & 2 & ccr5) | (dma & 8 & ccr5)) != 0 ? 1u << 15 : 0);
    f->nvic_pending[1] |= ((i2c & 0x10) != 0 && (f->i2c.isr & 0x10) != 0 ? 1u << (33 - 32) : 0) |
                          ((i2c & 0x80) != 0 && (f->i2c.isr & 0x1700) != 0 ? 1u << (34 - 32) : 0) |
                          (fake_uart_wants(f, 0) ? 1u << (37 - 32) : 0);
    f->nvic_pending[2] |= fake_uart_wants(f, 1) ? 1u << (70 - 64) : 0;
}

static bool pending(struct fake *f) {
    gather(f);
    return ((f->nvic_pending[0] & f->nvic_enabled[0]) | (f->nvic_pending[1] & f->nvic_enabled[1]) |
            (f->nvic_pending[2] & f->nvic_enabled[2])) != 0;
}

static void deliver(struct fake *f) {
    while (!f->held && pending(f)) {
        for (unsigned i = 0; i < 96; i++) {
            const uint32_t bit = UINT32_C(1) << i % 32;
            if ((f->nvic_pending[i / 32] & f->nvic_enabled[i / 32] & bit) != 0) {
                f->nvic_pending[i / 32] &= ~bit;
                if (i == 37 || i == 70) {
                    fake_line_handler();
                } else {
                    f->seen[SEEN_UNHANDLED]++;
                    f->nvic_enabled[i / 32] &= ~bit;
                }
            }
        }
    }
}

/* To `until`, event by event. `deep`: only the RTC and the watchdog go on. */
static uint64_t next_event(struct fake *f, bool deep) {
    uint64_t next = UINT64_MAX;
    const bool watched = f->watchdog_on && (!deep || (f->optr >> 17 & 1) != 0);
    if (f->wut_due_us != 0 && f->wut_due_us < next) {
        next = f->wut_due_us;
    }
    if (!deep && f->i2c.byte_due_us != 0 && f->i2c.byte_due_us < next) {
        next = f->i2c.byte_due_us;
    }
    if (f->in_at < f->in_n && f->byte_in_due_us < next && !deep) {
        next = f->byte_in_due_us;
    }
    if (watched && f->watchdog_due_us < next) {
        next = f->watchdog_due_us;
    }
    return next;
}

static void run_to(struct fake *f, uint64_t until_us, bool deep, bool asleep) {
    for (uint64_t at = next_event(f, deep); at <= until_us; at = next_event(f, deep)) {
        f->now_us = at > f->now_us ? at : f->now_us;
        for (unsigned i = 0; i < f->devices_n; i++) {
            f->devices[i]->advance(f->devices[i], f->now_us);
        }
        fake_rtc_event(f);
        if (!deep) {
            fake_i2c_event(f, asleep);
            fake_uart_event(f);
        }
        if (f->watchdog_on && f->now_us >= f->watchdog_due_us && (!deep || (f->optr >> 17 & 1) != 0)) {
            f->seen[SEEN_WATCHDOG]++;
            longjmp(*f->power, 4);
        }
        if (asleep && pending(f)) {
            return;
        }
    }
    f->now_us = until_us;
    for (unsigned i = 0; i < f->devices_n; i++) {
        f->devices[i]->advance(f->devices[i], f->now_us);
    }
}

void fake_advance(struct fake *f, uint64_t us) {
    run_to(f, f->now_us + us, false, false);
    deliver(f);
}

/* "Stop 2 mode": clocks of the VCORE domain are stopped, and the core wakes on MSI, or HSI16 (STOPWUCK). */
static void after_stop(struct fake *f, uint64_t began_us) {
    const bool hsi = fake_bit(f, AT_RCC + 0x08, 15);
    uint32_t *cr = fake_plain(f, AT_RCC), *cfgr = fake_plain(f, AT_RCC + 0x08);
    *cr &= ~(UINT32_C(1) << 24 | UINT32_C(1) << 25 | UINT32_C(1) << 8 | UINT32_C(1) << 10);
    *cr |= hsi ? UINT32_C(1) << 8 | UINT32_C(1) << 10 : UINT32_C(3);
    *cfgr = (*cfgr & ~UINT32_C(0xF)) | (hsi ? 5 : 0);
    while (f->in_at < f->in_n && f->byte_in_due_us < f->now_us) { /* nobody was listening */
        f->in_at++;
        f->byte_in_due_us += fake_uart_byte_us(f);
        f->seen[SEEN_UART_LOST]++;
    }
    if (f->watchdog_on && (f->optr >> 17 & 1) == 0) {
        f->watchdog_due_us += f->now_us - began_us;
    }
}

/* WFI. "Low-power modes"; "Entering Stop 2 mode": with an EXTI line or an RTC flag pending it is ignored. */
static void wait(void *context) {
    struct fake *f = context;
    const uint32_t cr1 = *fake_plain(f, AT_PWR);
    const bool deep = (f->scr & 4) != 0;
    const uint64_t began_us = f->now_us;
    f->exti_pr1 |= f->late_lines;
    f->late_lines = 0;
    if (pending(f)) {
        return;
    }
    if (deep && (cr1 & 7) == 3) { /* Standby keeps no memory either */
        f->seen[SEEN_STANDBY]++;
        longjmp(*f->power, 3);
    }
    if (deep && (cr1 & 4) != 0) {
        if ((*fake_plain(f, AT_PWR + 0x10) & 0x1F) != 0) {
            f->seen[SEEN_STOP_IGNORED]++;
            return;
        }
        f->seen[SEEN_SHUTDOWN]++;
        longjmp(*f->power, 3);
    }
    if (deep && (f->exti_pr1 != 0 || f->exti_pr2 != 0 || (f->rtc_isr & 0xEF00) != 0 || f->flash_busy_us > f->now_us)) {
        f->seen[SEEN_STOP_IGNORED]++;
        f->now_us++;
        return;
    }
    if (!deep) {
        f->seen[SEEN_SLEEP]++;
    } else if ((*fake_plain(f, 0xE0042004) & 2) != 0) {
        f->seen[SEEN_STOP_DEBUG]++;
    } else if ((cr1 & 7) == 2) {
        f->seen[(cr1 >> 14 & 1) != 0 ? SEEN_STOP1 : SEEN_STOP2]++;
    }
    while (!pending(f)) {
        const uint64_t next = next_event(f, deep);
        if (next == UINT64_MAX) {
            f->seen[SEEN_NO_WAKE]++;
            break;
        }
        run_to(f, next, deep, true);
    }
    if (deep) {
        after_stop(f, began_us);
        run_to(f, f->now_us + f->late_us, true, false);
    }
    deliver(f);
}

static void pause_core(void *context) {
    fake_advance(context, 1);
}

static void hold(void *context, int held) {
    struct fake *f = context;
    f->held = held != 0;
    deliver(f);
}

static uint32_t read_core(struct fake *f, uint32_t address) {
    const uint32_t word = address >> 2 & 31;
    gather(f);
    if (address == 0xE000ED10) {
        return f->scr;
    }
    if (address == 0xE000ED04) {
        return pending(f) ? UINT32_C(1) << 22 : 0;
    }
    if ((address & ~UINT32_C(0x7F)) == 0xE000E100) {
        return f->nvic_enabled[word % 3];
    }
    return (address & ~UINT32_C(0x7F)) == 0xE000E200 ? f->nvic_pending[word % 3] : *fake_plain(f, address);
}

static void write_core(struct fake *f, uint32_t address, uint32_t value) {
    const uint32_t word = address >> 2 & 31;
    if (address == 0xE000ED0C && value == 0x05FA0004 && f->power != NULL) { /* AIRCR: VECTKEY, SYSRESETREQ */
        longjmp(*f->power, 5);
    }
    if (address == 0xE000ED10) {
        f->scr = f->scr_stuck ? value & ~UINT32_C(4) : value;
    } else if ((address & ~UINT32_C(0x7F)) == 0xE000E100 && word < 3) {
        f->nvic_enabled[word] |= value;
    } else if ((address & ~UINT32_C(0x7F)) == 0xE000E280 && word < 3) {
        f->nvic_pending[word] &= ~value;
    } else {
        *fake_plain(f, address) = value;
    }
}

static uint32_t read(void *context, uint32_t address) {
    struct fake *f = context;
    if (address >= AT_FLASH && address < AT_FLASH + FAKE_FLASH) {
        return fake_flash_word(f, address - AT_FLASH);
    }
    if (address >= 0xE0000000) {
        return address == 0xE0042004 ? *fake_plain(f, address) : read_core(f, address);
    }
    if (!clocked(f, address)) {
        return 0;
    }
    switch (address & ~UINT32_C(0x3FF)) {
    case AT_RTC & ~0x3FF:
        return fake_rtc_read(f, address);
    case AT_EXTI & ~0x3FF:
        return address == AT_EXTI + 0x14   ? f->exti_pr1
               : address == AT_EXTI + 0x34 ? f->exti_pr2
                                           : *fake_plain(f, address);
    case AT_I2C2 & ~0x3FF:
        return fake_i2c_read(f, address - AT_I2C2);
    case AT_USART1 & ~0x3FF:
        return fake_uart_read(f, 0, address - AT_USART1);
    case AT_LPUART1 & ~0x3FF:
        return fake_uart_read(f, 1, address - AT_LPUART1);
    case AT_FLASH_REGISTERS & ~0x3FF:
        return fake_flash_read(f, address - AT_FLASH_REGISTERS);
    case AT_RCC & ~0x3FF:
    case AT_PWR & ~0x3FF:
        return fake_rcc_read(f, address);
    case AT_ADC1 & ~0x3FF:
        return fake_adc_read(f, address - AT_ADC1);
    case AT_IWDG & ~0x3FF:
        return address == AT_IWDG + 0xC && f->now_us < f->watchdog_update_us ? 3 : 0; /* PVU, RVU */
    default:
        return address == 0x1FFF75A8 ? UINT32_C(1655) << 16 : *fake_plain(f, address);
    }
}

static void write_exti(struct fake *f, uint32_t address, uint32_t value) {
    if (address == AT_EXTI + 0x14) {
        f->exti_pr1 &= ~value; /* "cleared by writing a 1" */
    } else if (address == AT_EXTI + 0x34) {
        f->exti_pr2 &= ~value;
    } else {
        *fake_plain(f, address) = value;
    }
}

static void write(void *context, uint32_t address, uint32_t value) {
    struct fake *f = context;
    if (address >= AT_FLASH && address < AT_FLASH + FAKE_FLASH) {
        fake_flash_program(f, address - AT_FLASH, value);
        return;
    }
    if (address >= 0xE0000000) {
        write_core(f, address, value);
        deliver(f);
        return;
    }
    if (!clocked(f, address)) {
        return;
    }
    switch (address & ~UINT32_C(0x3FF)) {
    case AT_RTC & ~0x3FF:
        fake_rtc_write(f, address, value);
        break;
    case AT_EXTI & ~0x3FF:
        write_exti(f, address, value);
        break;
    case AT_I2C2 & ~0x3FF:
        fake_i2c_write(f, address - AT_I2C2, value);
        break;
    case AT_USART1 & ~0x3FF:
        fake_uart_write(f, 0, address - AT_USART1, value);
        break;
    case AT_LPUART1 & ~0x3FF:
        fake_uart_write(f, 1, address - AT_LPUART1, value);
        break;
    case AT_FLASH_REGISTERS & ~0x3FF:
        fake_flash_write(f, address - AT_FLASH_REGISTERS, value);
        break;
    case AT_RCC & ~0x3FF:
    case AT_PWR & ~0x3FF:
        fake_rcc_write(f, address, value);
        break;
    case AT_IWDG & ~0x3FF:
        fake_watchdog_write(f, address - AT_IWDG, value);
        break;
    case AT_ADC1 & ~0x3FF:
        fake_adc_write(f, address - AT_ADC1, value);
        break;
    default:
        if (address >= 0x48000000 && address < 0x48002000 && (address & 0x3FF) == 0x18) { /* BSRR: to ODR */
            uint32_t *odr = fake_plain(f, address - 4);
            *odr = (*odr & ~(value >> 16)) | (value & 0xFFFF);
        } else if (address == AT_DMA1 + 4) { /* "DMA interrupt flag clear register" */
            *fake_plain(f, AT_DMA1) &= ~value;
        } else if (address > AT_DMA1 + 8 && address < AT_DMA1 + 8 + 7 * 20 && (address - AT_DMA1 - 8) % 20 != 0 &&
                   fake_bit(f, address - (address - AT_DMA1 - 8) % 20, 0)) {
            f->seen[SEEN_FORBIDDEN]++; /* CNDTR, CPAR, CMAR of a channel that is on */
        } else {
            *fake_plain(f, address) = value;
        }
    }
}

static uint32_t address_of(void *context, void *memory) {
    struct fake *f = context;
    f->dma_memory = memory;
    return 0x20000000;
}

static const uint8_t *memory_at(void *context, uint32_t address) {
    struct fake *f = context;
    return f->flash + (address - AT_FLASH);
}

static void reset(struct fake *f) {
    f->plain_n = 0;
    *fake_plain(f, AT_RCC) = 0x63;              /* MSI, 4 MHz */
    *fake_plain(f, AT_PWR) = 0x200;             /* range 1 */
    *fake_plain(f, AT_FLASH_REGISTERS) = 0x600; /* caches on */
    memset(&f->i2c, 0, sizeof f->i2c);
    f->i2c.isr = 1;
    f->uarts[0].isr = f->uarts[1].isr = 0xC0;
    f->watchdog_update_us = f->wutwf_us = f->initf_us = f->reglpf_us = 0;
    *fake_plain(f, AT_EXTI) = 0xFF820000; /* direct lines */
    f->flash_cr = 0xC0000000;
    f->flash_sr = f->flash_eccr = 0;
    f->flash_key = f->option_key = 0;
    f->flash_busy_us = 0;
    f->word_half = f->watchdog_on = f->watchdog_unlocked = f->held = false;
    f->scr = f->exti_pr1 = f->exti_pr2 = 0;
    memset(f->nvic_enabled, 0, sizeof f->nvic_enabled);
    memset(f->nvic_pending, 0, sizeof f->nvic_pending);
    f->adc_cr = UINT32_C(1) << 29;
    f->adc_isr = 0;
}

void fake_power_on(struct fake *f) {
    memset(f, 0, sizeof *f);
    memset(f->flash, 0xFF, sizeof f->flash);
    f->registers = (struct registers){f, read, write, wait, pause_core, hold, address_of, memory_at};
    f->now_us = 1000;
    f->cut_after = -1;
    f->optr = 0xFFEFF8AA; /* BOR level 0, the watchdog goes on in Stop */
    f->supply_mv = 3300;
    f->line_baud = 115200;
    f->reset_flags = UINT32_C(3) << 26; /* BOR; every reset pulls the pin */
    reset(f);
}

void fake_reset(struct fake *f, uint32_t flags) {
    uint32_t rtc[16];
    const uint32_t bdcr = *fake_plain(f, AT_RCC + 0x90); /* "Backup domain reset": only by power, or BDRST */
    for (uint32_t i = 0; i < 16; i++) {
        rtc[i] = *fake_plain(f, AT_RTC + 4 * i);
    }
    reset(f);
    *fake_plain(f, AT_RCC + 0x90) = bdcr;
    for (uint32_t i = 0; i < 16; i++) {
        *fake_plain(f, AT_RTC + 4 * i) = rtc[i];
    }
    f->reset_flags |= flags | UINT32_C(1) << 26;
}

void fake_attach(struct fake *f, struct fake_device *device) {
    device->now_us = &f->now_us;
    f->devices[f->devices_n++] = device;
}
