#include "power.h"

#include "adc.h"
#include "backup.h"
#include "clock.h"
#include "cortex.h"
#include "l4.h"
#include "rtc.h"

enum { TRIES = 4000000, LINE_TRIES = 500000, DMA_CHANNELS = 7, WAKE_PIN_2 = 1 << 1 };

#define RTC_FLAGS (RTC_ISR_ALRAF | RTC_ISR_ALRBF | RTC_ISR_WUTF | RTC_ISR_TSF | RTC_ISR_TAMPF)

static bool any(const struct registers *r, uint32_t address, uint32_t mask) {
    return (register_read(r, address) & mask) != 0;
}

static bool dma_is_on(const struct registers *r) {
    for (uint32_t channel = 1; channel <= DMA_CHANNELS; channel++) {
        if (any(r, DMA_CCR(channel), DMA_CCR_EN)) {
            return true;
        }
    }
    return false;
}

static bool transmits(const struct registers *r) {
    static const uint32_t PORTS[] = {USART1, USART2, LPUART1};
    for (unsigned i = 0; i < sizeof PORTS / sizeof PORTS[0]; i++) {
        if (any(r, PORTS[i] + USART_CR1, USART_CR1_UE) && !any(r, PORTS[i] + USART_ISR, USART_ISR_TC)) {
            return true;
        }
    }
    return false;
}

/* A converter that is on draws more than all else in Stop; one without a clock is off. */
static bool measures(const struct registers *r) {
    return any(r, RCC_AHB2ENR, RCC_AHB2ENR_ADCEN);
}

static bool would_wake(const struct registers *r) {
    const uint32_t timer = RTC_CR_WUTE | RTC_CR_WUTIE;
    return register_is(r, RTC_CR, timer, timer) && any(r, EXTI_IMR1, EXTI_WUT) && any(r, EXTI_RTSR1, EXTI_WUT) &&
           any(r, NVIC_ISER, UINT32_C(1) << IRQ_RTC_WKUP);
}

/* "Stop 2 mode", "Entering Stop 2 mode", and the note below its table. */
static enum stop_refused look(const struct registers *r) {
    if (any(r, PWR_CR1, PWR_CR1_LPR)) {
        return STOP_LOW_POWER_RUN;
    }
    if (any(r, EXTI_PR1, UINT32_MAX) || any(r, EXTI_PR2, UINT32_MAX)) {
        return STOP_EXTI_PENDING;
    }
    if (any(r, RTC_ISR, RTC_FLAGS) || any(r, PWR_SR1, PWR_SR1_WUF)) {
        return STOP_WAKE_FLAG;
    }
    if (any(r, SCB_ICSR, SCB_ICSR_ISRPENDING)) {
        return STOP_INTERRUPT;
    }
    if (any(r, RTC_ISR, RTC_ISR_SHPF | RTC_ISR_INITF)) {
        return STOP_RTC_BUSY;
    }
    if (!would_wake(r)) {
        return STOP_NO_WAKE;
    }
    if (any(r, DBGMCU_CR, DBGMCU_CR_STOP)) {
        return STOP_DEBUG;
    }
    if (any(r, FLASH_SR, FLASH_SR_BSY)) {
        return STOP_FLASH_BUSY;
    }
    if (dma_is_on(r)) {
        return STOP_DMA;
    }
    if (transmits(r)) {
        return STOP_TRANSMITTING;
    }
    if (measures(r)) {
        return STOP_MEASURING;
    }
    if (!any(r, FLASH_OPTR, FLASH_OPTR_NRST_STOP)) {
        return STOP_IS_RESET;
    }
    return any(r, RCC_CR, RCC_CR_HSIKERON) ? STOP_CLOCK_KEPT : STOP_ENTERED;
}

static enum stop_refused enter(const struct registers *r) {
    register_field(r, PWR_CR1, PWR_CR1_LPMS, PWR_CR1_LPMS_STOP2);
    register_set(r, SCB_SCR, SCB_SCR_SLEEPDEEP);
    if (!register_is(r, PWR_CR1, PWR_CR1_LPMS, PWR_CR1_LPMS_STOP2) || !any(r, SCB_SCR, SCB_SCR_SLEEPDEEP)) {
        return STOP_SLEEPDEEP_LOST;
    }
    register_wait(r);
    /* Whatever has ended it pends; if nothing does, it never began. */
    return any(r, SCB_ICSR, SCB_ICSR_ISRPENDING) ? STOP_ENTERED : STOP_IGNORED;
}

