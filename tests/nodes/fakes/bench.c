/* The port of the L4 on the fake, for tests through ctypes. What ends in a loss of power or a reset returns the negated
 * reason: -1 power cut in a write of the flash, -2 options loaded anew, -3 Shutdown, -4 watchdog, -5 restart. */
#include <stdlib.h>
#include <string.h>

#include "backup.h"
#include "chip.h"
#include "chip_layout.h"
#include "console.h"
#include "ed25519_verify.h"
#include "flash_ecc.h"
#include "power.h"
#include "record_log.h"
#include "run.h"
#include "sensor.h"
#include "sensors.h"
#include "time_l4.h"
#include "watchdog.h"

struct bench {
    struct fake fake;
    struct fake_sensor sensors[3];
    struct timebase *time;
    struct run run;
    struct node_kept kept;
    uint8_t key[ED25519_KEY]; /* in the stub's last page */
    bool has_stub;
};

static struct bench *current; /* whose interrupts are served */

#define TRY(bench, ...)                                                                                                \
    do {                                                                                                               \
        jmp_buf power;                                                                                                 \
        (bench)->fake.power = &power;                                                                                  \
        const int lost = setjmp(power);                                                                                \
        return lost != 0 ? -lost : (int)(__VA_ARGS__);                                                                 \
    } while (0)

void fake_line_handler(void) {
    uart_interrupt(&current->fake.registers, &current->run.board.line.uart);
}

bool fake_nmi_handler(const struct registers *r) {
    return flash_ecc_error(r);
}

void chip_signing(struct image_rules *rules) {
    if (current->has_stub) {
        rules->public_key = current->key;
        rules->verify = ed25519_verify;
    }
}

struct bench *bench_new(void) {
    static void (*const MAKE[3])(struct fake_sensor *) = {fake_lsm6dsl, fake_mpu6050, fake_lis2dw12};
    struct bench *b = calloc(1, sizeof *b);
    fake_power_on(&b->fake);
    for (unsigned i = 0; i < 3; i++) {
        MAKE[i](&b->sensors[i]);
        fake_attach(&b->fake, &b->sensors[i].device);
    }
    current = b;
    return b;
}

void bench_free(struct bench *b) {
    free(b);
}

uint64_t bench_now_us(const struct bench *b) {
    return b->fake.now_us;
}

void bench_advance(struct bench *b, uint64_t us) {
    fake_advance(&b->fake, us);
}

uint32_t bench_seen(const struct bench *b, unsigned what) {
    return b->fake.seen[what];
}

uint32_t bench_peek(struct bench *b, uint32_t address) {
    return register_read(&b->fake.registers, address);
}

void bench_poke(struct bench *b, uint32_t address, uint32_t value) {
    register_write(&b->fake.registers, address, value);
}

void bench_exti(struct bench *b, uint32_t lines) {
    b->fake.exti_pr1 |= lines;
}

void bench_rtc_flags(struct bench *b, uint32_t flags) {
    b->fake.rtc_isr |= flags;
}

void bench_nvic(struct bench *b, unsigned number) {
    b->fake.nvic_enabled[number / 32] |= UINT32_C(1) << number % 32;
    b->fake.nvic_pending[number / 32] |= UINT32_C(1) << number % 32;
}

void bench_flash_busy(struct bench *b, uint32_t us) {
    b->fake.flash_busy_us = b->fake.now_us + us;
}

void bench_fault(struct bench *b, const char *what, uint32_t value) {
    struct fake_sensor *lsm = &b->sensors[0];
    if (strcmp(what, "crystal") == 0) {
        b->fake.crystal_broken = value != 0;
    } else if (strcmp(what, "sleepdeep") == 0) {
        b->fake.scr_stuck = value != 0;
    } else if (strcmp(what, "stretched") == 0) {
        b->fake.i2c.stretched = value != 0;
    } else if (strcmp(what, "refuse") == 0) {
        b->fake.i2c.refuse = (uint8_t)value;
    } else if (strcmp(what, "options") == 0) { /* bits of OPTR that are 0 */
        b->fake.optr &= ~value;
    } else if (strcmp(what, "supply") == 0) {
        b->fake.supply_mv = (uint16_t)value;
    } else if (strcmp(what, "cut") == 0) {
        b->fake.cut_after = (int32_t)value;
    } else if (strcmp(what, "late lines") == 0) {
        b->fake.late_lines = value;
    } else if (strcmp(what, "watchdog sleeps") == 0) {
        b->fake.optr &= value != 0 ? ~(UINT32_C(1) << 17) : UINT32_MAX;
    } else if (strcmp(what, "late by") == 0) {
        b->fake.late_us = value * UINT64_C(1000);
    } else if (strcmp(what, "seed") == 0) {
        b->fake.seed = value;
    }
    for (unsigned i = 0; i < 3; i++) {
        struct fake_sensor *s = lsm + i;
        s->device.broken = strcmp(what, "absent") == 0 ? value != 0 : s->device.broken;
        s->weak = strcmp(what, "weak") == 0 ? value != 0 : s->weak;
        s->silent = strcmp(what, "silent") == 0 ? value != 0 : s->silent;
        s->clips = strcmp(what, "clips") == 0 ? value != 0 : s->clips;
        s->slow_ppm = strcmp(what, "slow") == 0 ? value : s->slow_ppm;
    }
}

