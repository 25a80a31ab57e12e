/* I2C2 with DMA1 channel 5, ADC1. */
#include "l4_parts.h"

enum { TXE = 1 << 0, TXIS = 1 << 1, RXNE = 1 << 2, NACKF = 1 << 4, STOPF = 1 << 5, TC = 1 << 6, TIMEOUT = 1 << 12 };
enum { I2C_BASE = 0x40005800, DMA_BASE = 0x40020000, RCC_BASE = 0x40021000 };
enum { I2C_BYTE_US = 23, TIMEOUT_US = 25000 };

#define BUSY (UINT32_C(1) << 15)

static struct fake_device *addressed(struct fake *f) {
    const uint8_t address = (uint8_t)(f->i2c.cr2 >> 1 & 0x7F);
    for (unsigned i = 0; i < f->devices_n; i++) {
        if (f->devices[i]->address == address && !f->devices[i]->broken) {
            return f->devices[i];
        }
    }
    return NULL;
}

static void start(struct fake *f) {
    f->i2c.isr = (f->i2c.isr & ~(uint32_t)(TC | TXIS)) | BUSY;
    f->i2c.left = (uint8_t)(f->i2c.cr2 >> 16);
    f->i2c.reading = (f->i2c.cr2 >> 10 & 1) != 0;
    f->i2c.taken = 0;
    f->i2c.addressed = !f->i2c.reading; /* the first byte written is a register's number */
    f->i2c.byte_due_us = f->now_us + (f->i2c.stretched ? TIMEOUT_US : I2C_BYTE_US);
}

static void end(struct fake *f) {
    f->i2c.byte_due_us = 0;
    if ((f->i2c.cr2 >> 25 & 1) != 0) { /* AUTOEND */
        f->i2c.isr = (f->i2c.isr & ~BUSY) | STOPF;
    } else {
        f->i2c.isr |= TC;
    }
}

/* "DMA request mapping": I2C2_RX is request 3 of channel 5. From the peripheral, bytes, to where register_address has
 * said that the memory is. */
static bool dma_takes(struct fake *f, uint8_t byte, bool asleep) {
    uint32_t *left = fake_plain(f, DMA_BASE + 0x5C);
    const bool on = fake_bit(f, I2C_BASE, 15) && fake_bit(f, DMA_BASE + 0x58, 0) && fake_bit(f, RCC_BASE + 0x48, 0) &&
                    (*fake_plain(f, DMA_BASE + 0xA8) >> 16 & 15) == 3 &&
                    (*fake_plain(f, DMA_BASE + 0x58) & 0x4F50) == 0 && *fake_plain(f, DMA_BASE + 0x64) == 0x20000000 &&
                    *fake_plain(f, DMA_BASE + 0x60) == I2C_BASE + 0x24;
    if (!on || *left == 0) {
        return false;
    }
    *f->dma_memory = byte;
    f->dma_memory += *fake_plain(f, DMA_BASE + 0x58) >> 7 & 1; /* MINC */
    f->seen[SEEN_DMA_BYTES]++;
    f->seen[SEEN_DMA_BYTES_ASLEEP] += asleep;
    if (--*left == 0) {
        *fake_plain(f, DMA_BASE) |= UINT32_C(2) << 16; /* TCIF5 */
    }
    return true;
}

static void receive(struct fake *f, struct fake_device *device, bool asleep) {
    if ((f->i2c.isr & RXNE) != 0) {
        f->i2c.byte_due_us += I2C_BYTE_US; /* SCL is stretched until the byte is taken */
        return;
    }
    f->i2c.data = device->read(device, f->i2c.pointer);
    f->i2c.pointer = device->next(device, f->i2c.pointer);
    if (!dma_takes(f, f->i2c.data, asleep)) {
        f->i2c.isr |= RXNE;
    }
    if (--f->i2c.left == 0) {
        end(f);
    } else {
        f->i2c.byte_due_us += I2C_BYTE_US;
    }
}

