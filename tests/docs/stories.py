"""What the pages tell to type, run for real: where nothing but this process is needed.

Every page has a folder of its own with what it supposes to be there. Names that stand for something
of the reader's (a release, a store, a key) are replaced by those of the stage.
"""

from __future__ import annotations

import gc
import os
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from click.testing import CliRunner

from builders.core.errors import SamebitsError
from pipelines.center.center import load_center
from pipelines.cli.main import samebits
from pipelines.review.prepared import Prepared
from pipelines.verify.review_subject import recipe_subject
from pipelines.verify.session import Session
from tests.bundle.test_export import Filled
from tests.command import Ended
from tests.docs.pages import ROOT
from tests.lab import write_recipe
from tests.policy.world import draft, signed_bytes
from tests.portal.folder_portal import FolderPortal
from tests.signer.scene import OURS

EXAMPLE = ROOT / "infra" / "docs" / "example"
NETBASE = "netbase_6.5_all.deb"
PORTAL = "https://samebits.example/portal/"
RELEASE, MADE = "debian/netbase@6.5", "acme/rules@1.10"
RECIPE, LOCAL = "recipes/releases/debian/netbase/6.5.yaml", "engine/1.yaml"


class Stage:
    """A folder to type commands in, with a SAMEBITS_HOME of its own."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self._patch = folder, patch
        for name in ("infra", "recipes", "tests"):
            (folder / name).symlink_to(ROOT / name)
        patch.chdir(folder)
        patch.setenv("SAMEBITS_HOME", str(folder / "home"))
        patch.delenv("SAMEBITS_STORE", raising=False)

    def setenv(self, name: str, value: Path) -> None:
        """Set a variable until the end of the test."""
        self._patch.setenv(name, str(value))

    def run(self, *words: str) -> Ended:
        """Run the command in this process; whoever is asked says yes."""
        kept = dict(os.environ)
        try:
            done = CliRunner().invoke(samebits, words, input="y\n")
        finally:
            gc.enable()  # `evidence check` turns it off
            os.environ.clear()
            os.environ.update(kept)
        code, err = done.exit_code, done.stderr
        if isinstance(done.exception, SamebitsError):  # as the entry point tells it
            code, err = done.exception.exit_code, f"{err}samebits: {done.exception}"
        elif done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(code=code, out=done.stdout, err=err)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A command that is run here, and how it ends."""

    code: int = 0
    replace: Mapping[str, str] = field(default_factory=dict)
    """Parts of words, and what they are here."""
    more: tuple[str, ...] = ()
    """Further words: the page means the reader's own center, and the stage has another."""
    first: Callable[[Stage], object] | None = None
    """What happens before, such as the work of somebody else."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """The commands of one page that are run, as the page has them."""

    runs: Mapping[str, Run]
    prepare: Callable[[Stage], object] = lambda _: None


def _with_evidence(stage: Stage) -> None:
    """Put the run of a made-up release into a store."""
    filled = Filled(stage.folder / "center", "identical")
    stage.setenv("SAMEBITS_STORE", stage.folder / "center" / "store")
    shutil.copy(filled.file, stage.folder / "center.yaml")


def _customer(stage: Stage) -> None:
    _with_evidence(stage)
    (policy,) = (stage.folder / "center").rglob("policy.dsse.json")
    shutil.copy(policy, stage.folder / "zurich.json")
    for name in ("netbase.bundle.tar", "policy.dsse.json"):
        shutil.copy(EXAMPLE / name, stage.folder)
    shutil.copy(ROOT / "tests" / "data" / "archives" / NETBASE, stage.folder)
    with tarfile.open(stage.folder / "netbase.bundle.tar") as bundle:
        key = bundle.extractfile("keys/statements.pub")
        assert key is not None
        (stage.folder / "statements.pub").write_bytes(key.read())
    (stage.folder / "rules.bin").write_bytes(OURS)
    (stage.folder / "old.json").write_bytes(signed_bytes(draft(version=4)))
    (stage.folder / "next.json").write_bytes(signed_bytes(draft(version=5)))


def _reviewer(stage: Stage) -> None:
    write_recipe(stage.folder / "engine", [["true"]])


def _prepared(stage: Stage) -> None:
    with Session(load_center(None)) as session:
        subject = recipe_subject(Path(LOCAL), session)
    plan = Prepared.about(subject, reviewer="alice", says="approve")
    (stage.folder / "prepared.json").write_bytes(plan.to_bytes())


def _taken_in(stage: Stage) -> None:
    review, *_ = sorted((stage.folder / "home/store/public/reviews").rglob("*.dsse.json"))
    shutil.copy(review, stage.folder / "alice.dsse.json")


def _vendor(stage: Stage) -> None:
    (stage.folder / "engine-4.2.tar").write_bytes(b"closed")


def _two_centers(stage: Stage) -> None:
    """Describe the reader's center, and set up that of somebody else."""
    for name, other in (("europe", "asia"), ("asia", "europe")):
        policy = "policy: policy.dsse.json\n" if name == "europe" else ""
        (stage.folder / f"{name}.yaml").write_text(
            f"schema: samebits/center/v1\nid: {name}\noperator: {name[:2]}-trust\n"
            f"region: {name}\nhome: {name}\n{policy}"
            f"peers: [{{id: {other}, store: {other}/store}}]\n"
        )
    assert stage.run("center", "init", "--center", "asia.yaml").code == 0
    assert stage.run("heartbeat", "--center", "asia.yaml").code == 0


