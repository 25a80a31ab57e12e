/* The firmware: what lies in flash becomes a node, and the node runs for ever. All state of the port is here. */
#include "chip.h"
#include "console.h"

enum { BLINK_MS = 200, BLINKS_EVERY_MS = 5000 };

static const struct registers REGISTERS;
static struct run run;
static struct node_kept kept __attribute__((section(".retained"))); /* a reset leaves it as it is */

void line_interrupt(void);

void line_interrupt(void) {
    uart_interrupt(&REGISTERS, &run.board.line.uart);
}

static void blink(struct timebase *time, unsigned times) {
    for (unsigned i = 0; i < times; i++) {
        chip_lamp(&REGISTERS, true);
        time_pass(&REGISTERS, time, BLINK_MS);
        chip_lamp(&REGISTERS, false);
        time_pass(&REGISTERS, time, BLINK_MS);
    }
}

/* Somebody has to see to this node; the lamp says why. */
static _Noreturn void refuse(const struct console *console, enum board_fault fault) {
    struct timebase *time = console->time;
    chip_lamp(&REGISTERS, time == NULL);
    while (time == NULL) {
        register_wait(&REGISTERS);
    }
    for (;;) {
        blink(time, (unsigned)fault);
        run_give_way(&run);
        if (fault == BOARD_NO_CONFIG) {
            console_listen(console, BLINKS_EVERY_MS);
        } else {
            time_sleep(time, BLINKS_EVERY_MS);
        }
    }
}

int main(void) {
    const uint8_t cause = chip_reset_cause(&REGISTERS);
    chip_start(&REGISTERS);
    struct timebase *time = time_start(&REGISTERS);
    const struct console console = {&run, &REGISTERS, time, FIRMWARE, cause};
    if (time != NULL && console_wanted(&console)) {
        console_listen(&console, CONSOLE_LISTEN_MS);
    }
    const enum board_fault fault =
        time == NULL ? BOARD_NO_CLOCK : run_begin(&run, &REGISTERS, time, &kept, cause, FIRMWARE);
    if (fault != BOARD_OK) {
        refuse(&console, fault);
    }
    for (;;) {
        const uint32_t sleep_ms = run_step(&run);
        if (sleep_ms == NODE_NEVER) {
            refuse(&console, BOARD_NO_RECORD);
        }
        time_sleep(time, sleep_ms);
    }
}