void fake_i2c_event(struct fake *f, bool asleep) {
    struct fake_device *device = addressed(f);
    if (f->i2c.byte_due_us == 0 || f->now_us < f->i2c.byte_due_us) {
        return;
    }
    if (!fake_hsi_feeds(f, 14) || *fake_plain(f, I2C_BASE + 0x10) == 0) {
        f->i2c.byte_due_us += 1000; /* the bus stands still */
    } else if (f->i2c.stretched) {
        f->i2c.byte_due_us = 0;
        f->i2c.isr |= (*fake_plain(f, I2C_BASE + 0x14) >> 15 & 1) != 0 ? TIMEOUT : 0;
    } else if (device == NULL) { /* "a STOP condition is automatically sent after the NACK reception" */
        f->i2c.byte_due_us = 0;
        f->i2c.isr = (f->i2c.isr & ~BUSY) | NACKF | STOPF;
    } else if (f->i2c.reading) {
        receive(f, device, asleep);
    } else {
        f->i2c.byte_due_us = 0;
        f->i2c.isr |= TXIS;
    }
}

static void transmit(struct fake *f, uint8_t byte) {
    struct fake_device *device = addressed(f);
    if ((f->i2c.isr & TXIS) == 0 || device == NULL) {
        return;
    }
    f->i2c.isr &= ~(uint32_t)TXIS;
    if (f->i2c.refuse != 0 && f->i2c.taken++ == f->i2c.refuse) {
        f->i2c.byte_due_us = 0;
        f->i2c.isr = (f->i2c.isr & ~BUSY) | NACKF | STOPF;
        return;
    }
    if (f->i2c.addressed) {
        f->i2c.pointer = byte;
        f->i2c.addressed = false;
    } else {
        device->write(device, f->i2c.pointer, byte);
        f->i2c.pointer = device->next(device, f->i2c.pointer);
    }
    if (--f->i2c.left == 0) {
        end(f);
    } else {
        f->i2c.byte_due_us = f->now_us + I2C_BYTE_US;
    }
}

uint32_t fake_i2c_read(struct fake *f, uint32_t offset) {
    switch (offset) {
    case 0x04:
        return f->i2c.cr2;
    case 0x18:
        return f->i2c.isr;
    case 0x24:
        f->i2c.isr &= ~(uint32_t)RXNE;
        return f->i2c.data;
    default:
        return *fake_plain(f, I2C_BASE + offset);
    }
}

void fake_i2c_write(struct fake *f, uint32_t offset, uint32_t value) {
    switch (offset) {
    case 0x00:
        *fake_plain(f, I2C_BASE) = value;
        if ((value & 1) == 0) { /* "Software reset" */
            f->i2c.isr = TXE;
            f->i2c.byte_due_us = 0;
        }
        break;
    case 0x04:
        f->i2c.cr2 = value & ~(UINT32_C(1) << 13);
        if ((value >> 13 & 1) != 0 && fake_bit(f, I2C_BASE, 0)) {
            start(f);
        }
        break;
    case 0x10:
        if (fake_bit(f, I2C_BASE, 0)) {
            f->seen[SEEN_FORBIDDEN]++; /* "This register must be configured when the I2C is disabled" */
        } else {
            *fake_plain(f, I2C_BASE + offset) = value;
        }
        break;
    case 0x1C:
        f->i2c.isr &= ~(value & 0x3F38);
        break;
    case 0x28:
        transmit(f, (uint8_t)value);
        break;
    default:
        *fake_plain(f, I2C_BASE + offset) = value;
    }
}

uint32_t fake_adc_read(struct fake *f, uint32_t offset) {
    switch (offset) {
    case 0x00:
        return f->adc_isr;
    case 0x08:
        return f->adc_cr;
    case 0x40:
        f->adc_isr &= ~UINT32_C(4);
        return UINT32_C(3000) * 1655 / f->supply_mv;
    default:
        return *fake_plain(f, 0x50040000 + offset);
    }
}

/* "ADC on-off control": out of deep power-down, regulator on, calibrated, then enabled. */
void fake_adc_write(struct fake *f, uint32_t offset, uint32_t value) {
    if (offset != 0x08) {
        *fake_plain(f, 0x50040000 + offset) = value;
        return;
    }
    const bool powered = (value >> 29 & 1) == 0 && (value >> 28 & 1) != 0;
    f->adc_cr = value & ~(UINT32_C(1) << 31 | 6);
    if ((value & 2) != 0 || !powered) {
        f->adc_cr &= ~UINT32_C(1);
        f->adc_isr = 0;
        return;
    }
    f->adc_isr |= value & 1;
    f->adc_isr |= (value & 4) != 0 && (value & 1) != 0 && fake_bit(f, 0x50040308, 22) ? 4 : 0;
}