uint8_t *bench_flash(struct bench *b) {
    return b->fake.flash;
}

static int begin(struct bench *b) {
    chip_start(&b->fake.registers);
    b->time = time_start(&b->fake.registers);
    return b->time != NULL;
}

int bench_start(struct bench *b) {
    TRY(b, begin(b));
}

void bench_reset(struct bench *b, uint32_t flags) {
    fake_reset(&b->fake, flags);
}

uint8_t bench_reset_cause(struct bench *b) {
    return chip_reset_cause(&b->fake.registers);
}

uint64_t bench_now_ms(struct bench *b) {
    return time_now_ms(b->time);
}

void bench_pace(struct bench *b, unsigned pace) {
    time_pace(b->time, (enum pace)pace);
}

static int sleep_in(struct bench *b, uint32_t ms) {
    time_sleep(b->time, ms);
    return 0;
}

int bench_sleep(struct bench *b, uint32_t ms) {
    TRY(b, sleep_in(b, ms));
}

int bench_stop2(struct bench *b, uint32_t ms, uint32_t *count) {
    struct stop_counts counts = {{0}};
    register_hold(&b->fake.registers);
    jmp_buf power;
    b->fake.power = &power;
    const int lost = setjmp(power);
    if (lost != 0) {
        return -lost;
    }
    const enum stop_refused reason = power_stop2(&b->fake.registers, ms, &counts);
    *count = counts.of[reason];
    register_release(&b->fake.registers);
    return (int)reason;
}

/* The core itself, told to sleep deeply with no question asked before. */
int bench_wfi(struct bench *b) {
    register_field(&b->fake.registers, 0x40007000, 7, 2);
    register_set(&b->fake.registers, 0xE000ED10, 4);
    register_hold(&b->fake.registers);
    jmp_buf power;
    b->fake.power = &power;
    const int lost = setjmp(power);
    if (lost == 0) {
        register_wait(&b->fake.registers);
    }
    return -lost;
}

void bench_cure(struct bench *b, unsigned reason) {
    power_cure(&b->fake.registers, (enum stop_refused)reason);
}

uint32_t bench_stops(const struct bench *b, unsigned reason) {
    return time_stops(b->time)->of[reason];
}

static int shut_down(struct bench *b) {
    power_shutdown(&b->fake.registers);
    return 0;
}

int bench_shutdown(struct bench *b) {
    TRY(b, shut_down(b));
}

int bench_brown_out(struct bench *b) {
    TRY(b, power_brown_out(&b->fake.registers));
}

int bench_supply_low(struct bench *b) {
    return power_supply_low(&b->fake.registers);
}

uint16_t bench_supply_mv(struct bench *b) {
    return chip_supply_mv(&b->fake.registers);
}

static int passes(struct bench *b, uint64_t us) {
    fake_advance(&b->fake, us);
    return 0;
}

int bench_passes(struct bench *b, uint64_t us) {
    TRY(b, passes(b, us));
}

/* Records and slots, as core/ uses them. */
static struct port flash_port(struct bench *b) {
    b->run.board.registers = &b->fake.registers;
    b->run.board.persist = persist_open(&b->fake.registers);
    return board_port(&b->run.board);
}

int bench_record_write(struct bench *b, uint8_t slot, const uint8_t *record) {
    const struct port port = flash_port(b);
    TRY(b, port.persist_write(port.context, slot, record));
}

int bench_record_read(struct bench *b, uint8_t slot, uint8_t *out) {
    const struct port port = flash_port(b);
    return port.persist_read(port.context, slot, out);
}

