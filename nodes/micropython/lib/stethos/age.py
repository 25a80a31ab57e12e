"""The age code: how long before its transmission a thing happened, in one byte (nodes/wire/SPEC.md, "Age")."""


def decode_ms(code):
    mantissa, exponent = code & 15, code >> 4
    return 250 * (16 + mantissa << exponent - 1 if exponent else mantissa)


def encode(age_ms):
    """The nearest code, the lower at a tie; 255 for 35 hours and more."""
    if age_ms >= decode_ms(255):
        return 255
    low, high = 0, 255
    while high - low > 1:  # age of low <= age_ms < age of high
        middle = (low + high) // 2
        if decode_ms(middle) <= age_ms:
            low = middle
        else:
            high = middle
    return low if age_ms - decode_ms(low) <= decode_ms(high) - age_ms else high