def _own_policy(stage: Stage) -> None:
    """Let the file name the center's own policy, so that `center init` makes one."""
    path = stage.folder / "europe.yaml"
    path.write_text(path.read_text().replace("policy.dsse.json", "europe/policy/policy.dsse.json"))


def _joint_policy(stage: Stage) -> None:
    path = stage.folder / "europe.yaml"
    path.write_text(path.read_text().replace("europe/policy/policy.dsse.json", "policy.dsse.json"))


def _asia_signs(name: str, source: str = "joint.yaml") -> Callable[[Stage], object]:
    def sign(stage: Stage) -> None:
        _joint_policy(stage)
        words = ("--key", "asia/keys/operator.key", "--operator", "as-trust", "--out", name)
        assert stage.run("policy", "sign", source, *words).code == 0

    return sign


def _next_version(stage: Stage) -> None:
    path = stage.folder / "joint.yaml"
    path.write_text(path.read_text().replace("version: 2\n", "version: 3\n"))


def _lost(stage: Stage) -> None:
    """Lose the home, but for the keys, which come back; the file is named as the page has it."""
    (stage.folder / "backup/europe.tar").rename(stage.folder / "europe.backup.tar")
    keys = shutil.ignore_patterns("log")
    shutil.move(stage.folder / "europe", stage.folder / "lost")
    shutil.copytree(stage.folder / "lost/keys", stage.folder / "europe/keys", ignore=keys)


def _archive(stage: Stage) -> None:
    (stage.folder / "input").write_bytes(b"an input")
    assert stage.run("vault", "add", "input").code == 0
    assert stage.run("vault", "export", "netbase.tar").code == 0