enum stop_refused power_stop2(const struct registers *r, uint32_t ms, struct stop_counts *counts) {
    enum stop_refused reason = look(r);
    if (reason == STOP_NO_WAKE) { /* the timer is what this function sets itself */
        reason = rtc_wake_in(r, ms) ? look(r) : STOP_RTC_BUSY;
    }
    if (reason == STOP_ENTERED) {
        reason = enter(r);
    }
    register_clear(r, SCB_SCR, SCB_SCR_SLEEPDEEP);
    rtc_wake_off(r);
    counts->of[reason]++;
    if (reason != STOP_ENTERED) {
        backup_write(r, BACKUP_STOP_REFUSED, backup_read(r, BACKUP_STOP_REFUSED) + 1);
        backup_write(r, BACKUP_LAST_REFUSAL, reason);
    }
    return reason;
}

void power_cure(const struct registers *r, enum stop_refused reason) {
    switch (reason) {
    case STOP_LOW_POWER_RUN:
        clock_leave_low_power_run(r);
        break;
    case STOP_EXTI_PENDING:
        register_write(r, EXTI_PR1, register_read(r, EXTI_PR1));
        register_write(r, EXTI_PR2, register_read(r, EXTI_PR2));
        break;
    case STOP_WAKE_FLAG:
        register_write(r, RTC_ISR, ~(RTC_FLAGS | RTC_ISR_INIT));
        register_write(r, PWR_SCR, PWR_SCR_CWUF);
        register_write(r, EXTI_PR1, register_read(r, EXTI_PR1)); /* what the flag has set off */
        break;
    case STOP_INTERRUPT:
        for (uint32_t word = 0; word < 3; word++) {
            register_write(r, NVIC_ICPR + 4 * word, UINT32_MAX);
        }
        break;
    case STOP_NO_WAKE:
        rtc_connect(r);
        break;
    case STOP_DEBUG:
        register_clear(r, DBGMCU_CR, DBGMCU_CR_STOP);
        break;
    case STOP_FLASH_BUSY:
        register_until(r, FLASH_SR, FLASH_SR_BSY, 0, TRIES);
        break;
    case STOP_DMA:
        for (uint32_t channel = 1; channel <= DMA_CHANNELS; channel++) {
            register_clear(r, DMA_CCR(channel), DMA_CCR_EN);
        }
        break;
    case STOP_TRANSMITTING:
        for (uint32_t tries = LINE_TRIES; transmits(r) && tries > 0; tries--) {
            register_pause(r);
        }
        break;
    case STOP_MEASURING:
        adc_off(r);
        break;
    case STOP_CLOCK_KEPT:
        register_clear(r, RCC_CR, RCC_CR_HSIKERON);
        break;
    default:
        break; /* the next attempt is the cure */
    }
}

void power_shutdown(const struct registers *r) {
    backup_write(r, BACKUP_STORED, BACKUP_IS_STORED);
    clock_leave_low_power_run(r);
    rtc_wake_off(r);
    register_set(r, PWR_CR4, PWR_CR4_WP2); /* the button pulls its pin low */
    register_field(r, PWR_CR3, PWR_CR3_EWUP | PWR_CR3_EIWF, WAKE_PIN_2);
    register_write(r, PWR_SCR, PWR_SCR_CWUF | PWR_SCR_CSBF); /* a flag that is up wakes at once */
    register_field(r, PWR_CR1, PWR_CR1_LPMS, PWR_CR1_LPMS_SHUTDOWN);
    register_set(r, SCB_SCR, SCB_SCR_SLEEPDEEP);
    register_wait(r);
    register_clear(r, SCB_SCR, SCB_SCR_SLEEPDEEP);
}

void power_watch_supply(const struct registers *r) {
    register_field(r, PWR_CR2, UINT32_C(0xE) | PWR_CR2_PVDE, PWR_CR2_PLS_2V2 | PWR_CR2_PVDE);
}

bool power_supply_low(const struct registers *r) {
    return any(r, PWR_SR2, PWR_SR2_PVDO);
}

bool power_brown_out(const struct registers *r) {
    if (register_is(r, FLASH_OPTR, FLASH_OPTR_BOR, FLASH_OPTR_BOR_2V0)) {
        return true;
    }
    register_write(r, FLASH_KEYR, FLASH_KEY1);
    register_write(r, FLASH_KEYR, FLASH_KEY2);
    register_write(r, FLASH_OPTKEYR, FLASH_OPTKEY1);
    register_write(r, FLASH_OPTKEYR, FLASH_OPTKEY2);
    register_field(r, FLASH_OPTR, FLASH_OPTR_BOR, FLASH_OPTR_BOR_2V0);
    register_set(r, FLASH_CR, FLASH_CR_OPTSTRT);
    const bool done = register_until(r, FLASH_SR, FLASH_SR_BSY, 0, TRIES);
    register_set(r, FLASH_CR, FLASH_CR_OBL_LAUNCH); /* restarts the chip, with the new level in force */
    return done;
}
