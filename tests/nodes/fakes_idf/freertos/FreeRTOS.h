#pragma once
#include <stdint.h>
typedef uint32_t TickType_t;
typedef int BaseType_t;
enum { pdFALSE = 0, pdTRUE = 1, TICKS_HZ = 100 };
#define pdMS_TO_TICKS(ms) ((TickType_t)((ms) * TICKS_HZ / 1000))