_EVIDENCE = {RELEASE: MADE}
_OPERATOR = {"operator.key": "europe/keys/operator.key"}
_EXAMPLE = (
    "evidence check infra/docs/example/netbase.bundle.tar --policy infra/docs/example/"
    f"policy.dsse.json --file tests/data/archives/{NETBASE}"
)
_SALT = "review salt acme/engine@4.2 --out engine.salt"
STORIES: dict[str, Story] = {
    "README.md": Story(runs={_EXAMPLE: Run()}),
    "infra/docs/tutorial/1-first-verification.md": Story(
        prepare=_with_evidence,
        runs={
            f"recipe lint {RECIPE}": Run(),
            "evidence list": Run(),
            f"evidence show {RELEASE}": Run(replace=_EVIDENCE),
            f"evidence show {RELEASE} --log": Run(replace=_EVIDENCE),
        },
    ),
    "infra/docs/tutorial/2-reading-a-different.md": Story(
        prepare=_with_evidence,
        runs={
            "evidence show debian/hostname@3.25 --report hostname": Run(
                replace={"debian/hostname@3.25": MADE}
            ),
            f"compare tests/data/archives/{NETBASE} tests/data/archives/one-byte-flipped.deb": Run(
                code=1
            ),
        },
    ),
    "infra/docs/tutorial/3-checking-a-bundle.md": Story(
        prepare=_with_evidence,
        runs={
            f"evidence export {RELEASE} --out netbase.bundle.tar": Run(
                replace=_EVIDENCE, more=("--center", "center.yaml")
            ),
            _EXAMPLE: Run(),
            "evidence check infra/docs/example/netbase.bundle.tar": Run(code=2),
            "evidence check tests/data/bundles/signature-of-another-statement.tar "
            "--policy tests/data/bundles/policy.dsse.json": Run(code=1),
        },
    ),
    "infra/docs/howto/customer.md": Story(
        prepare=_customer,
        runs={
            "policy check policy.dsse.json": Run(),
            "policy check new.dsse.json --trusted policy.dsse.json": Run(
                replace={"policy.dsse.json": "old.json", "new.dsse.json": "next.json"}
            ),
            f"evidence check netbase.bundle.tar --policy policy.dsse.json --file {NETBASE}": Run(),
            # The example's policy names no witness.
            "evidence check netbase.bundle.tar --policy policy.dsse.json --max-age 720h": Run(
                code=1
            ),
            "evidence check netbase.bundle.tar --key statements.pub": Run(code=2),
            f"check {NETBASE} --policy policy.dsse.json --peer europe=s3://evidence/europe": Run(
                replace={
                    NETBASE: "rules.bin",
                    "policy.dsse.json": "zurich.json",
                    "europe=s3://evidence/europe": "zurich=center/store",
                }
            ),
            f"check {NETBASE} --policy policy.dsse.json --portal {PORTAL}": Run(
                first=lambda stage: FolderPortal(stage.folder / "portal"),
                replace={PORTAL: "portal"},
            ),
        },
    ),
    "infra/docs/howto/reviewer.md": Story(
        prepare=_reviewer,
        runs={
            "review key alice": Run(),
            f"source get {RECIPE} --out netbase": Run(replace={RECIPE: LOCAL}),
            f"source diff debian/netbase@6.4 {RECIPE}": Run(
                replace={"debian/netbase@6.4": LOCAL, RECIPE: LOCAL}
            ),
            f"review approve {RECIPE} --prepared "
            "~/.local/share/samebits/prepared/approve-0f3a52c81d00.json --reviewer alice "
            "--key alice.key": Run(
                first=_prepared,
                replace={
                    RECIPE: LOCAL,
                    "~/.local/share/samebits/prepared/approve-0f3a52c81d00.json": "prepared.json",
                },
            ),
            f"review comment {RECIPE} --question --text Obsolete? "
            "--path etc-services --line 12 --key alice.key --reviewer alice": Run(
                replace={RECIPE: LOCAL}
            ),
            f"review questions {RECIPE}": Run(replace={RECIPE: LOCAL}),
            f"review approve {RECIPE} --key alice.key --reviewer alice": Run(
                replace={RECIPE: LOCAL}
            ),
            "review import alice.dsse.json": Run(first=_taken_in),
            "review list": Run(),
            f"review list {RECIPE}": Run(replace={RECIPE: LOCAL}),
            f"review list {RELEASE} --from /mnt/asia/public/reviews": Run(
                replace={RELEASE: LOCAL, "/mnt/asia/public/reviews": "home/store/public/reviews"}
            ),
            f"review withdraw {RECIPE} --key alice.key --reviewer alice": Run(
                replace={RECIPE: LOCAL}
            ),
            "evidence show debian/hostname@3.25 --report hostname": Run(
                replace={"debian/hostname@3.25": MADE}, first=_with_evidence
            ),
            _SALT: Run(),
        },
    ),
    "infra/docs/howto/vendor.md": Story(
        prepare=_vendor,
        runs={
            f"recipe lint {RECIPE}": Run(),
            "recipe schema": Run(),
            "vault add engine-4.2.tar": Run(),
            _SALT: Run(),
            "review salt acme/engine@4.2 --import engine.salt": Run(),
        },
    ),
    "infra/docs/howto/center-operator.md": Story(
        prepare=_two_centers,
        runs={
            "center init --center europe.yaml": Run(first=_own_policy),
            "policy join europe/policy.yaml asia/policy.yaml --k 2 --out joint.yaml": Run(
                replace={"/policy.yaml": "/policy/policy.yaml"}
            ),
            "policy sign joint.yaml --key operator.key --operator eu-trust "
            "--out policy.dsse.json": Run(replace=_OPERATOR),
            "policy check policy.dsse.json": Run(first=_asia_signs("policy.dsse.json")),
            "policy diff policy.dsse.json joint.yaml": Run(first=_next_version),
            "policy sign joint.yaml --key operator.key --operator eu-trust "
            "--out new.dsse.json": Run(replace=_OPERATOR),
            "policy check new.dsse.json --trusted policy.dsse.json": Run(
                first=_asia_signs("new.dsse.json")
            ),
            "center status --center europe.yaml": Run(),
            "heartbeat --center europe.yaml": Run(),
            "log checkpoint --center europe.yaml": Run(),
            "log check --center europe.yaml": Run(),
            "log check --center europe.yaml --peer asia": Run(),
            "log witness --center europe.yaml": Run(),
            "review key w1": Run(),
            "log forks --center europe.yaml": Run(),
            "evidence list --center europe.yaml": Run(),
            "evidence flush --center europe.yaml": Run(),
            "vault import netbase.tar": Run(first=_archive),
            "center rotate-key statements --center europe.yaml": Run(),
            "center rotate-key witness --center europe.yaml": Run(),
            "policy diff policy.dsse.json europe/policy/proposed-3.yaml": Run(),
            "policy sign europe/policy/proposed-3.yaml --key operator.key --operator eu-trust "
            "--out next.json": Run(replace=_OPERATOR),
            "policy check next.json --trusted policy.dsse.json": Run(
                first=_asia_signs("next.json", "europe/policy/proposed-3.yaml")
            ),
            "center backup /backup --center europe.yaml": Run(
                replace={"/backup": "backup"}, first=lambda s: (s.folder / "backup").mkdir()
            ),
            "center backup /backup/europe.tar --without-vault --center europe.yaml": Run(
                replace={"/backup": "backup"}
            ),
            "center restore europe.backup.tar --center europe.yaml": Run(first=_lost),
            "center new-log --center europe.yaml": Run(),
        },
    ),
}
"""By page, in the order of the page."""
