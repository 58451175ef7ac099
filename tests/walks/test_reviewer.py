"""A reviewer reads the source of a release, approves it, and asks a center to verify it.

The center in Asia builds nothing that its policy's reviewers have not approved. The reviewer has a
home of her own, a key, and the recipes; she can read the center's store, as on a visit.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from builders.core.digest import Digest
from builders.images.provide import ProvidedImage, ensure_image
from pipelines.center.center import load_center
from pipelines.requests.serve import serve_round
from pipelines.verify.session import Session
from tests.command import Ended, samebits, wait_until
from tests.lab import SMALL

pytestmark = pytest.mark.engine

CHECKOUT = Path(__file__).parents[2]
BEFORE = b"#define LIMIT 10\nint limit(void) { return LIMIT; }\n"
AFTER = BEFORE.replace(b"10", b"100")
TOOL = ["sh", "-c", "tar -xOf /inputs/source/tool.tar tool/limit.c | sha256sum > /out/out.bin"]
PACK = [
    ["tar", "-xf", "/inputs/source/tool.tar", "-C", "/tmp"],
    ["tar", "-cf", "/out/out.bin", "--mtime=@86400", "--owner=build:1000", "--group=0",
     "-C", "/tmp/tool", "limit.c", "README"],
]  # fmt: skip
README = b"A tool.\n"


class Center:
    """The center in Asia: its file, its policy with the reviewer in it, and its recipes."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.store = folder, folder / "home/store"
        self.policy = folder / "home/policy/policy.dsse.json"
        self.key = folder / "home/keys/statements.pub"
        self.releases = folder / "recipes/releases/lab"
        self.releases.mkdir(parents=True)
        (folder / "recipes/images").symlink_to(CHECKOUT / "recipes/images")
        self.file = folder / "asia.yaml"
        self.file.write_text(
            "schema: samebits/center/v1\nid: asia\noperator: as-trust\nregion: asia\n"
            "home: home\nrecipes: recipes\n"
        )
        self.types("center", "init")

    def types(self, *words: str | Path, code: int = 0) -> Ended:
        ended = samebits(*words, "--center", self.file, home=self.folder / "unused")
        assert ended.code == code, f"{words}\n{ended.out}\n{ended.err}"
        return ended

    def takes_in_a_reviewer(self, name: str, key: Path) -> None:
        """Sign the next policy: one review is demanded, and `name` can give it."""
        draft = self.folder / "home/policy/policy.yaml"
        text = draft.read_text().replace("\nversion: 1\n", "\nversion: 2\n")
        text = text.replace("reviews: {minimum: 0}", "reviews: {minimum: 1}")
        draft.write_text(f"{text}reviewers:\n  - {{name: {name}, key: {key}}}\n")
        key_file, new = self.folder / "home/keys/operator.key", self.folder / "new.json"
        words = ("policy", "sign", draft, "--key", key_file, "--operator", "as-trust")
        assert samebits(*words, "--out", new, home=self.folder).code == 0
        new.replace(self.policy)

    def release(self, version: str, source: bytes, shipped: bytes, *steps: list[str]) -> Path:
        """Write the recipe of a release, with its source and its shipped file beside it."""
        folder = self.releases / "tool"
        packed = tar({"tool/limit.c": source, "tool/README": README}, mtime=1)
        beside = folder / version
        beside.mkdir(parents=True)
        (beside / "tool.tar").write_bytes(packed)
        (beside / "out.bin").write_bytes(shipped)
        recipe = {
            "schema": "samebits/recipe/v1", "vendor": "lab", "product": "tool",
            "version": version, "kind": "binary", "platform": "linux/amd64",
            "build": {"method": "script", "image": "debian-trixie-build", "steps": steps},
            "inputs": [{
                "role": "source", "locator": f"file:{version}/tool.tar",
                "sha256": str(Digest.of(packed)),
            }],
            "artefacts": [{
                "name": "out.bin",
                "shipped": {
                    "locator": f"file:{version}/out.bin", "sha256": str(Digest.of(shipped)),
                },
            }],
            "limits": SMALL,
        }  # fmt: skip
        path = folder / f"{version}.yaml"
        path.write_text(json.dumps(recipe))
        return path

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer requests, as the center's services do, while the block lasts."""
        ended = Event()

        def serve() -> None:
            with Session(load_center(self.file)) as session:
                while not ended.is_set():
                    serve_round(session)
                    ended.wait(0.2)

        thread = Thread(target=serve)
        thread.start()
        try:
            wait_until((self.file.parent / "home/store").is_dir)
            yield
        finally:
            ended.set()
            thread.join()


class Reviewer:
    """Ada, at her own machine."""

    def __init__(self, folder: Path) -> None:
        self.home, self.key = folder / "home", folder / "ada.key"
        folder.mkdir()
        self.folder = folder
        self.types("review", "key", "ada", "--out", self.key)

    def types(self, *words: str | Path, code: int = 0) -> Ended:
        ended = samebits(*words, home=self.home)
        assert ended.code == code, f"{words}\n{ended.out}\n{ended.err}"
        assert "Traceback" not in ended.err
        return ended

    def approves(self, recipe: Path, *more: str) -> Ended:
        words = ("review", "approve", recipe, "--key", self.key, "--reviewer", "ada", "--yes")
        return self.types(*words, *more)

    def sends_reviews_to(self, center: Center) -> None:
        center.types("review", "import", self.home / "store/public/reviews")

    def asks(self, center: Center, release: str, *, code: int) -> Ended:
        words = ("--center", "asia", "--store", center.store, "--key", self.key)
        more = ("--requester", "ada", "--center-key", center.key, "--wait", "60")
        return self.types("request", release, *words, *more, code=code)


