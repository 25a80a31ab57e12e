/* The template's drivers on this computer: a clock that is moved, a sensor that is made up, a line that is the
 * descriptor $LINE, flash that is the descriptor $FLASH. The process ends behind $WAKES wakes,
 * and prints the clock at each. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers.h"

enum { PAGE = 64, RATE_HZ = 200, DEPTH = 32, BETWEEN_WAKES_MS = 1000, SLEEPS_MAX = 50 };

static uint32_t now_ms = UINT32_MAX - 4000; /* wraps round within the first wakes */
static uint32_t filled_from_ms;
static uint32_t taken;
static bool runs;
static int wakes;

static int option(const char *name) {
    const char *value = getenv(name);
    return value != NULL ? atoi(value) : 0;
}

#define LINE option("LINE")
#define FLASH option("FLASH")

uint32_t clock_ms(void) {
    return now_ms;
}

void clock_sleep(uint32_t ms) {
    static int between;
    if (ms >= BETWEEN_WAKES_MS && (wakes >= option("WAKES") || ++between > SLEEPS_MAX)) {
        exit(0);
    }
    now_ms += ms >= BETWEEN_WAKES_MS && between % 2 == 1 ? ms / 2 : ms; /* at times it is cut short */
}

bool sensor_start(uint8_t channels) {
    wakes++;
    printf("%u\n", now_ms);
    runs = option("SENSOR_ABSENT") == 0;
    filled_from_ms = now_ms;
    taken = 0;
    return runs && channels == 3;
}

int sensor_drain(int16_t *out, uint16_t most, uint8_t channels) {
    const uint32_t made = option("SENSOR_STOPPED") != 0 ? 0 : (now_ms - filled_from_ms) * RATE_HZ / 1000;
    uint32_t waiting = made - taken;
    if (!runs) {
        return SENSOR_NO_ANSWER;
    }
    if (option("SENSOR_OVERRUN") != 0 && waiting > 0) {
        return SENSOR_OVERRUN;
    }
    waiting = waiting < most ? waiting : most;
    for (uint32_t i = 0; i < waiting * channels; i++) {
        out[i] = (int16_t)((taken * channels + i) * 7919 % 1000);
    }
    taken += waiting;
    return (int)waiting;
}

void sensor_stop(void) {
    runs = false;
}

bool line_write(const uint8_t *bytes, size_t n) {
    static int torn;
    if (option("LINE_TEARS") != 0 && torn++ == 0) {
        return write(LINE, bytes, n / 2) < 0; /* half of it */
    }
    return write(LINE, bytes, n) == (ssize_t)n;
}

size_t line_read(uint8_t *out, size_t size) {
    struct pollfd line = {.fd = LINE, .events = POLLIN};
    if (poll(&line, 1, 0) != 1) {
        return 0;
    }
    const ssize_t n = read(LINE, out, size);
    return n > 0 ? (size_t)n : 0;
}

void line_wait(uint32_t ms) {
    struct pollfd line = {.fd = LINE, .events = POLLIN};
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    poll(&line, 1, (int)ms);
    clock_gettime(CLOCK_MONOTONIC, &after);
    const int64_t us = (after.tv_sec - before.tv_sec) * INT64_C(1000000) + (after.tv_nsec - before.tv_nsec) / 1000;
    now_ms += (uint32_t)(us / 1000) + 1;
}

bool flash_read(uint8_t page, uint32_t at, uint8_t *out, size_t n) {
    return page < FLASH_PAGES && pread(FLASH, out, n, page * PAGE + (off_t)at) == (ssize_t)n;
}

bool flash_erase(uint8_t page) {
    uint8_t blank[PAGE];
    memset(blank, 0xFF, sizeof blank);
    return page < FLASH_PAGES && pwrite(FLASH, blank, PAGE, page * PAGE) == PAGE;
}

bool flash_write(uint8_t page, uint32_t at, const uint8_t *data, size_t n) {
    return page < FLASH_PAGES && n % 8 == 0 && pwrite(FLASH, data, n, page * PAGE + (off_t)at) == (ssize_t)n;
}

uint16_t battery_mv(void) {
    return 3012;
}

int16_t temperature_cdeg(void) {
    return PORT_TEMPERATURE_NONE;
}

uint8_t reset_cause(void) {
    return 1;
}
