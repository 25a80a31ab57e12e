import pytest

from gateway.links.fields import split_endpoint


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("localhost:1883", ("localhost", 1883)),
        ("10.0.0.1:0", ("10.0.0.1", 0)),
        ("[::1]:65535", ("::1", 65535)),
        ("[fe80::1%eth0]:9", ("fe80::1%eth0", 9)),
    ],
)
def test_an_endpoint_is_split(text: str, endpoint: tuple[str, int]) -> None:
    assert split_endpoint(text) == endpoint


@pytest.mark.parametrize(
    "text", ["", "host", ":1", "host:", "host:65536", "host:-1", "::1:5", "[host]:1", "a b:1", "h:1\n"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        split_endpoint(text)
