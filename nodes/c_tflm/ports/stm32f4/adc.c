/* The supply, measured against the chip's own reference (RM0090, "Analog-to-digital converter (ADC)": single conversion
 * of channel 17; DS8626, "Internal reference voltage calibration values"). */
#include "chip.h"
#include "f4.h"

#define ADC1 UINT32_C(0x40012000)
#define ADC_SR (ADC1 + 0x00)
#define ADC_SR_EOC BIT(1)
#define ADC_CR2 (ADC1 + 0x08)
#define ADC_CR2_ADON BIT(0)
#define ADC_CR2_SWSTART BIT(30)
#define ADC_SMPR1 (ADC1 + 0x0C)
#define ADC_SMPR1_17_SLOWEST (UINT32_C(7) << 21)
#define ADC_SQR1 (ADC1 + 0x2C)
#define ADC_SQR3 (ADC1 + 0x34)
#define ADC_DR (ADC1 + 0x4C)
#define ADC_CCR (ADC1 + 0x304)
#define ADC_CCR_TSVREFE BIT(23)
#define VREFINT_CAL UINT32_C(0x1FFF7A28) /* upper half of the word: raw, at 3.3 V */

enum { TRIES = 100000, START_PAUSES = 2000, REFERENCE = 17, CALIBRATED_MV = 3300 };

uint16_t chip_supply_mv(const struct registers *r) {
    register_set(r, RCC_APB2ENR, RCC_APB2ENR_ADC1EN);
    register_write(r, ADC_CCR, ADC_CCR_TSVREFE);
    register_write(r, ADC_SMPR1, ADC_SMPR1_17_SLOWEST);
    register_write(r, ADC_SQR1, 0);
    register_write(r, ADC_SQR3, REFERENCE);
    register_write(r, ADC_CR2, ADC_CR2_ADON);
    for (unsigned i = 0; i < START_PAUSES; i++) {
        register_pause(r); /* 10 µs for the reference, 3 µs for the converter */
    }
    register_write(r, ADC_CR2, ADC_CR2_ADON | ADC_CR2_SWSTART);
    const bool done = register_until(r, ADC_SR, ADC_SR_EOC, ADC_SR_EOC, TRIES);
    const uint32_t raw = done ? register_read(r, ADC_DR) & 0xFFF : 0;
    register_write(r, ADC_CR2, 0);
    register_write(r, ADC_CCR, 0);
    register_clear(r, RCC_APB2ENR, RCC_APB2ENR_ADC1EN);
    const uint32_t calibrated = register_read(r, VREFINT_CAL) >> 16;
    return raw == 0 ? 0 : (uint16_t)(CALIBRATED_MV * calibrated / raw);
}
