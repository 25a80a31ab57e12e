#include "fft.h"

#include "fft_steps.h"

enum { QUARTER = FFT_SIZE_MAX / 4 };

/* sin(2 pi i / 64) in 2^-31, of the first quarter; 1 itself has no place there and is the next value below. */
static const int32_t SINES[QUARTER + 1] = {0x00000000, 0x0c8bd35e, 0x18f8b83c, 0x25280c5e, 0x30fbc54d, 0x3c56ba70,
                                           0x471cece7, 0x5133cc94, 0x5a82799a, 0x62f201ac, 0x6a6d98a4, 0x70e2cbc6,
                                           0x7641af3d, 0x7a7d055b, 0x7d8a5f40, 0x7f62368f, 0x7fffffff};

uint32_t fft_next(uint32_t place, uint32_t size) {
    uint32_t bit = size / 2;
    for (; (place & bit) != 0; bit >>= 1) {
        place ^= bit;
    }
    return place | bit;
}

void fft(struct fft_bin *bins, uint32_t size) {
    fft_steps(bins, size, SINES, QUARTER);
}
