"""`esp32`, as far as a node uses it."""

holds = False


def gpio_deep_sleep_hold(on):
    global holds
    holds = on


def mcu_temperature():
    return 31
