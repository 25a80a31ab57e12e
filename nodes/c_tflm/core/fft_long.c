#include "fft_long.h"

#include "fft_steps.h"

enum { QUARTER = FFT_CIRCLE / 4 };

/* sin(2 pi i / 512) in 2^-31, of the first quarter; 1 itself has no place there and is the next value below. */
static const int32_t SINES[QUARTER + 1] = {
    0x00000000, 0x01921d20, 0x03242abf, 0x04b6195d, 0x0647d97c, 0x07d95b9e, 0x096a9049, 0x0afb6805, 0x0c8bd35e,
    0x0e1bc2e4, 0x0fab272b, 0x1139f0cf, 0x12c8106f, 0x145576b1, 0x15e21445, 0x176dd9de, 0x18f8b83c, 0x1a82a026,
    0x1c0b826a, 0x1d934fe5, 0x1f19f97b, 0x209f701c, 0x2223a4c5, 0x23a6887f, 0x25280c5e, 0x26a82186, 0x2826b928,
    0x29a3c485, 0x2b1f34eb, 0x2c98fbba, 0x2e110a62, 0x2f875262, 0x30fbc54d, 0x326e54c7, 0x33def287, 0x354d9057,
    0x36ba2014, 0x382493b0, 0x398cdd32, 0x3af2eeb7, 0x3c56ba70, 0x3db832a6, 0x3f1749b8, 0x4073f21d, 0x41ce1e65,
    0x4325c135, 0x447acd50, 0x45cd358f, 0x471cece7, 0x4869e665, 0x49b41533, 0x4afb6c98, 0x4c3fdff4, 0x4d8162c4,
    0x4ebfe8a5, 0x4ffb654d, 0x5133cc94, 0x5269126e, 0x539b2af0, 0x54ca0a4b, 0x55f5a4d2, 0x571deefa, 0x5842dd54,
    0x59646498, 0x5a82799a, 0x5b9d1154, 0x5cb420e0, 0x5dc79d7c, 0x5ed77c8a, 0x5fe3b38d, 0x60ec3830, 0x61f1003f,
    0x62f201ac, 0x63ef3290, 0x64e88926, 0x65ddfbd3, 0x66cf8120, 0x67bd0fbd, 0x68a69e81, 0x698c246c, 0x6a6d98a4,
    0x6b4af279, 0x6c242960, 0x6cf934fc, 0x6dca0d14, 0x6e96a99d, 0x6f5f02b2, 0x7023109a, 0x70e2cbc6, 0x719e2cd2,
    0x72552c85, 0x7307c3d0, 0x73b5ebd1, 0x745f9dd1, 0x7504d345, 0x75a585cf, 0x7641af3d, 0x76d94989, 0x776c4edb,
    0x77fab989, 0x78848414, 0x7909a92d, 0x798a23b1, 0x7a05eead, 0x7a7d055b, 0x7aef6323, 0x7b5d039e, 0x7bc5e290,
    0x7c29fbee, 0x7c894bde, 0x7ce3ceb2, 0x7d3980ec, 0x7d8a5f40, 0x7dd6668f, 0x7e1d93ea, 0x7e5fe493, 0x7e9d55fc,
    0x7ed5e5c6, 0x7f0991c4, 0x7f3857f6, 0x7f62368f, 0x7f872bf3, 0x7fa736b4, 0x7fc25596, 0x7fd8878e, 0x7fe9cbc0,
    0x7ff62182, 0x7ffd885a, 0x7fffffff};

void fft_long(struct fft_bin *bins, uint32_t size) {
    fft_steps(bins, size, SINES, QUARTER);
}

int32_t fft_cosine(uint32_t i) {
    const uint32_t angle = i <= 2 * QUARTER ? i : FFT_CIRCLE - i;
    return angle <= QUARTER ? SINES[QUARTER - angle] : -SINES[angle - QUARTER];
}

/* Z_k and Z_(size-k) hold the transforms of the even and of the odd values, S and D here, which one step joins. */
void fft_real(struct fft_bin *bins, uint32_t size) {
    const uint32_t step = FFT_CIRCLE / 2 / size;
    for (uint32_t k = 1; k <= size / 2; k++) {
        const struct fft_bin z = bins[k];
        const struct fft_bin mirrored = bins[size - k];
        struct fft_bin even = {z.re + mirrored.re, z.im - mirrored.im};
        struct fft_bin odd = {z.im + mirrored.im, mirrored.re - z.re};
        fft_butterfly(&even, &odd, fft_cosine(k * step), SINES[k * step]);
        bins[size - k] = odd;
        bins[k] = even;
    }
}