def tar(files: dict[str, bytes], **header: Any) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in header.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def summed(source: bytes) -> bytes:
    """Return what the tool's build makes of a source."""
    return f"{hashlib.sha256(source).hexdigest()}  -\n".encode()


@pytest.fixture(scope="module")
def images(session: Session, build_image: ProvidedImage) -> None:
    """The images of builds and explanations, for every center of this machine."""
    ensure_image("differ", session.images, session.engine, session.workdir)


def test_a_reviewer_approves_a_release_and_sees_it_verified(tmp_path: Path, images: None) -> None:
    center, ada = Center(tmp_path / "asia"), Reviewer(tmp_path / "ada")
    center.takes_in_a_reviewer("ada", ada.key.with_suffix(".pub"))
    old = center.release("1.0", BEFORE, summed(BEFORE), TOOL)
    new = center.release("1.1", AFTER, summed(AFTER), TOOL)
    ada.approves(old)
    digest = read_the_source(ada, new)
    compare_it_with_the_last_approved_version(ada, old, new)
    with center.serving():
        be_refused_before_anybody_has_approved(ada, center)
        approve_what_was_read(ada, old, new, digest)
        ada.sends_reviews_to(center)
        see_the_verdict(ada, center)
    look_at_a_release_that_differs(ada, center)
    hand_the_evidence_on(ada, center)


def read_the_source(ada: Reviewer, recipe: Path) -> str:
    """What is unpacked is what will be built, and nothing was left beside it."""
    read = ada.folder / "read"
    (source,) = ada.types("source", "get", recipe, "--out", read, "--json").document()["sources"]
    assert (read / "limit.c").read_bytes() == AFTER
    assert sorted(path.name for path in read.iterdir()) == ["README", "limit.c"]
    digest: str = source["source_digest"]
    return digest


def compare_it_with_the_last_approved_version(ada: Reviewer, old: Path, new: Path) -> None:
    shown = ada.types("source", "diff", old, new, code=1)
    assert "-#define LIMIT 10\n+#define LIMIT 100\n" in shown.out
    assert "lab/tool@1.0 -> lab/tool@1.1: files: 1 changed; lines: 1 added, 1 removed" in shown.err
    shutil.rmtree(ada.folder / "read")


def be_refused_before_anybody_has_approved(ada: Reviewer, center: Center) -> None:
    answer = ada.asks(center, "lab/tool@1.1", code=2)
    assert "done: NOT_CHECKED in the run" in answer.out
    shown = center.types("evidence", "show", "lab/tool@1.1")
    assert "outcome SOURCE_NOT_REVIEWED" in shown.out


def approve_what_was_read(ada: Reviewer, old: Path, new: Path, digest: str) -> None:
    approved = ada.approves(new, "--diff")
    assert digest in approved.err
    assert "before    lab/tool@1.0, approved by ada on" in approved.err
    assert "since     files: 1 changed; lines: 1 added, 1 removed" in approved.err
    assert "+#define LIMIT 100" in approved.err
    assert f"samebits source diff {old} {new}" in approved.err


def see_the_verdict(ada: Reviewer, center: Center) -> None:
    answer = ada.asks(center, "lab/tool@1.1", code=0)
    assert "done: IDENTICAL in the run" in answer.out
    assert "1 reviewer of 1 needed: ada" in center.types("review", "list", "lab/tool@1.1").out


def look_at_a_release_that_differs(ada: Reviewer, center: Center) -> None:
    """The vendor packed the same files as somebody else, at another time, in another order."""
    shipped = tar({"README": README, "limit.c": BEFORE}, mtime=0, uid=0, uname="root")
    recipe = center.release("0.9", BEFORE, shipped, *PACK)
    ada.approves(recipe)
    ada.sends_reviews_to(center)
    judged = center.types("verify", recipe, "--diffoscope", code=1)
    for line in (
        "`mtime` says 1970-01-01T00:00:00Z, the rebuild 1970-01-02T00:00:00Z (tar, README",
        "`owner` says 0, the rebuild 1000 (tar, README",
        "`order of members` says README, limit.c, the rebuild limit.c, README (tar)",
    ):
        assert line in judged.out
    folder = ada.folder / "differs"
    words = ("evidence", "show", "lab/tool@0.9", "--store", center.store, "--report", folder)
    ada.types(*words)
    assert {path.name for path in folder.iterdir()} == {
        "index.html", "report.json", "explanation.json", "build.log.txt", "build-2.log.txt",
        "difference-1.html", "explained-1.html", "explained-1.json", "source",
    }  # fmt: skip
    assert (folder / "source/limit.c").read_bytes() == BEFORE
    assert b"1970-01-02" in (folder / "explained-1.html").read_bytes()
    log = ada.types("evidence", "show", "lab/tool@0.9", "--store", center.store, "--log")
    assert log.out.encode() == (folder / "build.log.txt").read_bytes()


def hand_the_evidence_on(ada: Reviewer, center: Center) -> None:
    """A third party checks the bundle offline, and repeats the judgement from what is in it."""
    bundle = ada.folder / "tool.tar"
    words = ("evidence", "export", "lab/tool@1.1", "--out", bundle, "--with-evidence")
    told = center.types(*words, "--json")
    assert "holds private evidence" in told.err
    brought = {one["what"] for one in told.document()["evidence"]}
    assert {"sbom.cdx.json", "out.bin, rebuilt"} <= brought
    checked = ada.types("evidence", "check", bundle, "--policy", center.policy, "--json")
    document = checked.document()
    assert document["exit_code"] == 0
    status = {step["step"]: step["status"] for step in document["steps"]}
    assert (status["evidence"], status["sealed"]) == ("ok", "ok")
