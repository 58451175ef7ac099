"""Export and check by command, from a store that a run has filled; and by other people's tools."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from builders.core.digest import Digest, canonical_json
from builders.core.errors import NotFoundError
from infra.bench.check import loaded_heavy
from pipelines.bundle import Bundle
from pipelines.bundle.export import Exported, export
from pipelines.center.center import Center, load_center
from pipelines.center.export_source import export_source
from pipelines.center.keys import make_local_policy
from pipelines.center.logbook import Logbook
from pipelines.evidence.dsse import Envelope, sign_envelope
from pipelines.evidence.errors import KeyFileError
from pipelines.evidence.file_index import index_report
from pipelines.evidence.privatekey import PrivateKey, create_key, load_key
from pipelines.evidence.redaction import public_explanation, public_form
from pipelines.evidence.release_name import ReleaseName
from pipelines.evidence.statements.reader import name_records
from pipelines.evidence.stored_runs import find_run
from pipelines.policy import load_policy
from pipelines.signer.local_signer import log_signer
from pipelines.storage.directory import DirectoryStore
from pipelines.storage.names import Visibility, cas, private_twin, release_run
from pipelines.storage.store import DamagedError
from tests.bundle.corpus import FOLDER, POLICY, SOUND, TRUSTED
from tests.command import Ended, samebits
from tests.signer.conftest import SCENES
from tests.signer.scene import LOG, OURS, RUN, THEIRS, Scene

RELEASE = ReleaseName.parse("acme/rules@1.10")
PAYLOAD = r's/.*"payload":"\([^"]*\)".*/\1/'
COMPARISON = "https://samebits.example/comparison/v2"


class Filled:
    """A center's store with one run in it, as `publish` leaves it."""

    def __init__(self, folder: Path, scene: str, *, logged: bool = True, **told: Any) -> None:
        self.stage = Scene(folder=folder, **SCENES[scene], **told)
        self.center: Center = self.stage.center
        self.store = DirectoryStore(folder / "store")
        self.home = folder / "home"
        key = create_key(self.center.key_folder, "statements")
        for use in ("log", "witness"):
            create_key(self.center.key_folder, use)
        self.policy = make_local_policy(self.center)
        self.file = folder / "center.yaml"
        self.file.write_text(
            f"schema: samebits/center/v1\nid: zurich\nhome: {self.home}\nstore: {folder}/store\n"
            f"policy: {self.policy}\n"
        )
        self.prefix = self.add_run(key, logged=logged)

    def add_run(self, key: PrivateKey, run: str = RUN, *, logged: bool = True) -> str:
        """Publish a run that `key` signs, and return its folder in the store."""
        folder, self.stage.run = self.stage.folder, run
        evidence = self.stage.make()
        for name in self.stage.store.list("private/"):
            path = folder / "object"
            path.write_bytes(self.stage.store.get(name, 1 << 20))
            self.store.put_file(name, path)
        prefix = release_run("acme", "rules", "1.10", "zurich", run)
        report = evidence.report
        book = self.book()
        if report.claim and report.seal:
            book.commit(release=str(RELEASE), run=run, claim=report.claim, seal=report.seal)
        with book.storing(prefix):
            for name, envelope in name_records(self.stage.signer(key).sign(evidence)).items():
                self.store.put_record(prefix + name, envelope.to_bytes())
        if logged:
            book.settle()
        index_report(self.store, evidence.report.model_dump(mode="json", by_alias=True))
        self.store.put_record(f"{prefix}report.json", public_form(evidence.report).to_json())
        if evidence.explanation is not None:
            told = public_explanation(evidence.explanation)
            self.store.put_cas(Visibility.PUBLIC, told.to_json())
        return prefix

    @property
    def public_key(self) -> Path:
        return self.home / "keys/statements.pub"

    def book(self) -> Logbook:
        signer = log_signer(self.center)
        return Logbook(self.center, store=self.store, log_store=self.store, signer=signer)

    def made(self) -> Exported:
        center, now = load_center(self.file), datetime.now(UTC)
        policy = load_policy(center.policy, home=center.home, now=now)
        run = find_run(self.store, RELEASE, RUN)
        source = export_source(center, self.book().log)
        return export(self.store, run, source, policy=policy, now=now)

    def export(self) -> bytes:
        return self.made().data

    def command(self, *words: str | Path) -> Ended:
        return samebits(*words, home=self.home)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return Filled(tmp_path_factory.mktemp("filled"), "identical")


