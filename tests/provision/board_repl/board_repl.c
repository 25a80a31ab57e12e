// The REPL that boards have (shared/runtime/pyexec.c: raw REPL, raw paste), for the unix port, whose own has neither.
// board_repl.begin() is for before main.py: Ctrl-C interrupts it, between two bytecodes as on a board. board_repl.run()
// is what a board's firmware does when main.py has ended; it returns at a soft reset or sys.exit().
#include "py/runtime.h"

#include "extmod/modplatform.h"
#include "shared/runtime/pyexec.c"

#include <signal.h>
#include <termios.h>

// While main.py runs Ctrl-C interrupts it; at the prompt it is a character.
static void interrupts(bool on) {
    struct termios line;
    tcgetattr(0, &line);
    line.c_lflag = on ? ISIG : 0;
    tcsetattr(0, TCSANOW, &line);
}

static void interrupted(int signal) {
    mp_sched_keyboard_interrupt();
}

static mp_obj_t board_repl_begin(void) {
    struct sigaction action = {.sa_handler = interrupted};
    sigaction(SIGINT, &action, NULL);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(board_repl_begin_object, board_repl_begin);

static mp_obj_t board_repl_run(void) {
    interrupts(false);
    while (!(pyexec_mode_kind == PYEXEC_MODE_RAW_REPL ? pyexec_raw_repl() : pyexec_friendly_repl())) {
    }
    interrupts(true);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(board_repl_run_object, board_repl_run);

static const mp_rom_map_elem_t board_repl_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_board_repl)},
    {MP_ROM_QSTR(MP_QSTR_begin), MP_ROM_PTR(&board_repl_begin_object)},
    {MP_ROM_QSTR(MP_QSTR_run), MP_ROM_PTR(&board_repl_run_object)},
};
static MP_DEFINE_CONST_DICT(board_repl_globals, board_repl_globals_table);

const mp_obj_module_t board_repl_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&board_repl_globals,
};
MP_REGISTER_MODULE(MP_QSTR_board_repl, board_repl_module);
