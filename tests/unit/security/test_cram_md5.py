"""The two halves of CRAM-MD5, against the RFC, recorded exchanges and each other."""

from __future__ import annotations

import pytest

from messor.security.cram_md5 import (
    MECHANISM,
    Challenge,
    Client,
    ClientError,
    Failed,
    Proven,
    Refused,
    Server,
    response_to,
)
from messor.security.credentials import Credential

SECRETS = {"alice": b"s1", "bob": b"s3"}
CHALLENGE = b"<1752618595.25507@vm>"


@pytest.mark.parametrize(
    ("challenge", "principal", "secret", "answer"),
    [
        (
            b"<1896.697170952@postoffice.reston.mci.net>",
            "tim",
            b"tanstaaftanstaaf",
            b"tim b913a602c7eda7a495b4e6e7334d3890",
        ),
        (b"<1752618595.25507@vm>", "agentp", b"s2", b"agentp fa21562363db6d854890fdc42a2af8cb"),
    ],
    ids=["RFC 2195", "a recorded agent"],
)
def test_an_answer_is_the_known_one(challenge: bytes, principal: str, secret: bytes, answer: bytes) -> None:
    """Principal, one space, lower-case hexadecimal digest."""
    assert response_to(challenge, Credential(principal, secret)) == answer


def test_the_two_halves_understand_each_other() -> None:
    """From mechanisms to proof."""
    server, client = Server(SECRETS, CHALLENGE), Client(Credential("alice", b"s1"))
    challenge = server.start(client.choose(["OTHER", MECHANISM]), b"")
    assert challenge == Challenge(CHALLENGE)
    assert server.step(client.answer(CHALLENGE)) == Proven("alice")
    client.completed()


@pytest.mark.parametrize("credential", [Credential("alice", b"S1"), Credential("carol", b"s1"), Credential("x", b"\0")])
def test_a_wrong_secret_and_an_unknown_principal_are_refused(credential: Credential) -> None:
    """Both alike for who asks."""
    server = Server(SECRETS, CHALLENGE)
    server.start(MECHANISM, b"")
    assert isinstance(server.step(response_to(CHALLENGE, credential)), Refused)


def test_an_overheard_answer_proves_nothing() -> None:
    """Every exchange has a challenge of its own."""
    overheard = response_to(b"<1.1@vm>", Credential("alice", b"s1"))
    server = Server(SECRETS, b"<2.2@vm>")
    server.start(MECHANISM, b"")
    assert isinstance(server.step(overheard), Refused)


@pytest.mark.parametrize("data", [b"", b"alice", b"\xff\xff 00"])
def test_an_answer_that_makes_no_sense_is_an_error(data: bytes) -> None:
    """Not a refusal: it says nothing about the client."""
    server = Server(SECRETS, CHALLENGE)
    server.start(MECHANISM, b"")
    assert isinstance(server.step(data), Failed)


def test_messages_out_of_order_end_an_exchange() -> None:
    """In the words of the original."""
    server = Server(SECRETS, CHALLENGE)
    assert server.step(b"alice x") == Failed("Unexpected authentication 'step' received")
    assert server.start(MECHANISM, b"") == Failed("Unexpected authentication 'start' received")
    again = Server(SECRETS, CHALLENGE)
    again.start(MECHANISM, b"")
    assert again.start(MECHANISM, b"") == Failed("Unexpected authentication 'start' received")
    assert isinstance(Server(SECRETS, CHALLENGE).start("PLAIN", b""), Failed)
    assert isinstance(Server(SECRETS, CHALLENGE).start(MECHANISM, b"alice"), Failed)


def test_a_proof_cannot_be_repeated_in_one_exchange() -> None:
    """After the verdict nothing is listened to."""
    server = Server(SECRETS, CHALLENGE)
    server.start(MECHANISM, b"")
    answer = response_to(CHALLENGE, Credential("alice", b"s1"))
    assert server.step(answer) == Proven("alice")
    assert isinstance(server.step(answer), Failed)


def test_a_client_trusts_no_server_that_breaks_the_rules() -> None:
    """It answers one challenge, after mechanisms, and believes no verdict before."""
    client = Client(Credential("alice", b"s1"))
    for call in (lambda: client.answer(CHALLENGE), client.completed, lambda: client.choose(["PLAIN"])):
        with pytest.raises(ClientError):
            call()
    client = Client(Credential("alice", b"s1"))
    client.choose([MECHANISM])
    client.answer(CHALLENGE)
    with pytest.raises(ClientError):
        client.answer(CHALLENGE)
