"""What a signer is asked for beside statements of runs: status, and the checkpoints of the log."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest
from infra.bench.samplelog import Tree as MadeTree
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.errors import EvidenceError, MalformedError, RefusedError
from pipelines.evidence.privatekey import PrivateKey
from pipelines.evidence.statements.log_status import Tree
from pipelines.evidence.statements.statement import Statement
from pipelines.log.checkpoint import Checkpoint
from pipelines.log.merkle import consistency_proof
from pipelines.log.note import NoteSigner
from pipelines.log.signers import CheckpointSigner
from pipelines.signer import wire
from pipelines.signer.orders import (
    CenterSigner,
    CheckpointOrder,
    Evidence,
    NewestOrder,
    StatusOrder,
    TreeHead,
    read_order,
)
from pipelines.signer.socket_server import SignerServer
from pipelines.signer.wire import SocketSigner
from tests.evidence.examples import STATEMENTS, heartbeat
from tests.log.keys import FixedKey
from tests.signer.conftest import Stage
from tests.signer.scene import NOW, Scene

LEAVES = [b"leaf %d" % number for number in range(9)]
LOG_KEY = FixedKey("log")
ORIGIN = "samebits.example/centers/zurich"


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return stage("identical")


@pytest.fixture(params=["in process", "over the socket"])
def signer(
    request: pytest.FixtureRequest, scene: Scene, key: PrivateKey, tmp_path: Path
) -> Iterator[CenterSigner]:
    own = scene.signer(key)
    if request.param == "in process":
        yield own
        return
    server = SignerServer(tmp_path / "s", own, uids=[os.getuid()], log=lambda _: None)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield SocketSigner(tmp_path / "s")
    server.stop()
    thread.join(timeout=300)


def beat(*, center: str = "zurich", now: datetime = NOW) -> StatusOrder:
    nothing = Tree(size=0, root=Digest.of(b""))
    made = heartbeat(center=center, log=nothing, heads=[], releases=0, now=now)
    return StatusOrder(statement=made.to_bytes())


def head(size: int) -> Checkpoint:
    return Checkpoint(origin=ORIGIN, size=size, root=MadeTree(LEAVES[:size]).root)


def asked(signer: CenterSigner) -> CheckpointSigner:
    return signer.checkpoint_signer(NoteSigner(ORIGIN, LOG_KEY).key)


def test_a_heartbeat_is_signed_as_it_was_asked_for(signer: CenterSigner, key: PrivateKey) -> None:
    order = beat()
    envelope = signer.sign_status(order)
    assert envelope.payload == order.statement
    assert verify_envelope(envelope, [key.public]) == (key.public,)


@pytest.mark.parametrize("kind", ["provenance", "comparison", "attempt", "review", "robustness"])
def test_what_a_run_found_is_not_signed_on_request(signer: CenterSigner, kind: str) -> None:
    statement: Statement = STATEMENTS[kind]
    with pytest.raises(RefusedError, match="not signed on request") as caught:
        signer.sign_status(StatusOrder(statement=statement.to_bytes()))
    assert caught.value.check == "kind"


TIMES = {
    "receipt": "answered_on",
    "crosscheck": "checked_on",
    "summary": "time_verified",
    "acknowledgement": "acknowledged_on",
    "seal": "published_on",
}


def made_now(kind: str) -> StatusOrder:
    statement: Any = STATEMENTS[kind]
    predicate = statement.predicate.model_copy(update={TIMES[kind]: NOW})
    return StatusOrder(statement=statement.model_copy(update={"predicate": predicate}).to_bytes())


@pytest.mark.parametrize("kind", ["receipt", "crosscheck", "acknowledgement", "seal"])
def test_what_a_center_states_about_itself_is_signed(signer: CenterSigner, kind: str) -> None:
    order = made_now(kind)
    assert signer.sign_status(order).payload == order.statement


def test_the_consensus_of_a_summary_is_recomputed(signer: CenterSigner) -> None:
    with pytest.raises(RefusedError, match="no summaries") as caught:
        signer.sign_status(made_now("summary"))
    assert caught.value.check == "summary"


def test_a_center_speaks_for_itself_alone(signer: CenterSigner) -> None:
    with pytest.raises(RefusedError, match="another center") as caught:
        signer.sign_status(beat(center="basel"))
    assert caught.value.check == "center"


@pytest.mark.parametrize("by", [timedelta(minutes=6), -timedelta(minutes=6)])
def test_a_status_is_of_this_moment(signer: CenterSigner, by: timedelta) -> None:
    signer.sign_status(beat(now=NOW + by * 5 / 6))
    with pytest.raises(RefusedError, match="not made just now") as caught:
        signer.sign_status(beat(now=NOW + by))
    assert caught.value.check == "times"


def test_a_statement_in_another_spelling_is_not_signed(signer: CenterSigner) -> None:
    with pytest.raises(EvidenceError):
        signer.sign_status(StatusOrder(statement=beat().statement + b" "))


def test_checkpoints_are_signed_one_after_the_other(signer: CenterSigner) -> None:
    log = asked(signer)
    assert log.newest() is None
    signature = log.sign(None, head(3), [])
    assert LOG_KEY.public.verifies(signature, head(3).to_text().encode())
    assert log.newest() == head(3)
    proof = consistency_proof(3, 9, MadeTree(LEAVES))
    assert LOG_KEY.public.verifies(log.sign(head(3), head(9), proof), head(9).to_text().encode())
    assert log.newest() == head(9)


def _second_root(log: CheckpointSigner) -> None:
    log.sign(head(3), Checkpoint(origin=ORIGIN, size=3, root=b"\1" * 32), [])


def _shorter(log: CheckpointSigner) -> None:
    log.sign(None, head(2), [])


def _forged(log: CheckpointSigner) -> None:
    log.sign(head(3), Checkpoint(origin=ORIGIN, size=9, root=b"\1" * 32), [b"\2" * 32] * 5)


def _forgetful(log: CheckpointSigner) -> None:
    log.sign(None, head(9), [])


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (_second_root, "second root"),
        (_shorter, "shorten the log"),
        (_forged, "does not continue"),
        (_forgetful, "another checkpoint"),
    ],
)
def test_a_log_that_forks_is_not_signed(
    signer: CenterSigner,
    order: Callable[[CheckpointSigner], None],
    says: str,
) -> None:
    log = asked(signer)
    log.sign(None, head(3), [])
    with pytest.raises(EvidenceError, match=says):
        order(log)
    assert log.newest() == head(3)


def test_orders_read_back_to_the_same_bytes() -> None:
    orders = (
        beat(),
        NewestOrder(),
        CheckpointOrder(old=TreeHead.of(head(3)), new=TreeHead.of(head(9)), proof=()),
    )
    for order in orders:
        assert read_order(order.to_bytes()) == order


def test_a_report_that_the_signer_received_is_the_one_that_is_stored(stage: Stage) -> None:
    """Byte for byte: an attempt names the stored report by its digest."""
    made = stage("identical").make()
    timings = {"total": 2.25, "rebuild": 1.5, "fetch": 1e-07, "image": 3.0}
    evidence = made.model_copy(
        update={"report": made.report.model_copy(update={"timings": timings})}
    )
    received = read_order(evidence.to_bytes())
    assert isinstance(received, Evidence)
    assert received.report.to_json() == evidence.report.to_json()


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b'{"schema":"samebits/status-order/v2"}',
        b'{"schema":["samebits/newest-order/v1"]}',
        b'{"schema":"samebits/newest-order/v1","more":1}',
        CheckpointOrder(old=None, new=TreeHead.of(head(9)), proof=())
        .to_bytes()
        .replace(b'"old":null', b'"old":{"root":"%s","size":10}' % (b"0" * 64)),
    ],
)
def test_no_order_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read_order(data)


@pytest.mark.parametrize(
    "answer",
    [
        b"{}",
        b'{"signature":""}',
        b'{"signature":"0g"}',
        b'{"newest":{"size":1}}',
        b'{"newest":1}',
        b'{"newest":null,"more":1}',
        b'{"envelopes":[]}',
        b'{"envelopes":[1]}',
        b'{"signature":"00","more":1}',
    ],
)
def test_an_improper_answer_is_refused(answer: bytes) -> None:
    for field in ("signature", "newest"):
        with pytest.raises(EvidenceError, match="answer is malformed"):
            wire.read_answer(answer, field)


def test_a_signer_that_signs_something_else_is_noticed(
    scene: Scene, key: PrivateKey, tmp_path: Path
) -> None:
    class Liar(type(scene.signer(key))):  # type: ignore[misc]
        def sign_status(self, order: StatusOrder) -> Envelope:
            envelope: Envelope = super().sign_status(beat(now=NOW + timedelta(seconds=1)))
            return envelope

    liar = scene.signer(key)
    liar.__class__ = Liar
    server = SignerServer(tmp_path / "s", liar, uids=[os.getuid()], log=lambda _: None)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with pytest.raises(EvidenceError, match="signed another statement"):
            SocketSigner(tmp_path / "s").sign_status(beat())
    finally:
        server.stop()
        thread.join(timeout=300)
