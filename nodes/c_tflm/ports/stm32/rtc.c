/* RM0351, "Real-time clock (RTC)": "RTC initialization and configuration", "Programming the wakeup timer", "Reading the
 * calendar" with BYPSHAD, for the shadow registers are stale after Stop. */
#include "rtc.h"

#include "chip_layout.h"
#include "cortex.h"

enum { TRIES = 100000, CRYSTAL_TRIES = 4000000, ASYNCHRONOUS = 31, LSE_SECOND = 1024, LSI_SECOND = 1000 };
enum { SIXTEENTH_MS_MAX = 30000 }; /* with the clock over 16, 2048 ticks a second, the counter lasts 32 s */

static void unlock(const struct registers *r) {
    register_write(r, RTC_WPR, 0xCA);
    register_write(r, RTC_WPR, 0x53);
}

static void lock(const struct registers *r) {
    register_write(r, RTC_WPR, 0xFF);
}

/* Which clock it is to have; 0: none runs. */
static uint32_t start_clock(const struct registers *r) {
    register_set(r, RCC_BDCR, RCC_BDCR_LSEON);
    if (register_until(r, RCC_BDCR, RCC_BDCR_LSERDY, RCC_BDCR_LSERDY, CRYSTAL_TRIES)) {
        return RCC_BDCR_RTCSEL_LSE;
    }
    register_clear(r, RCC_BDCR, RCC_BDCR_LSEON);
    register_set(r, RCC_CSR, RCC_CSR_LSION);
    const bool runs = register_until(r, RCC_CSR, RCC_CSR_LSIRDY, RCC_CSR_LSIRDY, TRIES);
    return runs ? RCC_BDCR_RTCSEL_LSI : 0;
}

static bool initialise(const struct registers *r, uint32_t second) {
    unlock(r);
    register_set(r, RTC_ISR, RTC_ISR_INIT);
    if (!register_until(r, RTC_ISR, RTC_ISR_INITF, RTC_ISR_INITF, TRIES)) {
        lock(r);
        return false;
    }
    register_write(r, RTC_PRER, second - 1); /* "two separate write accesses" */
    register_write(r, RTC_PRER, (uint32_t)ASYNCHRONOUS << 16 | (second - 1));
    register_write(r, RTC_TR, 0);
    register_write(r, RTC_DR, UINT32_C(0x00012101)); /* the first day, a Monday, of year 1: not its reset value */
    register_write(r, RTC_CR, RTC_CR_BYPSHAD);
    register_clear(r, RTC_ISR, RTC_ISR_INIT);
    lock(r);
    return true;
}

void rtc_connect(const struct registers *r) {
    register_set(r, EXTI_RTSR1, EXTI_WUT);
    register_set(r, EXTI_IMR1, EXTI_WUT);
    interrupt_enable(r, IRQ_RTC_WKUP);
}

bool rtc_start(const struct registers *r) {
    if (register_is(r, RCC_BDCR, RCC_BDCR_RTCEN, RCC_BDCR_RTCEN) &&
        register_is(r, RTC_ISR, RTC_ISR_INITS, RTC_ISR_INITS)) {
        if (register_is(r, RCC_BDCR, RCC_BDCR_RTCSEL, RCC_BDCR_RTCSEL_LSI)) {
            register_set(r, RCC_CSR, RCC_CSR_LSION); /* a reset stops it, but not the crystal */
        }
        rtc_connect(r);
        return true;
    }
    register_set(r, RCC_BDCR, RCC_BDCR_BDRST); /* the clock of an RTC is chosen once */
    register_clear(r, RCC_BDCR, RCC_BDCR_BDRST);
    const uint32_t clock = start_clock(r);
    if (clock == 0) {
        return false;
    }
    register_field(r, RCC_BDCR, RCC_BDCR_RTCSEL, clock);
    register_set(r, RCC_BDCR, RCC_BDCR_RTCEN);
    rtc_connect(r);
    return initialise(r, clock == RCC_BDCR_RTCSEL_LSE ? LSE_SECOND : LSI_SECOND);
}