int bench_record_erase(struct bench *b, uint32_t address) {
    TRY(b, flash_erase(&b->fake.registers, address));
}

int bench_ceiling_provision(struct bench *b) {
    const struct port port = flash_port(b);
    TRY(b, ceiling_provision(&port));
}

/* The number of the record that stands; -1: none. */
int64_t bench_ceiling_open(struct bench *b) {
    struct ceiling ceiling;
    const struct port port = flash_port(b);
    return ceiling_open(&ceiling, &port) ? (int64_t)ceiling.record.last_command : -1;
}

static int keep(struct bench *b, uint32_t last_command) {
    struct ceiling ceiling;
    const struct port port = flash_port(b);
    if (!ceiling_open(&ceiling, &port)) {
        return 0;
    }
    struct record record = ceiling.record;
    record.last_command = last_command;
    return ceiling_keep(&ceiling, &port, &record);
}

int bench_ceiling_keep(struct bench *b, uint32_t last_command) {
    TRY(b, keep(b, last_command));
}

int bench_store_erase(struct bench *b, unsigned store, uint8_t slot) {
    flash_port(b);
    TRY(b, BOARD_STORE.erase(&b->run.board, (enum store)store, slot));
}

int bench_store_write(struct bench *b, unsigned store, uint8_t slot, uint32_t at, const uint8_t *data, uint32_t n) {
    flash_port(b);
    TRY(b, BOARD_STORE.write(&b->run.board, (enum store)store, slot, at, data, n));
}

int bench_store_read(struct bench *b, unsigned store, uint8_t slot, uint32_t at, uint8_t *out, uint32_t n) {
    flash_port(b);
    return BOARD_STORE.read(&b->run.board, (enum store)store, slot, at, out, n);
}

/* Sensors. */
static const struct sensor *const DRIVERS[3] = {&sensor_lsm6dsl, &sensor_mpu6050, &sensor_lis2dw12};

static int with_bus(struct bench *b) {
    bus_start(&b->fake.registers);
    time_pace(b->time, PACE_SENSE);
    return 1;
}

int bench_sensor_check(struct bench *b, unsigned kind) {
    const struct sensor_at at = {&b->fake.registers, b->time};
    TRY(b, with_bus(b) && sensor_check(DRIVERS[kind], &at));
}

int bench_sensor_window(struct bench *b, unsigned kind, uint32_t rate_millihz, int16_t *out, uint16_t samples,
                        uint8_t channels) {
    const struct sensor_at at = {&b->fake.registers, b->time};
    TRY(b, with_bus(b) ? sensor_window(DRIVERS[kind], &at, rate_millihz, out, samples, channels) : 0);
}

int bench_sensor_temperature(struct bench *b, unsigned kind, int16_t *cdeg) {
    const struct sensor_at at = {&b->fake.registers, b->time};
    TRY(b, with_bus(b) && DRIVERS[kind]->temperature(&at, cdeg));
}

/* Frames that a sensor has collected and nobody has read, if it goes on for `us` without being read. */
int bench_sensor_overrun(struct bench *b, unsigned kind, uint64_t us) {
    const struct sensor_at at = {&b->fake.registers, b->time};
    bool overrun = false;
    uint16_t frames = 0;
    jmp_buf power;
    b->fake.power = &power;
    const int lost = setjmp(power);
    if (lost != 0) {
        return -lost;
    }
    with_bus(b);
    const uint32_t rate = DRIVERS[kind]->start(&at, 200000, 3);
    const bool collects = rate != 0 && DRIVERS[kind]->collect(&at, 3);
    fake_advance(&b->fake, us);
    return collects && DRIVERS[kind]->level(&at, 3, &frames, &overrun) ? overrun : -100;
}

/* A board whose firmware lies in slots, behind the boot stub. */
void bench_stub(struct bench *b, const uint8_t *key) {
    memcpy(b->key, key, sizeof b->key);
    b->has_stub = true;
}

/* What the boot stub does (boot/boot.c), but for looking at vectors: these firmwares are none. False: none starts. */
static bool start_firmware(struct bench *b) {
    const struct slots slots = {&BOARD_STORE, &b->run.board, STORE_FIRMWARE};
    const struct image_rules rules = {
        .board = CHIP_BOARD, .public_key = b->key, .verify = ed25519_verify, .running = -1};
    enum image_reply why[STORE_SLOTS];
    b->run.board.registers = &b->fake.registers;
    const int slot = slots_choose(&slots, &rules, why);
    if (slot >= 0) {
        register_write(&b->fake.registers, 0xE000ED08,
                       chip_store_address(STORE_FIRMWARE, (uint8_t)slot) + CHIP_STORE_HEAD);
    }
    return slot >= 0;
}

