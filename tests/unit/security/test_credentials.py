"""Credentials files and Basic authentication (K2, K3)."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from messor.errors import ConfigurationError
from messor.runtime.http import Request
from messor.security.credentials import Credential, read_credential, read_credentials
from messor.security.http_basic import BasicAuthentication, header_for, read_header

LOGGER = "messor.security.credentials"


def file(folder: Path, text: str, mode: int = 0o600) -> str:
    """Write a file; gives its path."""
    path = folder / "credentials.json"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_credentials_are_read(tmp_path: Path) -> None:
    """Also by a file:// URL; without an array there are none."""
    path = file(tmp_path, '{"credentials": [{"principal": "alice", "secret": "s1"}, {"principal": "bob"}]}')
    assert read_credentials(path) == {"alice": b"s1", "bob": b""}
    assert read_credentials(f"file://{path}") == {"alice": b"s1", "bob": b""}
    assert read_credentials(file(tmp_path, "{}")) == {}
    assert read_credential(file(tmp_path, '{"principal": "a", "secret": "ü"}')) == Credential("a", "ü".encode())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "Invalid json format: syntax error at line 1 near:  (see --credentials flag)"),
        ("only-principal", "Invalid json format: syntax error at line 1 near: only-principal (see --credentials flag)"),
        ("[]", "Expecting a JSON object with an array 'credentials'"),
        ('{"credentials": {}}', "Expecting a JSON object with an array 'credentials'"),
        ('{"credentials": ["alice"]}', "Expecting each credential to be a JSON object"),
        ('{"credentials": [{"secret": "x"}]}', "Expecting 'principal' to be a non-empty string"),
        ('{"credentials": [{"principal": "x", "secret": 1}]}', "Expecting 'secret' to be a string"),
    ],
)
def test_a_bad_file_is_refused_with_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """That names the flag; the first two are recorded."""
    with pytest.raises(ConfigurationError) as caught:
        read_credentials(file(tmp_path, text))
    assert sentence in str(caught.value)
    assert str(caught.value).endswith("(see --credentials flag)")


def test_a_missing_file_is_refused_in_the_recorded_words() -> None:
    """For both kinds of files."""
    with pytest.raises(ConfigurationError) as caught:
        read_credentials("/no/such")
    expected = "Failed to read credentials file '/no/such': No such file or directory (see --credentials flag)"
    assert str(caught.value) == expected
    with pytest.raises(ConfigurationError) as caught:
        read_credential("/no/such")
    expected = "Failed to read credential file '/no/such': No such file or directory (see --credential flag)"
    assert str(caught.value) == expected


def test_a_file_that_others_may_read_is_used_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In the recorded words; a file that is ours alone needs none."""
    text = '{"principal": "a", "secret": "x"}'
    with caplog.at_level(logging.WARNING):
        read_credential(file(tmp_path, text))
        assert LOGGER not in [record.name for record in caplog.records]
        path = file(tmp_path, text, 0o644)
        read_credential(path)
    expected = (
        f"Permissions on credential file '{path}' are too open; it is recommended that your credential file is NOT"
        " accessible by others"
    )
    assert [record.getMessage() for record in caplog.records if record.name == LOGGER] == [expected]


def test_a_secret_is_not_shown() -> None:
    """Credentials end in logs and tracebacks."""
    assert "hunter2" not in repr(Credential("alice", b"hunter2"))


def test_a_header_is_read_as_it_is_written() -> None:
    """Colons belong to the secret."""
    assert header_for(Credential("alice", b"s1")) == "Basic YWxpY2U6czE="
    credential = Credential("bob", b"a:b:c")
    assert read_header(header_for(credential)) == credential


@pytest.mark.parametrize("header", ["", "Basic", "Basic !", "Basic YWxpY2U=", "Bearer YWxpY2U6czE=", "Basic /////w=="])
def test_a_bad_header_names_nobody(header: str) -> None:
    """Whatever is wrong with it."""
    assert read_header(header) is None


def ask(authentication: BasicAuthentication, realm: str, header: str | None) -> tuple[int, str | None]:
    """Ask for an endpoint; gives the refusal's status, 0 without one, and the principal."""
    headers = {} if header is None else {"authorization": header}
    request = Request("GET", "/state", headers)
    refusal = authentication(request, realm)
    if refusal is None:
        return 0, request.principal
    assert refusal.headers["WWW-Authenticate"] == 'Basic realm="mesos-master-readonly"'
    assert refusal.body == b"401 Unauthorized."
    return refusal.status, request.principal


def test_only_who_proves_it_passes_a_realm() -> None:
    """Other realms are open, and there nobody is named."""
    authentication = BasicAuthentication({"readonly": ("mesos-master-readonly", {"alice": b"s1", "empty": b""})})
    right = header_for(Credential("alice", b"s1"))
    assert ask(authentication, "readonly", right) == (0, "alice")
    for header in (None, "garbage", header_for(Credential("alice", b"x")), header_for(Credential("bob", b"\0"))):
        assert ask(authentication, "readonly", header) == (401, None)
    assert ask(authentication, "readwrite", right) == (0, None)
    assert ask(authentication, "readonly", header_for(Credential("empty", b""))) == (0, "empty")
