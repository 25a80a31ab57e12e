/* What the fakes share. A process is one wake of the board; what a board keeps lies in files of the folder $BOARD. */
#pragma once
#include <stdint.h>
#include <stdio.h>

FILE *fake_file(const char *name, const char *mode); /* NULL: not there */
void fake_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *fake_option(const char *name, const char *otherwise); /* from the environment */
void fake_pass(uint64_t us);                                      /* the board's time goes on */
