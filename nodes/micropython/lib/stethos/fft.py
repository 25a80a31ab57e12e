"""A discrete Fourier transform of 32 or 64 points in whole numbers: nodes/wire/SPEC.md, "Fixed point"."""

from array import array

SIZE_MAX = 64
_QUARTER = SIZE_MAX // 4
# sin(2 pi i / 64) in 2^-31, of the first quarter; 1 itself has no place there and is the next value below.
_SINES = array(
    "i",
    (
        0x00000000, 0x0C8BD35E, 0x18F8B83C, 0x25280C5E, 0x30FBC54D, 0x3C56BA70, 0x471CECE7, 0x5133CC94, 0x5A82799A,
        0x62F201AC, 0x6A6D98A4, 0x70E2CBC6, 0x7641AF3D, 0x7A7D055B, 0x7D8A5F40, 0x7F62368F, 0x7FFFFFFF,
    ),
)  # fmt: skip


def place_after(place, size):
    """Where the next value belongs before the transform, 0 being the place of the first: as one counts, but with the
    bits in reverse order.
    """
    bit = size // 2
    while place & bit:
        place ^= bit
        bit >>= 1
    return place | bit


def fft(re, im):
    """In place, divided by the size: of real and imaginary parts, none beyond 2^30."""
    size = len(re)
    half = 1
    while half < size:
        for k in range(half):
            angle = k * SIZE_MAX // 2 // half
            first = angle <= _QUARTER
            sine = _SINES[angle] if first else _SINES[2 * _QUARTER - angle]
            cosine = _SINES[_QUARTER - angle] if first else -_SINES[angle - _QUARTER]
            for a in range(k, size, 2 * half):
                b = a + half
                x, y = re[b], im[b]
                turned_re, turned_im = x * cosine + y * sine >> 32, y * cosine - x * sine >> 32
                x, y = re[a] >> 1, im[a] >> 1
                re[a], im[a] = x + turned_re, y + turned_im
                re[b], im[b] = x - turned_re, y - turned_im
        half *= 2
