/* Stop 2 and Shutdown (RM0351, "Power control"). Everything that makes the chip pass over a Stop 2 without a word, or
 * sleep less deeply than it was told, is looked for before, and has a name; and what slipped through is noticed after.
 */
#ifndef STETHOS_POWER_H
#define STETHOS_POWER_H

#include "registers.h"

enum stop_refused {
    STOP_ENTERED,
    STOP_LOW_POWER_RUN, /* LPR is set: it would be Stop 1 */
    STOP_EXTI_PENDING,  /* an EXTI line pends */
    STOP_WAKE_FLAG,     /* a flag of the RTC, or of a wake-up pin, is still up */
    STOP_INTERRUPT,     /* an interrupt pends in the NVIC: WFI would not wait */
    STOP_RTC_BUSY,      /* the wake-up timer cannot be set, or the calendar is being set */
    STOP_NO_WAKE,       /* nothing would end it: timer off, line masked or interrupt off */
    STOP_DEBUG,         /* a debugger keeps the clocks on */
    STOP_FLASH_BUSY,
    STOP_DMA,            /* a channel is on */
    STOP_TRANSMITTING,   /* a serial port has not sent its last bit */
    STOP_MEASURING,      /* the converter is on, and would draw on */
    STOP_IS_RESET,       /* an option byte makes a reset of it */
    STOP_CLOCK_KEPT,     /* HSI16 would stay on */
    STOP_SLEEPDEEP_LOST, /* SLEEPDEEP, or the mode, did not stay as written */
    STOP_IGNORED,        /* none of these, and yet the core went on at once */
    STOP_REASONS,
};

/* How often each was the answer. */
struct stop_counts {
    uint32_t of[STOP_REASONS];
};

/* Sleeps for `ms` or until another interrupt wakes. Interrupts are held. The first refusal that applies; after one, no
 * time has passed. */
enum stop_refused power_stop2(const struct registers *r, uint32_t ms, struct stop_counts *counts);

/* Takes away what was refused, as far as a node can: other than its own, nobody waits for it. */
void power_cure(const struct registers *r, enum stop_refused reason);

/* For storage: only the reset pin and wake-up pin 2 (the button) end it, and what follows is a reset. The backup domain
 * knows (backup.h). Returns if the chip does not go. */
void power_shutdown(const struct registers *r);

/* The supply is below 2.2 V, now (PVD). */
void power_watch_supply(const struct registers *r);
bool power_supply_low(const struct registers *r);

/* Brown-out reset at about 2.0 V: an option byte, written once in a board's life; the chip restarts then. */
bool power_brown_out(const struct registers *r);

/* For people; not part of a firmware. */
const char *stop_refused_text(enum stop_refused reason);

#endif