@pytest.fixture(scope="module")
def different(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    return Filled(tmp_path_factory.mktemp("different"), "different")


def bundle_of(filled: Filled, folder: Path) -> Path:
    out = folder / "rules.bundle.tar"
    done = filled.command("evidence", "export", str(RELEASE), "--out", out, "--center", filled.file)
    assert done.code == 0, done.err
    return out


def test_the_same_run_gives_the_same_bytes(filled: Filled, tmp_path: Path) -> None:
    assert bundle_of(filled, tmp_path).read_bytes() == filled.export()
    assert list(tmp_path.iterdir()) == [tmp_path / "rules.bundle.tar"]
    words = ("--out", tmp_path / "rules.bundle.tar", "--center", filled.file)
    again = filled.command("evidence", "export", str(RELEASE), *words)
    assert again.code == 64
    assert "exists" in again.err


def test_only_public_evidence_gets_in(tmp_path: Path) -> None:
    """The build log is in the bundle once it is public, and not before; nothing else ever is."""
    filled = Filled(tmp_path, "identical")
    filled.store.put_record(f"{filled.prefix}notes.txt", b"a note nobody asked for")
    filled.store.put_record(private_twin(f"{filled.prefix}report.json"), b"private")
    before = Bundle.from_bytes(filled.export()).members
    assert [n for n in before if n.startswith("evidence/")] == []
    filled.store.put_cas(Visibility.PUBLIC, LOG)
    filled.store.put_cas(Visibility.PUBLIC, b"public, and of another run")
    after = Bundle.from_bytes(filled.export()).members
    assert set(after) - set(before) == {f"evidence/{Digest.of(LOG)}"}
    for data in after.values():
        assert b"PRIVATE" not in data
        assert str(tmp_path).encode() not in data
    assert filled.store.has(cas(Visibility.PRIVATE, Digest.of(LOG)))


def test_what_is_too_large_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = Filled(tmp_path, "identical")
    filled.store.put_cas(Visibility.PUBLIC, LOG)
    monkeypatch.setattr("pipelines.bundle.layout.MAX_EVIDENCE", len(LOG) - 1)
    made = filled.made()
    assert made.left_out == (str(Digest.of(LOG)),)
    assert made.result.exit_code == 2  # nobody has given a policy yet


def test_a_policy_that_was_written_otherwise_is_exported_as_it_is_signed(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    signed = json.loads(filled.policy.read_bytes())
    filled.policy.write_text(json.dumps(signed, indent=2))
    assert Bundle.from_bytes(filled.export()).members["policy.dsse.json"] == (
        canonical_json(signed) + b"\n"
    )


def test_damaged_records_are_not_exported(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    path = tmp_path / "store" / filled.prefix / "comparison-1.dsse.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b'"sig":"', b'"sig":"AAAA'))
    with pytest.raises(DamagedError, match="signatures"):
        filled.export()


def test_a_center_without_a_key_exports_nothing(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    for path in (filled.public_key, filled.public_key.with_suffix(".key")):
        path.unlink()
    with pytest.raises(KeyFileError):
        filled.export()


def test_a_release_that_is_not_there_is_one_message(filled: Filled, tmp_path: Path) -> None:
    ended = filled.command(
        "evidence", "export", "acme/rules@9", "--out", tmp_path / "x", "--center", filled.file
    )
    assert ended.code == 2
    ended.assert_clear()
    assert not list(tmp_path.iterdir())


def test_a_bundle_that_cannot_be_written_leaves_nothing(filled: Filled, tmp_path: Path) -> None:
    for out in (tmp_path / "none/x.tar", tmp_path):
        ended = filled.command(
            "evidence", "export", str(RELEASE), "--out", out, "--center", filled.file
        )
        assert ended.code == 64
        ended.assert_clear()
    assert not list(tmp_path.iterdir())


def test_a_stranger_checks_a_bundle(filled: Filled, tmp_path: Path) -> None:
    bundle = bundle_of(filled, tmp_path)
    artefact = tmp_path / "rules.bin"
    artefact.write_bytes(OURS)
    words = ("evidence", "check", bundle, "--file", artefact)
    ended = filled.command(*words, "--policy", filled.policy)
    assert ended.code == 0, ended.out
    answer = "REPRODUCED: acme/rules@1.10, by center zurich: rules.bin is bit for bit as rebuilt; "
    assert ended.out.splitlines()[0].startswith(answer)
    assert "IDENTICAL  rules.bin, the given file" in ended.out
    assert len([line for line in ended.out.splitlines() if line.startswith("ok ")]) > 32
    assert filled.command(*words).code == 2
    assert filled.command(*words, "--key", filled.public_key).code == 2
    late = filled.command(*words, "--policy", filled.policy, "--max-age", "1h")
    assert (late.code, late.out.splitlines()[-1].split()[:2]) == (1, ["wrong", "fresh"])
    document = filled.command(*words, "--policy", filled.policy, "--json").document()
    assert document["files"][0]["verdict"] == "IDENTICAL"
    assert document["exit_code"] == 0


def test_a_difference_is_exit_code_one(different: Filled, tmp_path: Path) -> None:
    bundle = bundle_of(different, tmp_path)
    ended = different.command("evidence", "check", bundle, "--policy", different.policy)
    assert ended.code == 1
    answer = "NOT REPRODUCED: acme/rules@1.10, by center zurich: rules.bin is DIFFERENT."
    assert ended.out.splitlines()[0] == answer


@pytest.mark.parametrize("name", ["empty", "a-zip", "truncated-in-a-member", "report-key-twice"])
def test_a_broken_bundle_is_one_line_and_exit_code_one(tmp_path: Path, name: str) -> None:
    ended = samebits(
        "evidence", "check", FOLDER / f"{name}.tar", "--key", FOLDER / TRUSTED, home=tmp_path
    )
    assert ended.code == 1
    assert ended.err == ""
    assert ended.out.splitlines()[-1].startswith("wrong")
    assert "Traceback" not in ended.out


@pytest.mark.parametrize(
    "words",
    [
        ["nowhere.tar"],
        ["/dev/zero"],
        [FOLDER / SOUND, "--key", "nowhere.pub"],
        [FOLDER / SOUND, "--policy", "nowhere.json"],
        [FOLDER / SOUND, "--key", FOLDER / TRUSTED, "--max-age", "1h"],
        [FOLDER / SOUND, "--policy", FOLDER / POLICY, "--key", FOLDER / TRUSTED],
        [FOLDER / SOUND, "--policy", FOLDER / POLICY, "--builder", "https://samebits.example/b"],
        [FOLDER / SOUND, "--policy", FOLDER / POLICY, "--max-age", "a while"],
        [FOLDER / SOUND, "--key", FOLDER / SOUND],
        [FOLDER / SOUND, "--builder", "https://samebits.example/b"],
        [FOLDER / SOUND, "--file", "nowhere.bin"],
    ],
)
def test_usage_is_exit_code_64(tmp_path: Path, words: list[Any]) -> None:
    ended = samebits("evidence", "check", *words, home=tmp_path)
    assert ended.code == 64
    ended.assert_clear()


def test_checking_imports_nothing_heavy() -> None:
    words = [str(FOLDER / SOUND), "--key", str(FOLDER / TRUSTED), "--file", str(FOLDER / SOUND)]
    assert loaded_heavy(words) == []
    assert loaded_heavy([str(FOLDER / SOUND), "--policy", str(FOLDER / POLICY)]) == []


def test_a_run_that_is_not_logged_is_not_exported(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical", logged=False)
    with pytest.raises(NotFoundError, match="not in the log yet"):
        filled.export()
    assert bundle_of(filled, tmp_path).exists()  # the command logs it first


def test_a_run_without_a_checkpoint_is_not_exported(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    (tmp_path / "store/public/log/checkpoint").unlink()
    with pytest.raises(NotFoundError, match="no checkpoint"):
        filled.export()


def test_statements_of_runs_side_by_side_come_along(tmp_path: Path) -> None:
    """Logged among this run's, each shows by itself that it is of another run."""
    filled = Filled(tmp_path, "identical", logged=False)
    side = "20260102T030405Z-00000000"
    there = f"{filled.prefix.replace(RUN, side)}attempt-1.dsse.json"
    own = Envelope.from_bytes(filled.store.get(f"{filled.prefix}attempt-1.dsse.json", 1 << 20))
    document = json.loads(own.payload)
    document["predicate"]["run"] = side
    made = sign_envelope(canonical_json(document), load_key(filled.center.key_folder, "statements"))
    book = filled.book()
    with book.storing(there):
        filled.store.put_record(there, made.to_bytes())
    book.settle(f"{filled.prefix}attempt-1.dsse.json", there, filled.prefix)
    found = Bundle.from_bytes(filled.export()).members
    (shown,) = [n for n in found if n.startswith("log/") and n.endswith(".dsse.json")]
    assert found[shown] == made.to_bytes()
    bundle = bundle_of(filled, tmp_path)
    assert filled.command("evidence", "check", bundle, "--policy", filled.policy).code == 0


def test_the_newest_heartbeat_comes_along_unless_it_is_younger(tmp_path: Path) -> None:
    filled = Filled(tmp_path, "identical")
    key = load_key(filled.center.key_folder, "statements")
    book = filled.book()
    book.publish_heartbeat(
        lambda statement: sign_envelope(statement.to_bytes(), key), datetime.now(UTC)
    )
    members = Bundle.from_bytes(filled.export()).members
    assert "heartbeat.dsse.json" in members
    bundle = tmp_path / "b.tar"
    bundle.write_bytes(filled.export())
    ended = filled.command("evidence", "check", bundle, "--policy", filled.policy)
    assert ended.code == 0
    assert "ok      fresh          nothing newer" in ended.out


def test_a_file_is_known_by_its_digest(filled: Filled, different: Filled, tmp_path: Path) -> None:
    artefact = tmp_path / "renamed.bin"
    artefact.write_bytes(OURS)
    assert filled.command("check", artefact, "--center", filled.file).code == 0
    ended = different.command("check", artefact, "--center", different.file, "--json")
    assert ended.code == 1
    (run,) = ended.document()["runs"]
    assert (run["run"], run["artefact"], run["verdict"]) == (RUN, "rules.bin", "DIFFERENT")
    artefact.write_bytes(b"nobody knows me")
    ended = filled.command("check", artefact, "--center", filled.file)
    assert ended.code == 2
    assert ended.out.startswith("UNKNOWN: ")


def shell(
    *words: str | Path, folder: Path, given: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    tool = shutil.which(str(words[0]))
    assert tool, f"{words[0]} is missing: infra/bootstrap.sh installs it"
    return subprocess.run(
        [tool, *map(str, words[1:])],
        cwd=folder,
        input=given,
        capture_output=True,
        check=False,
        timeout=300,
    )


def cosign(folder: Path, artefact: str, statement: str, kind: str) -> int:
    return shell(
        *("cosign", "verify-blob-attestation", "--insecure-ignore-tlog"),
        *("--key", "statements.pub", "--type", kind, "--signature", statement, artefact),
        folder=folder,
    ).returncode


def test_a_stranger_needs_tar_sha256sum_and_cosign_alone(different: Filled, tmp_path: Path) -> None:
    """The commands of infra/docs/howto/customer.md, one by one."""
    shutil.copy(
        different.public_key, tmp_path / "statements.pub"
    )  # from where the stranger trusts it
    bundle = bundle_of(different, tmp_path)
    (tmp_path / "rules.bin").write_bytes(OURS)
    (tmp_path / "rebuilt.bin").write_bytes(THEIRS)
    (tmp_path / "b").mkdir()
    assert shell("tar", "-xf", bundle, "-C", "b", folder=tmp_path).returncode == 0
    done = shell("sha256sum", "--check", "--strict", "SHA256SUMS", folder=tmp_path / "b")
    assert done.returncode == 0, done.stderr
    digest = shell("sha256sum", "rules.bin", folder=tmp_path).stdout.split()[0]
    statement = "b/statements/comparison-1.dsse.json"
    assert cosign(tmp_path, "rules.bin", statement, COMPARISON) == 0
    payload = shell("sed", PAYLOAD, statement, folder=tmp_path).stdout
    text = shell("base64", "-d", folder=tmp_path, given=payload).stdout
    found = shell("grep", "-o", '"verdict":"[A-Z_]*"', folder=tmp_path, given=text).stdout
    assert found == b'"verdict":"DIFFERENT"\n'
    assert digest in text
    provenance = "b/statements/provenance-1.dsse.json"
    assert cosign(tmp_path, "rebuilt.bin", provenance, "slsaprovenance1") == 0
    assert cosign(tmp_path, "rebuilt.bin", statement, COMPARISON) != 0
