"""From a report to records in the store."""

from __future__ import annotations

from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from builders.core.errors import StoreConflictError, StoreError
from builders.core.runid import RunId
from builders.recipe.recipe import load_recipe
from pipelines.evidence.dsse import Envelope, verify_envelope
from pipelines.evidence.errors import RefusedError
from pipelines.evidence.privatekey import KEY_USES, PrivateKey, create_key, key_from_uri
from pipelines.evidence.publickey import read_public_key
from pipelines.evidence.report import Report
from pipelines.evidence.statements.reader import name_records
from pipelines.signer import LocalSigner, SocketSigner
from pipelines.verify.publish import publish, sign_and_store
from pipelines.verify.session import Job, Session
from tests.signer.conftest import Stage
from tests.signer.scene import LOG, RUN, Scene

FOLDER = f"public/releases/acme/rules/1.10/zurich/{RUN}/"
NAMES = [
    f"{FOLDER}{n}.dsse.json" for n in ("attempt-1", "comparison-1", "comparison-2", "provenance-1")
]


@pytest.fixture
def scene(stage: Stage) -> Scene:
    return stage("identical")


def session_of(scene: Scene, key: PrivateKey) -> Session:
    """Return a session with the scene's store and signer."""
    session = Session(scene.center)
    session.__dict__.update(store=scene.store, signer=scene.signer(key))
    return session


@pytest.fixture
def report(scene: Scene) -> Report:
    return scene.make().report


@pytest.fixture
def job(scene: Scene, report: Report) -> Job:
    return Job(
        loaded=load_recipe(scene.folder / "recipe" / "recipe.yaml"),
        center=scene.center.id,
        run=RunId(report.run),
        folder=scene.folder / "run",
    )


def test_statements_become_records(scene: Scene, report: Report, job: Job, key: PrivateKey) -> None:
    names = sign_and_store(session_of(scene, key), job, report)
    assert sorted(names) == NAMES == list(scene.store.list(FOLDER))
    for name in names:
        verify_envelope(Envelope.from_bytes(scene.store.get(name, 1 << 20)), [key.public])


def test_a_second_try_finds_everything_there(
    scene: Scene, report: Report, job: Job, key: PrivateKey
) -> None:
    first = sign_and_store(session_of(scene, key), job, report)
    assert sign_and_store(session_of(scene, key), job, report) == first


def test_a_second_try_keeps_a_signature_that_would_be_another(
    scene: Scene, report: Report, job: Job, tmp_path: Path
) -> None:
    far = CryptoSigner.generate_ecdsa()
    (tmp_path / "far.pem").write_bytes(far.private_bytes)
    key = key_from_uri(
        f"file2:{tmp_path}/far.pem", read_public_key(far.public_key.keyval["public"].encode())
    )
    (name, *_) = sign_and_store(session_of(scene, key), job, report)
    before = scene.store.get(name, 1 << 20)
    sign_and_store(session_of(scene, key), job, report)
    assert scene.store.objects[name] == [before]


@pytest.mark.parametrize("other", ["rubbish", "another-statement"])
def test_what_somebody_else_stored_under_the_name_is_a_conflict(
    scene: Scene, report: Report, job: Job, key: PrivateKey, other: str
) -> None:
    envelopes = name_records(scene.signer(key).sign(scene.make()))
    theirs = {"rubbish": b"{}", "another-statement": envelopes["attempt-1.dsse.json"].to_bytes()}
    scene.store.put_record(f"{FOLDER}provenance-1.dsse.json", theirs[other])
    with pytest.raises(StoreConflictError):
        sign_and_store(session_of(scene, key), job, report)


def test_a_store_that_fails_half_way_is_completed_later(
    scene: Scene, report: Report, job: Job, key: PrivateKey
) -> None:
    scene.store.fail_on("put", after=3)
    with pytest.raises(StoreError):
        sign_and_store(session_of(scene, key), job, report)
    scene.store.heal()
    sign_and_store(session_of(scene, key), job, report)
    assert list(scene.store.list(FOLDER)) == NAMES


def test_what_is_refused_leaves_no_record(
    scene: Scene, report: Report, job: Job, key: PrivateKey
) -> None:
    lie = report.model_copy(update={"claim": None})
    with pytest.raises(RefusedError, match="claim"):
        sign_and_store(session_of(scene, key), job, lie)
    assert not list(scene.store.list("public/"))


def test_the_report_is_announced_last(scene: Scene, report: Report, job: Job) -> None:
    folder = job.attempt(1)
    (folder / "outputs").mkdir(parents=True)
    (folder / "build.log").write_bytes(LOG)
    for name, data in scene.outputs.items():
        (folder / "outputs" / name).write_bytes(data)
    for use in KEY_USES:
        create_key(scene.center.key_folder, use)
    session = Session(scene.center)
    session.__dict__["store"] = scene.store
    publish(session, job, report)
    written = [name for name in scene.store.objects if name.startswith(FOLDER)]
    assert sorted(written[:-1]) == NAMES
    assert written[-1] == f"{FOLDER}report.json"


def test_a_center_file_says_where_its_signer_is(scene: Scene, key: PrivateKey) -> None:
    near = scene.center.model_copy(update={"id": "local"})
    assert isinstance(Session(near).signer, LocalSigner)
    far = scene.center.model_copy(update={"signer": scene.folder / "s"})
    assert isinstance(Session(far).signer, SocketSigner)
