#include "power.h"

const char *stop_refused_text(enum stop_refused reason) {
    static const char *const TEXTS[STOP_REASONS] = {
        [STOP_ENTERED] = "entered",
        [STOP_LOW_POWER_RUN] = "low-power run is on",
        [STOP_EXTI_PENDING] = "an EXTI line pends",
        [STOP_WAKE_FLAG] = "a wake flag is up",
        [STOP_INTERRUPT] = "an interrupt pends",
        [STOP_RTC_BUSY] = "the RTC is busy",
        [STOP_NO_WAKE] = "nothing would end it",
        [STOP_DEBUG] = "a debugger keeps the clocks on",
        [STOP_FLASH_BUSY] = "the flash is busy",
        [STOP_DMA] = "a DMA channel is on",
        [STOP_TRANSMITTING] = "a serial port is sending",
        [STOP_MEASURING] = "the converter is on",
        [STOP_IS_RESET] = "an option byte makes a reset of it",
        [STOP_CLOCK_KEPT] = "HSI16 is kept on",
        [STOP_SLEEPDEEP_LOST] = "SLEEPDEEP or the mode is lost",
        [STOP_IGNORED] = "passed over, nothing says why",
    };
    return (unsigned)reason < STOP_REASONS ? TEXTS[reason] : "?";
}
