/* RCC, PWR, RTC with its wake-up timer, IWDG. */
#include "l4_parts.h"

enum { RCC_BASE = 0x40021000, PWR_BASE = 0x40007000, RTC_BASE = 0x40002800 };
enum { LSI_HZ = 32000, LSE_HZ = 32768 };
enum { RTC_CYCLES_2_US = 62, REGULATOR_US = 20, WATCHDOG_UPDATE_US = 160 }; /* "up to five RC cycles" */

/* A clock's ready flag follows its enable bit; the switch follows once its source is ready. */
static void settle_clocks(struct fake *f) {
    uint32_t *cr = fake_plain(f, RCC_BASE), *cfgr = fake_plain(f, RCC_BASE + 8);
    static const uint8_t READY[4] = {1, 10, 17, 25};
    const uint32_t on = *cr;
    *cr = (on & ~UINT32_C(0x02000402)) | (on & 1) << 1 | (on >> 8 & 1) << 10 | (on >> 24 & 1) << 25;
    if ((*cr >> READY[*cfgr & 3] & 1) != 0) {
        *cfgr = (*cfgr & ~UINT32_C(0xC)) | (*cfgr & 3) << 2;
    }
}

static uint32_t core_hz(struct fake *f) {
    static const uint32_t MSI_KHZ[16] = {100, 200, 400, 800, 1000, 2000, 4000, 8000, 16000, 24000, 32000, 48000};
    const uint32_t cr = *fake_plain(f, RCC_BASE), pll = *fake_plain(f, RCC_BASE + 0xC);
    switch (*fake_plain(f, RCC_BASE + 8) >> 2 & 3) {
    case 0:
        return MSI_KHZ[cr >> 4 & 15] * 1000;
    case 1:
        return 16000000;
    default: /* "PLL configuration": source / M · N / R */
        return (pll & 3) == 2 ? 16000000 / ((pll >> 4 & 7) + 1) * (pll >> 8 & 127) / (((pll >> 25 & 3) + 1) * 2) : 0;
    }
}

/* The regulator stays in low power a while after LPR is cleared. */
static bool low_power_run(struct fake *f) {
    return fake_bit(f, PWR_BASE, 14) || f->now_us < f->reglpf_us;
}

/* "Number of wait states according to CPU clock (HCLK) frequency", by range of the regulator (VOS); "Low-power run
 * mode": up to 2 MHz. */
static void check_speed(struct fake *f) {
    static const uint8_t MHZ[2][5] = {{16, 32, 48, 64, 80}, {6, 12, 18, 26, 26}};
    const uint32_t hz = core_hz(f), states = *fake_plain(f, 0x40022000) & 7;
    const bool range_2 = (*fake_plain(f, PWR_BASE) >> 9 & 3) == 2;
    const uint32_t most = low_power_run(f) ? 2000000 : MHZ[range_2][states < 4 ? states : 4] * UINT32_C(1000000);
    f->seen[SEEN_TOO_FAST] += hz > most;
}

uint32_t fake_rcc_read(struct fake *f, uint32_t address) {
    if (address == RCC_BASE + 0x94) {
        const uint32_t csr = *fake_plain(f, address);
        return (csr & 1) | (csr & 1) << 1 | f->reset_flags;
    }
    if (address == PWR_BASE + 0x14) {
        return (low_power_run(f) ? 1u << 9 : 0) | (fake_bit(f, PWR_BASE + 4, 0) && f->supply_mv < 2200 ? 1u << 11 : 0);
    }
    return *fake_plain(f, address);
}

static void write_bdcr(struct fake *f, uint32_t value) {
    uint32_t *bdcr = fake_plain(f, RCC_BASE + 0x90);
    if (!fake_bit(f, PWR_BASE, 8)) { /* DBP */
        f->seen[SEEN_PROTECTED]++;
        return;
    }
    if ((value >> 16 & 1) != 0) {
        *bdcr = UINT32_C(1) << 16;
        f->rtc_isr = 0;
        f->wut_due_us = f->wutwf_us = 0;
        for (uint32_t offset = 0; offset < 0x50; offset += 4) { /* registers of the RTC, and those of backup */
            *fake_plain(f, RTC_BASE + offset) = offset == 4      ? 0x2101
                                                : offset == 0x10 ? 0x7F00FF
                                                : offset == 0x14 ? 0xFFFF
                                                                 : 0;
        }
        for (unsigned i = 0; i < 32; i++) {
            f->backup[i] = 0;
        }
        return;
    }
    const uint32_t chosen = *bdcr & 0x300; /* "cannot be changed any more unless the backup domain is reset" */
    *bdcr = (value & ~UINT32_C(2)) | ((value & 1) != 0 && !f->crystal_broken ? 2 : 0);
    if (chosen != 0) {
        *bdcr = (*bdcr & ~UINT32_C(0x300)) | chosen;
    }
}

