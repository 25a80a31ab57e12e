/* A fake of the STM32L475's registers, written from its reference manual (RM0351) and from no code of the port: its own
 * numbers, its own names. Time passes when the core waits or polls. What the manual forbids, or lets happen silently,
 * is counted by name. */
#ifndef STETHOS_FAKE_L4_H
#define STETHOS_FAKE_L4_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "register_access.h"

enum { FAKE_FLASH = 0x100000, FAKE_WORDS = 512, FAKE_LINE = 65536 };

/* What the fake has seen. */
enum fake_count {
    SEEN_STOP2,
    SEEN_STOP1,        /* Stop 2 was asked for, and Stop 1 it was: LPR */
    SEEN_STOP_IGNORED, /* "the Stop mode entry procedure is ignored" */
    SEEN_STOP_DEBUG,   /* Stop with the clocks on */
    SEEN_SLEEP,
    SEEN_SHUTDOWN,
    SEEN_NO_WAKE, /* the core waits for something that never comes */
    SEEN_DMA_BYTES,
    SEEN_DMA_BYTES_ASLEEP, /* of those, while the core was in WFI */
    SEEN_UNCLOCKED,        /* an access to a peripheral whose clock is off: it does nothing */
    SEEN_PROTECTED,        /* a write to the RTC or the backup domain while it is locked: it does nothing */
    SEEN_TOO_FAST,         /* low-power run above 2 MHz, or flash with too few wait states */
    SEEN_ERASES,
    SEEN_PROGRAMS, /* words of 64 bits */
    SEEN_PROGRAM_ERRORS,
    SEEN_ECC_ERRORS,  /* reads of a torn word: each one a non-maskable interrupt */
    SEEN_WATCHDOG,    /* it has bitten */
    SEEN_UNHANDLED,   /* an interrupt without a handler, let through */
    SEEN_UART_LOST,   /* a byte came before the one ahead of it was taken */
    SEEN_UART_BROKEN, /* a byte at another rate than the other end's */
    SEEN_FORBIDDEN,   /* a write that the manual forbids as things are: it does nothing */
    SEEN_STALE,       /* a read of the calendar's shadow registers, which do not follow through Stop */
    SEEN_STANDBY,
    SEEN_COUNTS,
};

/* Something on the I2C bus: registers by number, which count up by themselves. */
struct fake_device {
    uint8_t address;
    uint8_t (*read)(struct fake_device *device, uint8_t number);
    void (*write)(struct fake_device *device, uint8_t number, uint8_t value);
    uint8_t (*next)(struct fake_device *device, uint8_t number);
    void (*advance)(struct fake_device *device, uint64_t now_us);
    bool broken; /* answers to nothing */
    const uint64_t *now_us;
    void *state;
};

struct fake {
    uint64_t now_us;
    uint32_t seen[SEEN_COUNTS];
    struct {
        uint32_t address, value;
    } plain[FAKE_WORDS]; /* registers that do nothing but keep */
    unsigned plain_n;

    uint64_t rtc_began_us; /* calendar 0 */
    uint64_t wut_due_us;   /* 0: off */
    uint64_t wutwf_us;     /* WUTE is off; WUTWF from then on */
    uint64_t initf_us;     /* INIT is on; INITF from then on */
    uint64_t reglpf_us;    /* LPR is off; REGLPF until then */
    uint32_t rtc_isr;
    bool rtc_unlocked, rtc_half;
    uint32_t exti_pr1, exti_pr2;
    uint32_t nvic_enabled[3], nvic_pending[3];
    bool held;
    bool crystal_broken;
    uint32_t scr;
    bool scr_stuck;      /* SLEEPDEEP does not stay */
    uint32_t late_lines; /* of EXTI: pend at the very moment of the next WFI */
    uint32_t backup[32];

    struct {
        uint32_t cr2, isr;
        uint8_t pointer, device_n, left;
        bool reading, addressed;
        uint64_t byte_due_us;
        uint8_t data;
        bool stretched; /* SCL is held low for ever */
        uint8_t refuse; /* the device answers so many bytes of what is written, and not the next; 0: all */
        uint8_t taken;
    } i2c;
    uint64_t late_us; /* after each Stop something holds the core up for so long */
    struct fake_device *devices[4];
    unsigned devices_n;
    uint8_t *dma_memory; /* what register_address was last given */

    uint8_t flash[FAKE_FLASH];
    uint8_t torn[FAKE_FLASH / 8];
    unsigned flash_key, option_key;
    uint32_t flash_cr, flash_sr, flash_eccr, optr;
    uint64_t flash_busy_us; /* until then */
    uint32_t word_low, word_at;
    bool word_half;
    int32_t cut_after; /* operations of the flash until the power goes in the middle of one; negative: never */
    uint32_t seed;
    jmp_buf *power;

    bool watchdog_on, watchdog_unlocked;
    uint32_t watchdog_pr, watchdog_rlr;
    uint64_t watchdog_due_us, watchdog_update_us; /* PVU and RVU until then */

    struct {
        uint32_t isr;
        uint8_t rdr;
    } uarts[2];         /* USART1, LPUART1 */
    unsigned line;      /* the one that the other end is connected to */
    uint32_t line_baud; /* of the other end */
    uint8_t line_in[FAKE_LINE], line_out[FAKE_LINE];
    uint32_t in_n, in_at, out_n;
    uint64_t byte_in_due_us;
    void (*on_byte)(uint8_t byte); /* has left on the line */
    uint16_t supply_mv;
    uint32_t adc_cr, adc_isr;
    uint32_t reset_flags;

    struct registers registers;
};

/* Power on, with erased flash and nothing on the bus. */
void fake_power_on(struct fake *fake);

/* A reset that keeps flash, backup domain and RTC; `flags` are those of RCC_CSR. */
void fake_reset(struct fake *fake, uint32_t flags);

void fake_attach(struct fake *fake, struct fake_device *device);
void fake_advance(struct fake *fake, uint64_t us);

/* Of the port: what the vector table would call. */
void fake_line_handler(void);
bool fake_nmi_handler(const struct registers *r);

#endif
