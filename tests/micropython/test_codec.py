"""Messages of any content: the node's plain Python writes what the gateway's does, and refuses what that refuses."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from stethos import message

from gateway.wire import messages
from tests.wire.test_messages import down_messages, up_messages

settings.register_profile("micropython", deadline=None)
settings.load_profile("micropython")


def flat(value: tuple) -> dict:
    """A message as the node has it: nothing in it has parts."""
    out: dict = {}
    for name, part in value._asdict().items():
        if hasattr(part, "_asdict"):
            out |= flat(part)
        elif name not in ("features", "more") or part is not None:
            out.setdefault(name, part)
    return out


@given(up_messages)
def test_what_goes_up_is_written_alike(message_):
    written = messages.encode(message_)
    assert written[:1] + message.write_up(written[0], flat(message_)) == written


@given(down_messages.filter(lambda found: getattr(found, "id", 1) != 0))
def test_what_comes_down_is_read_alike(message_):
    written = messages.encode(message_)
    assert message.read_down(written) == (written[0], flat(message_))


@settings(max_examples=1000)
@given(st.sampled_from([5, 6, 8, 11]), st.binary(max_size=40) | down_messages.map(messages.encode), st.data())
def test_node_and_gateway_refuse_alike(kind, body, data):
    body = bytearray(bytes([kind]) + body[1:])
    if len(body) > 1:
        body[data.draw(st.integers(1, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        accepted = getattr(messages.decode_down(bytes(body)), "id", 1) != 0  # which the CDDL leaves to the text
    except messages.Undecodable:
        accepted = False
    assert (message.read_down(bytes(body)) is not None) == accepted
