/* The real-time clock: time that goes on in every sleep, and the wake-up timer. Not the alarm: it leaves more of the
 * chip awake, and is a calendar's business. */
#ifndef STETHOS_RTC_H
#define STETHOS_RTC_H

#include "registers.h"

enum { RTC_WAKE_MAX_S = 65536 };

/* From the crystal, or from LSI where there is none; goes on where it is if it runs already. The backup domain is open.
 * False: there is no clock. */
bool rtc_start(const struct registers *r);

/* The way of the wake-up timer to the core; rtc_start has opened it. */
void rtc_connect(const struct registers *r);

/* Since it was started. */
uint64_t rtc_now_ms(const struct registers *r);

/* The timer, when it was off, can be set: after a while, unless an interrupt pends first. */
bool rtc_wake_ready(const struct registers *r);

/* Wakes in `ms`, at most RTC_WAKE_MAX_S seconds: the interrupt pends then. What was pending of an earlier one is
 * forgotten. False: the timer does not take it. */
bool rtc_wake_in(const struct registers *r, uint32_t ms);
bool rtc_has_woken(const struct registers *r);

/* The timer stops, and nothing of it pends. */
void rtc_wake_off(const struct registers *r);

#endif
