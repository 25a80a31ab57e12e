/* RM0351, "Analog-to-digital converters": "ADC deep-power-down mode and voltage regulator", "Monitoring the internal
 * voltage reference". */
#include "adc.h"

#include "l4.h"

#define ADC1 UINT32_C(0x50040000)
#define ADC_ISR (ADC1 + 0x00)
#define ADC_ISR_ADRDY BIT(0)
#define ADC_ISR_EOC BIT(2)
#define ADC_CR (ADC1 + 0x08)
#define ADC_CR_ADEN BIT(0)
#define ADC_CR_ADDIS BIT(1)
#define ADC_CR_ADSTART BIT(2)
#define ADC_CR_ADVREGEN BIT(28)
#define ADC_CR_DEEPPWD BIT(29)
#define ADC_CR_ADCAL BIT(31)
#define ADC_SMPR1 (ADC1 + 0x14)
#define ADC_SQR1 (ADC1 + 0x30)
#define ADC_DR (ADC1 + 0x40)
#define ADC_CCR (ADC1 + 0x308)
#define ADC_CCR_CKMODE_HCLK (UINT32_C(1) << 16)
#define ADC_CCR_VREFEN BIT(22)
#define VREFINT_CAL UINT32_C(0x1FFF75A8) /* upper half of the word: raw, at 3.0 V */

enum { TRIES = 100000, REGULATOR_PAUSES = 2000, SLOWEST = 7, CALIBRATED_MV = 3000 };

static uint32_t convert(const struct registers *r) {
    if (!register_until(r, ADC_CR, ADC_CR_ADCAL, 0, TRIES)) {
        return 0;
    }
    register_set(r, ADC_CR, ADC_CR_ADEN);
    if (!register_until(r, ADC_ISR, ADC_ISR_ADRDY, ADC_ISR_ADRDY, TRIES)) {
        return 0;
    }
    register_write(r, ADC_SMPR1, SLOWEST); /* channel 0 is the reference, and the first and only in the sequence */
    register_write(r, ADC_SQR1, 0);
    register_set(r, ADC_CR, ADC_CR_ADSTART);
    return register_until(r, ADC_ISR, ADC_ISR_EOC, ADC_ISR_EOC, TRIES) ? register_read(r, ADC_DR) & 0xFFF : 0;
}

void adc_off(const struct registers *r) {
    if (register_is(r, ADC_CR, ADC_CR_ADEN, ADC_CR_ADEN)) {
        register_set(r, ADC_CR, ADC_CR_ADDIS);
        register_until(r, ADC_CR, ADC_CR_ADEN, 0, TRIES);
    }
    register_write(r, ADC_CR, ADC_CR_DEEPPWD);
    register_write(r, ADC_CCR, 0);
    register_clear(r, RCC_AHB2ENR, RCC_AHB2ENR_ADCEN);
}

uint16_t adc_supply_mv(const struct registers *r) {
    register_set(r, RCC_AHB2ENR, RCC_AHB2ENR_ADCEN);
    register_write(r, ADC_CCR, ADC_CCR_CKMODE_HCLK | ADC_CCR_VREFEN);
    register_write(r, ADC_CR, ADC_CR_ADVREGEN); /* DEEPPWD away */
    for (unsigned i = 0; i < REGULATOR_PAUSES; i++) {
        register_pause(r); /* 20 µs at any of our clocks */
    }
    register_set(r, ADC_CR, ADC_CR_ADCAL);
    const uint32_t raw = convert(r);
    adc_off(r);
    const uint32_t calibrated = register_read(r, VREFINT_CAL) >> 16;
    return raw == 0 ? 0 : (uint16_t)(CALIBRATED_MV * calibrated / raw);
}
