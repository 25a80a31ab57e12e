/* The supply, measured against the chip's own reference. */
#ifndef STETHOS_ADC_H
#define STETHOS_ADC_H

#include "registers.h"

/* In mV; 0: the converter does not answer. It is on for no longer than this takes. */
uint16_t adc_supply_mv(const struct registers *r);

/* Off, and its clock with it. */
void adc_off(const struct registers *r);

#endif