void fake_rcc_write(struct fake *f, uint32_t address, uint32_t value) {
    if (address == RCC_BASE + 0x90) {
        write_bdcr(f, value);
    } else if (address == RCC_BASE + 0x94 && (value >> 23 & 1) != 0) {
        f->reset_flags = 0;
        *fake_plain(f, address) = value & 1;
    } else if (address == PWR_BASE + 0x18) { /* "Power status clear register" */
        *fake_plain(f, PWR_BASE + 0x10) &= ~(value & 0x11F);
    } else if (address == PWR_BASE && ((value >> 9 & 3) == 0 || (value >> 9 & 3) == 3)) {
        f->seen[SEEN_FORBIDDEN]++; /* VOS: "cannot be written (forbidden by hardware)" */
    } else {
        if (address == PWR_BASE && fake_bit(f, PWR_BASE, 14) && (value >> 14 & 1) == 0) {
            f->reglpf_us = f->now_us + REGULATOR_US;
        }
        *fake_plain(f, address) = value;
        settle_clocks(f);
        check_speed(f);
    }
}

/* "RTC and calendar clock": ck_apre = clock / (A + 1), a second each S + 1 of it. */
static uint32_t rtc_hz(struct fake *f) {
    const uint32_t bdcr = *fake_plain(f, RCC_BASE + 0x90);
    if ((bdcr >> 15 & 1) == 0) {
        return 0;
    }
    return (bdcr & 0x300) == 0x100 && (bdcr & 2) != 0 ? LSE_HZ : (bdcr & 0x300) == 0x200 ? LSI_HZ : 0;
}

static uint64_t apre_ticks(struct fake *f) {
    const uint32_t a = *fake_plain(f, RTC_BASE + 0x10) >> 16 & 0x7F;
    return (f->now_us - f->rtc_began_us) * rtc_hz(f) / (a + 1) / 1000000;
}

static uint32_t bcd(uint32_t value) {
    return value / 10 << 4 | value % 10;
}

