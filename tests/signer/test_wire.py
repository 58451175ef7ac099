"""Messages over a socket: whole, in time, and of a bounded size."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.evidence.dsse import sign_envelope
from pipelines.evidence.errors import EvidenceError, MalformedError, SignerError
from pipelines.evidence.privatekey import PrivateKey
from pipelines.signer import wire
from pipelines.signer.orders import NewestOrder, StatusOrder
from pipelines.signer.wire import SignerAnswer, SocketSigner


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two connected sockets."""
    left, right = socket.socketpair()
    with left, right:
        yield left, right


Pair = tuple[socket.socket, socket.socket]


def test_messages_are_received_one_by_one(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_PIECE", 4)  # bytes at a time
    messages = [b"first", b"second", b"", b"fourth"]
    for data in messages:
        wire.send(pair[0], data)
    assert [wire.receive(pair[1], limit=6) for _ in messages] == messages
    pair[0].close()
    assert wire.receive(pair[1]) is None


def test_a_message_that_does_not_begin_is_not_waited_for(pair: Pair) -> None:
    with pytest.raises(SignerError, match="no answer in time"):
        wire.receive(pair[1], patience=0.05)


def test_a_message_that_has_begun_must_arrive_soon(pair: Pair) -> None:
    pair[0].sendall(struct.pack(">I", 9)[:1])
    with pytest.raises(SignerError, match=r"no answer in time|too long"):
        wire.receive(pair[1], patience=600, seconds=0.05)


def test_no_time_is_left_after_the_deadline(pair: Pair) -> None:
    pair[0].sendall(struct.pack(">I", 1) + b"x")
    with pytest.raises(SignerError, match="takes too long"):
        wire.receive(pair[1], seconds=0)


def test_a_receiver_bounds_what_it_takes(pair: Pair) -> None:
    wire.send(pair[0], b"x" * 11)
    with pytest.raises(MalformedError, match="at most 10 bytes"):
        wire.receive(pair[1], limit=10)


def test_a_peer_that_reads_nothing_is_given_up(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "SECONDS", 0.05)
    with pytest.raises(SignerError, match="no answer in time"):
        wire.send(pair[0], bytes(8 << 20))


def test_a_peer_that_is_gone_is_one_error(pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(SignerError, match="Broken pipe"):
        wire.send(pair[0], b"data")


@pytest.mark.parametrize(
    ("answer", "field", "says"),
    [
        (b'{"fault":""}', "envelopes", "the signer has failed"),
        (b'{"signature":"00"}', "newest", "answer is malformed"),
        (b'{"newest":null}', "signature", "answer is malformed"),
        (b'{"newest":null,"signature":"00"}', "signature", "one field"),
        (b"{}", "newest", "one field"),
    ],
)
def test_an_answer_to_another_order_is_refused(answer: bytes, field: str, says: str) -> None:
    with pytest.raises(SignerError, match=says):
        wire.read_answer(answer, field)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=400))
def test_an_answer_of_rubbish_is_one_error(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        wire.read_answer(data, "envelopes")


@pytest.mark.parametrize("number", [0, 2])
def test_one_order_has_one_statement(
    number: int, key: PrivateKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    envelope = sign_envelope(b"{}", key)
    answer = SignerAnswer.model_construct(envelopes=(envelope,) * number)
    monkeypatch.setattr(SocketSigner, "ask", lambda *_: answer)
    with pytest.raises(SignerError, match="another statement"):
        SocketSigner(Path("s")).sign_status(StatusOrder(statement=b"{}"))


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_a_path_that_no_file_has_is_one_error(name: str) -> None:
    with pytest.raises(SignerError, match="no signer listens"):
        SocketSigner(Path(name)).ask(NewestOrder(), "newest")


def test_a_signer_that_leaves_without_an_answer_is_one_error(tmp_path: Path) -> None:
    def leave(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            wire.receive(connection)

    with socket.socket(socket.AF_UNIX) as listening, ThreadPoolExecutor(1) as pool:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        pool.submit(leave, listening)
        with pytest.raises(SignerError, match="closed the connection"):
            SocketSigner(tmp_path / "s").ask(NewestOrder(), "newest")