/* What firmware.c does, up to the first wake. An enum board_fault; or the state of the node + 100. */
static int boot(struct bench *b) {
    if (b->has_stub && !start_firmware(b)) {
        return -100;
    }
    const uint8_t cause = chip_reset_cause(&b->fake.registers);
    if (!begin(b)) {
        return BOARD_NO_CLOCK;
    }
    const struct console console = {&b->run, &b->fake.registers, b->time, "bench", cause};
    if (console_wanted(&console)) {
        console_listen(&console, CONSOLE_LISTEN_MS);
    }
    const enum board_fault fault = run_begin(&b->run, &b->fake.registers, b->time, &b->kept, cause, "bench");
    return fault != BOARD_OK ? (int)fault : 100 + (int)b->run.node.state;
}

int bench_boot(struct bench *b) {
    TRY(b, boot(b));
}

/* What firmware.c does while it blinks for want of a configuration. 0: nobody has spoken. */
static int listen_on(struct bench *b, uint32_t ms) {
    const struct console console = {&b->run, &b->fake.registers, b->time, "bench", RESET_SOFTWARE};
    console_listen(&console, ms);
    return 0;
}

int bench_console(struct bench *b, uint32_t ms) {
    TRY(b, listen_on(b, ms));
}

static int step(struct bench *b) {
    const uint32_t sleep_ms = run_step(&b->run);
    if (sleep_ms != NODE_NEVER) {
        time_sleep(b->time, sleep_ms);
    }
    return 0;
}

int bench_step(struct bench *b) {
    TRY(b, step(b));
}

static int give_way(struct bench *b) {
    run_give_way(&b->run);
    return 0;
}

int bench_give_way(struct bench *b) {
    TRY(b, give_way(b));
}

/* The slot of `store` that this start uses, -1: none; and whether it has been confirmed. */
int bench_used(const struct bench *b, unsigned store) {
    return b->run.board.used[store];
}

int bench_confirmed(struct bench *b, unsigned store, uint8_t slot) {
    const struct slots slots = {&BOARD_STORE, &b->run.board, (enum store)store};
    struct slot_state state;
    slots_read(&slots, slot, &state);
    return slots_proven(&state);
}

/* Which of the serial ports (0: USART1, 1: LPUART1) leads to the other end, and how fast that is. */
void bench_line(struct bench *b, unsigned line, uint32_t baud) {
    b->fake.line = line;
    b->fake.line_baud = baud;
}

uint32_t bench_module_refused(const struct bench *b) {
    return b->run.board.module.refused;
}

uint32_t bench_module_silent(const struct bench *b) {
    return b->run.board.module.silent;
}

uint32_t bench_current_na(const struct bench *b, unsigned activity) {
    return b->run.port.current_na[activity];
}

/* What has left on the line since the last call. */
uint32_t bench_heard(struct bench *b, uint8_t *out) {
    const uint32_t n = b->fake.out_n;
    memcpy(out, b->fake.line_out, n);
    b->fake.out_n = 0;
    return n;
}

/* Called when a byte has left. */
void bench_on_byte(struct bench *b, void (*on_byte)(uint8_t byte)) {
    b->fake.on_byte = on_byte;
}

/* Bytes that begin to come in `after_us`, or behind those that are still to come. */
void bench_say(struct bench *b, const uint8_t *data, uint32_t n, uint64_t after_us) {
    if (b->fake.in_at == b->fake.in_n) {
        b->fake.in_at = b->fake.in_n = 0;
        b->fake.byte_in_due_us = b->fake.now_us + after_us;
    }
    memcpy(b->fake.line_in + b->fake.in_n, data, n);
    b->fake.in_n += n;
}

/* The memory that a reset leaves as it is does not outlast the battery. */
void bench_forget(struct bench *b) {
    memset(&b->kept, 0xA5, sizeof b->kept);
}

uint32_t bench_line_lost(const struct bench *b) {
    return b->run.board.line.uart.lost;
}

uint32_t bench_acknowledged(const struct bench *b) {
    return b->kept.counters.acknowledged;
}

uint32_t bench_windows(const struct bench *b) {
    return b->kept.counters.windows;
}