/* Days on from the date that was written, in the proleptic way: one by one. */
static uint32_t date_after(uint32_t from, uint64_t days) {
    static const uint8_t DAYS[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint32_t year = (from >> 20 & 15) * 10 + (from >> 16 & 15);
    uint32_t month = (from >> 12 & 1) * 10 + (from >> 8 & 15);
    uint32_t day = (from >> 4 & 3) * 10 + (from & 15), weekday = from >> 13 & 7;
    for (; days > 0; days--) {
        weekday = weekday % 7 + 1;
        if (++day > (uint32_t)DAYS[month - 1] + (month == 2 && year % 4 == 0)) {
            day = 1;
            month++;
        }
        if (month > 12) {
            month = 1;
            year++;
        }
    }
    return bcd(year) << 16 | weekday << 13 | bcd(month) << 8 | bcd(day);
}

/* "WUTWF": two RTCCLK cycles after WUTE has been cleared. */
static bool wut_free(struct fake *f) {
    return !fake_bit(f, RTC_BASE + 8, 10) && f->now_us >= f->wutwf_us;
}

uint32_t fake_rtc_read(struct fake *f, uint32_t address) {
    const uint32_t s = *fake_plain(f, RTC_BASE + 0x10) & 0x7FFF;
    const uint64_t ticks = apre_ticks(f), seconds = ticks / (s + 1);
    const bool calendar = address == RTC_BASE || address == RTC_BASE + 4 || address == RTC_BASE + 0x28;
    const uint32_t of_day = (uint32_t)(seconds % 86400);
    if (address >= RTC_BASE + 0x50 && address < RTC_BASE + 0xD0) {
        return f->backup[(address - RTC_BASE - 0x50) / 4];
    }
    f->seen[SEEN_STALE] += calendar && !fake_bit(f, RTC_BASE + 8, 5); /* BYPSHAD */
    switch (address - RTC_BASE) {
    case 0x00:
        return bcd(of_day / 3600) << 16 | bcd(of_day / 60 % 60) << 8 | bcd(of_day % 60);
    case 0x04:
        return date_after(*fake_plain(f, address), seconds / 86400);
    case 0x0C:
        return f->rtc_isr | (wut_free(f) ? 4 : 0) | (f->now_us >= f->initf_us ? (f->rtc_isr >> 7 & 1) << 6 : 0);
    case 0x28:
        return s - (uint32_t)(ticks % (s + 1));
    default:
        return *fake_plain(f, address);
    }
}

/* "Wakeup timer": WUTR + 1 periods, of the clock over 16, 8, 4, 2, or of the calendar's second, whose beat goes on
 * whenever the timer is started; WUCKSEL 11x: 2^16 more. */
static void arm(struct fake *f) {
    const uint32_t cr = *fake_plain(f, RTC_BASE + 8), counts = (*fake_plain(f, RTC_BASE + 0x14) & 0xFFFF) + 1;
    const uint32_t hz = rtc_hz(f), by = 16u >> (cr & 3);
    f->wut_due_us = 0;
    if ((cr >> 10 & 1) == 0 || hz == 0) {
        return;
    }
    if ((cr & 4) != 0) {
        const uint64_t beat_us = (f->now_us - f->rtc_began_us) % 1000000;
        f->wut_due_us = f->now_us - beat_us + (counts + ((cr & 2) != 0 ? UINT64_C(65536) : 0)) * 1000000;
    } else {
        f->wut_due_us = f->now_us + (uint64_t)counts * by * 1000000 / hz;
    }
}

/* Flags are cleared by a zero, and without the key; INIT is protected as the other registers are. */
static void write_isr(struct fake *f, uint32_t value) {
    const bool was = (f->rtc_isr >> 7 & 1) != 0, is = (value >> 7 & 1) != 0;
    f->rtc_isr &= value | ~UINT32_C(0xFF20);
    if (was == is) {
        return;
    }
    if (!f->rtc_unlocked) {
        f->seen[SEEN_PROTECTED]++;
        return;
    }
    f->rtc_isr = (f->rtc_isr & ~UINT32_C(0x80)) | (is ? 0x80 : 0);
    f->initf_us = f->now_us + RTC_CYCLES_2_US;
    if (was) {
        f->rtc_began_us = f->now_us;
        f->rtc_isr |= (*fake_plain(f, RTC_BASE + 4) >> 16 & 0xFF) != 0 ? 0x10 : 0; /* INITS: the year is not 0 */
    }
}

static void write_cr(struct fake *f, uint32_t value) {
    const uint32_t was = *fake_plain(f, RTC_BASE + 8);
    if (((was ^ value) & 7) != 0 && !wut_free(f)) {
        f->seen[SEEN_FORBIDDEN]++; /* "WUCKSEL can be written only when WUTE is 0 and WUTWF is 1" */
        value = (value & ~UINT32_C(7)) | (was & 7);
    }
    if ((was >> 10 & 1) != 0 && (value >> 10 & 1) == 0) {
        f->wutwf_us = f->now_us + RTC_CYCLES_2_US;
    }
    *fake_plain(f, RTC_BASE + 8) = value;
    if (((was ^ value) >> 10 & 1) != 0) {
        arm(f);
    }
}

void fake_rtc_write(struct fake *f, uint32_t address, uint32_t value) {
    const uint32_t offset = address - RTC_BASE;
    const bool initialising = (f->rtc_isr >> 7 & 1) != 0 && f->now_us >= f->initf_us;
    if (offset == 0x24) { /* "RTC register write protection" */
        f->rtc_unlocked = value == 0x53 && f->rtc_half;
        f->rtc_half = value == 0xCA;
        return;
    }
    if (!fake_bit(f, PWR_BASE, 8) || (!f->rtc_unlocked && offset < 0x50 && offset != 0x0C)) {
        f->seen[SEEN_PROTECTED]++;
        return;
    }
    if (offset >= 0x50 && offset < 0xD0) {
        f->backup[(offset - 0x50) / 4] = value;
    } else if (offset == 0x0C) {
        write_isr(f, value);
    } else if ((offset == 0x00 || offset == 0x04 || offset == 0x10) && !initialising) {
        f->seen[SEEN_PROTECTED]++;
    } else if (offset == 0x14 && !wut_free(f)) {
        f->seen[SEEN_FORBIDDEN]++; /* "WUTWF: wakeup timer configuration update not allowed" */
    } else if (offset == 0x08) {
        write_cr(f, value);
    } else {
        *fake_plain(f, address) = value;
    }
}

void fake_rtc_event(struct fake *f) {
    if (f->wut_due_us == 0 || f->now_us < f->wut_due_us) {
        return;
    }
    const bool rises = (f->rtc_isr >> 10 & 1) == 0; /* the line is high for as long as WUTF is up */
    f->rtc_isr |= UINT32_C(1) << 10;
    if (rises && fake_bit(f, RTC_BASE + 8, 14) && fake_bit(f, 0x40010400 + 8, 20)) { /* WUTIE, rising edge of line 20 */
        f->exti_pr1 |= UINT32_C(1) << 20;
    }
    arm(f); /* "automatically reloaded" */
}

/* "IWDG": 4 · 2^PR over LSI, from RLR down. */
void fake_watchdog_write(struct fake *f, uint32_t offset, uint32_t value) {
    if (offset == 0) {
        f->watchdog_on |= value == 0xCCCC;
        f->watchdog_unlocked = value == 0x5555;
    } else if (f->watchdog_unlocked && offset == 4) {
        f->watchdog_pr = value & 7;
        f->watchdog_update_us = f->now_us + WATCHDOG_UPDATE_US;
    } else if (f->watchdog_unlocked && offset == 8) {
        f->watchdog_rlr = value & 0xFFF;
        f->watchdog_update_us = f->now_us + WATCHDOG_UPDATE_US;
    } else {
        f->seen[SEEN_PROTECTED]++;
    }
    if (offset == 0 && (value == 0xAAAA || value == 0xCCCC)) {
        const uint64_t counts = value == 0xCCCC ? 4095 : f->watchdog_rlr;
        f->watchdog_due_us = f->now_us + (counts + 1) * (UINT64_C(4) << f->watchdog_pr) * 1000000 / LSI_HZ;
    }
}
