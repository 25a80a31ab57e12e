from pathlib import Path

import pytest

from gateway.runtime.credentials import OF_SERVICE, place

STATE = Path("/var/lib/stethos")


def test_a_file_lies_in_the_state_folder_or_where_it_says() -> None:
    assert place(Path("pki/ca.pem"), STATE) == STATE / "pki/ca.pem"
    assert place(Path("/etc/ssl/ca.pem"), STATE) == Path("/etc/ssl/ca.pem")
    assert place(Path("CREDENTIALS_DIRECTORY/x"), STATE) == STATE / "CREDENTIALS_DIRECTORY/x"
    assert place(Path(), STATE) == STATE


def test_a_credential_lies_where_the_service_manager_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x.service")
    assert place(Path("$CREDENTIALS_DIRECTORY/key"), STATE) == Path("/run/credentials/x.service/key")
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert place(Path("$CREDENTIALS_DIRECTORY/key"), STATE) == Path(OF_SERVICE, "key")  # `stethos check` at a shell