static uint32_t of_bcd(uint32_t bcd) {
    return (bcd >> 4 & 15) * 10 + (bcd & 15);
}

static uint32_t days_of(uint32_t date) {
    static const uint16_t BEFORE[12] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    const uint32_t year = of_bcd(date >> 16); /* every fourth is a leap year, from 2000 to 2099 */
    const uint32_t month = of_bcd(date >> 8 & 0x1F);
    const uint32_t leap_day = month > 2 && year % 4 == 0;
    return year * 365 + (year + 3) / 4 + BEFORE[(month - 1) % 12] + leap_day + of_bcd(date & 0x3F) - 1;
}

uint64_t rtc_now_ms(const struct registers *r) {
    uint32_t ticks, time, date;
    do { /* the three do not move together without the shadow registers */
        ticks = register_read(r, RTC_SSR);
        time = register_read(r, RTC_TR);
        date = register_read(r, RTC_DR);
    } while (ticks != register_read(r, RTC_SSR) || time != register_read(r, RTC_TR));
    const uint32_t second = (register_read(r, RTC_PRER) & 0x7FFF) + 1;
    const uint32_t seconds = of_bcd(time >> 16) * 3600 + of_bcd(time >> 8 & 0x7F) * 60 + of_bcd(time & 0x7F);
    const uint32_t days = days_of(date) - 366; /* since the first day of year 1 */
    return ((uint64_t)days * 86400 + seconds) * 1000 + (second - 1 - ticks) * 1000 / second;
}

void rtc_wake_off(const struct registers *r) {
    unlock(r);
    register_clear(r, RTC_CR, RTC_CR_WUTE | RTC_CR_WUTIE);
    register_write(r, RTC_ISR, ~(RTC_ISR_WUTF | RTC_ISR_INIT)); /* a one leaves a flag as it is */
    lock(r);
    register_write(r, EXTI_PR1, EXTI_WUT);
    interrupt_forget(r, IRQ_RTC_WKUP);
}

/* Two of its clock's periods are 61 µs, in which a fast line has brought more than the one byte that it can keep. */
bool rtc_wake_ready(const struct registers *r) {
    for (uint32_t tries = TRIES; tries > 0 && register_is(r, SCB_ICSR, SCB_ICSR_ISRPENDING, 0); tries--) {
        if (register_is(r, RTC_ISR, RTC_ISR_WUTWF, RTC_ISR_WUTWF)) {
            return true;
        }
        register_pause(r);
    }
    return false;
}

bool rtc_wake_in(const struct registers *r, uint32_t ms) {
    const uint32_t second = (register_read(r, RTC_PRER) & 0x7FFF) + 1;
    const bool fine = ms <= SIXTEENTH_MS_MAX;
    uint32_t counts = fine ? ms * (second * 2) / 1000 : ms / 1000;
    counts = counts < 1 ? 1 : counts > RTC_WAKE_MAX_S ? RTC_WAKE_MAX_S : counts;
    rtc_wake_off(r);
    if (!register_until(r, RTC_ISR, RTC_ISR_WUTWF, RTC_ISR_WUTWF, TRIES)) {
        return false;
    }
    unlock(r);
    register_write(r, RTC_WUTR, counts - 1);
    register_field(r, RTC_CR, RTC_CR_WUCKSEL, fine ? RTC_CR_WUCKSEL_16 : RTC_CR_WUCKSEL_1HZ);
    register_set(r, RTC_CR, RTC_CR_WUTE | RTC_CR_WUTIE);
    lock(r);
    return true;
}

bool rtc_has_woken(const struct registers *r) {
    return register_is(r, RTC_ISR, RTC_ISR_WUTF, RTC_ISR_WUTF);
}
