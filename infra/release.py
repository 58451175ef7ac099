"""A release of samebits: a wheel that samebits itself has rebuilt, with SBOM and provenance.

The wheel of a commit is built on this machine. An ordinary recipe then has it rebuilt from the same
commit, in a container without network. Only where both are the same bytes is there a release.
Called by infra/release.sh.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import click
import yaml
from packaging.metadata import Metadata
from packaging.version import Version

from builders.core.digest import Digest, canonical_json, digest_file
from builders.core.enums import Verdict
from builders.core.errors import InputMismatchError, InputUnavailableError, UsageError
from builders.locators import GitLocator
from builders.locators.fetcher import FetchRequest
from builders.locators.git import GitFetcher
from builders.locators.package_index import IndexReader, ProjectReader
from infra.closure import Pin, closure_sbom, read_pins
from pipelines.center.keys import center_key
from pipelines.cli import options
from pipelines.cli.main import main
from pipelines.cli.terminal import show
from pipelines.evidence.dsse import MAX_ENVELOPE, sign_envelope
from pipelines.evidence.report import Report
from pipelines.evidence.statements.statement import NAMESPACE
from pipelines.evidence.stored_runs import RunName
from pipelines.verify.session import Session
from pipelines.verify.verify import verify_recipe

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://samebits.example/samebits.git"
_PINS = "infra/requirements.txt"
_BACKEND = "setuptools"
_OPAQUE = "its tests hold archives that are damaged, or nested deeper than is searched"
_UNKNOWN = Digest("0" * 64)
VERIFIER = "samebits-verifier"
"""The page that checks a file without a server, as one HTML file in each language."""


@click.command()
@click.argument("commit", default="HEAD")
@options.file("--out", required=True, metavar="DIR", help="A new folder for the release.")
@click.option(
    "--repository",
    metavar="URL",
    default=REPOSITORY,
    show_default=True,
    help="Where others get the commit from.",
)
@options.common_reading
def release(session: Session, commit: str, *, out: Path, repository: str) -> None:
    """Build the wheel of COMMIT, rebuild it with samebits, and write what proves it to DIR.

    The provenance is signed with the key for statements of the center, a file or a PKCS#11 token.

    \b
    Example:
      infra/release.sh --out /tmp/samebits-0.1.0 --center center.yaml v0.1.0
    """
    options.require_new(out, "folder")
    with tempfile.TemporaryDirectory(prefix="release-") as folder:
        clone = Path(folder) / "clone"
        locator = GitLocator(url=repository, commit=_clone(ROOT, commit, clone))
        report, files = make_release(session, clone, locator, out, IndexReader())
    show(
        {"release": f"samebits@{report.version}", "commit": locator.commit, "run": report.run,
         "verdict": report.verdict, "files": [str(file) for file in files]},
        f"samebits {report.version} of commit {locator.commit}: {report.verdict}",
        *(f"  {file}" for file in files),
    )  # fmt: skip


def make_release(
    session: Session, clone: Path, locator: GitLocator, out: Path, index: ProjectReader
) -> tuple[Report, list[Path]]:
    """Write wheel, recipe, SBOM and provenance of the checked-out repository `clone` to `out`.

    Others find its commit by `locator`; here it is read from the clone. `index` knows the file of
    the backend, which is fetched by the session. Raises `InputMismatchError` where the rebuilt
    wheel is another; nothing is at `out` then.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as folder:
        unproved = Path(folder) / out.name
        unproved.mkdir()
        report, names = _make_files(session, clone, locator, unproved, index)
        unproved.rename(out)
    return report, [out / name for name in names]


def _make_files(
    session: Session, clone: Path, locator: GitLocator, into: Path, index: ProjectReader
) -> tuple[Report, list[str]]:
    """Make the files of a release in the folder `into`, and return their names."""
    pins = read_pins((clone / _PINS).read_text(encoding="utf-8"))
    epoch = _output(clone, "git", "show", "--no-patch", "--format=%ct", locator.commit)
    wheel = _build(clone, epoch, into)
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
        declared = Metadata.from_email(archive.read(name))
    recipe = into / "recipe.yaml"
    recipe.write_text(
        _recipe(
            version=str(declared.version),
            epoch=epoch,
            source=(str(locator), _add_source(session, clone, locator)),
            backend=_backend(pins, index),
            wheel=wheel,
        ),
        encoding="utf-8",
    )
    report = verify_recipe(session, recipe)
    if report.verdict is not Verdict.IDENTICAL:
        raise InputMismatchError(
            "samebits does not rebuild its own wheel",
            got=report.verdict,
            expected=Verdict.IDENTICAL,
            todo=f"See `samebits evidence show {report.vendor}/{report.product}@{report.version}`",
        )
    sbom = into / "sbom.cdx.json"
    sbom.write_bytes(closure_sbom(pins, wheel=declared, digest=digest_file(wheel)))
    provenance = into / f"{wheel.name}.provenance.dsse.json"
    run = RunName.model_validate(
        {key: getattr(report, key) for key in ("vendor", "product", "version", "center", "run")}
    )
    key = f"{run.prefix}provenance-1.dsse.json"
    provenance.write_bytes(session.store.get(key, MAX_ENVELOPE))
    verifiers = _make_verifiers(clone, into)
    signed = into / f"{VERIFIER}.dsse.json"
    signed.write_bytes(_sign_verifiers(session, verifiers, wheel, locator, report))
    return report, [file.name for file in (wheel, recipe, sbom, provenance, *verifiers, signed)]


def _make_verifiers(clone: Path, into: Path) -> list[Path]:
    """Let the code of the commit make its offline verifier, in each language."""
    files = {"en": into / f"{VERIFIER}.html", "de": into / f"{VERIFIER}.de.html"}
    for language, file in files.items():
        words = ("portal", "verifier", "--out", str(file.absolute()), "--language", language)
        _output(clone, sys.executable, "-m", "pipelines.cli", *words)
    return list(files.values())


def _sign_verifiers(
    session: Session, files: list[Path], wheel: Path, locator: GitLocator, report: Report
) -> bytes:
    """Return the envelope by which the center says that the files are of this release."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": file.name, "digest": {"sha256": str(digest_file(file))}} for file in files
        ],
        "predicateType": f"{NAMESPACE}verifier-file/v1",
        "predicate": {
            "release": f"samebits@{report.version}",
            "source": str(locator),
            "wheel": {"sha256": str(digest_file(wheel))},
            "run": report.run,
        },
    }
    return sign_envelope(canonical_json(statement), center_key(session.center)).to_bytes()


def _clone(repository: Path, commit: str, into: Path) -> str:
    """Clone a repository, check a commit out, and return its name."""
    _output(repository, "git", "clone", "--quiet", "--no-checkout", str(repository), str(into))
    name = _output(repository, "git", "rev-parse", "--verify", f"{commit}^{{commit}}")
    _output(into, "git", "checkout", "--quiet", "--detach", name)
    return name


def _build(clone: Path, epoch: str, into: Path) -> Path:
    """Build the wheel with the installed backend, which is the pinned one."""
    environment = {
        "HOME": os.devnull,
        "LC_ALL": "C.UTF-8",
        "PATH": os.defpath,
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": epoch,
    }
    _output(
        clone, sys.executable, "-m", "pip", "--isolated", "wheel", "--quiet", "--no-deps",
        "--no-build-isolation", "--no-index", "--wheel-dir", str(into.absolute()), str(clone),
        environment=environment,
    )  # fmt: skip
    (wheel,) = into.glob("*.whl")
    return wheel


def _add_source(session: Session, clone: Path, locator: GitLocator) -> Digest:
    """Put the tree of the commit into the vault, as every center fetches it."""
    fetcher = GitFetcher(
        settings={f"url.{clone.absolute().as_uri()}.insteadOf": locator.url}, protocols=("file",)
    )
    session.workdir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=session.workdir, prefix="release-") as folder:
        request = FetchRequest(locator=locator, name=str(locator), sha256=_UNKNOWN)
        (tar,) = fetcher.fetch([request], Path(folder))
        digest = digest_file(tar)
        session.vault.add(tar, digest, what=str(locator))
    return digest


def _backend(pins: list[Pin], index: ProjectReader) -> tuple[str, Digest]:
    """Return locator and digest of the wheel of the pinned backend."""
    (pin,) = (pin for pin in pins if pin.name == _BACKEND)
    for file in index.project(_BACKEND).of(Version(pin.version)):
        if file.kind == "wheel" and file.sha256 in pin.files:
            return f"pkg:pypi/{_BACKEND}@{pin.version}?file_name={file.name}", file.sha256
    raise InputUnavailableError(
        f"the package index has no wheel of {_BACKEND} {pin.version} that is pinned",
        todo="Check `pip config list`",
    )


def _recipe(
    *,
    version: str,
    epoch: str,
    source: tuple[str, Digest],
    backend: tuple[str, Digest],
    wheel: Path,
) -> str:
    """Return the recipe by which anybody rebuilds the wheel."""
    (locator, digest), (tool, tool_digest) = source, backend
    data = {
        "schema": "samebits/recipe/v1",
        "vendor": "samebits",
        "product": "samebits",
        "version": version,
        "kind": "binary",
        "platform": "linux/amd64",
        "build": {
            "method": "wheel",
            "image": "python-wheel",
            "environment": {"SOURCE_DATE_EPOCH": epoch},
        },
        "inputs": [
            {"role": "source", "locator": locator, "sha256": str(digest), "opaque": _OPAQUE},
            {"role": "toolchain", "locator": tool, "sha256": str(tool_digest)},
        ],
        "artefacts": [
            {
                "name": wheel.name,
                "shipped": {"locator": f"file:{wheel.name}", "sha256": str(digest_file(wheel))},
            }
        ],
        "limits": {"cpus": 1, "memory": "1GiB", "scratch": "1GiB", "time": "5min"},
        "expect": {"verdict": str(Verdict.IDENTICAL)},
    }
    return yaml.safe_dump(data, sort_keys=False)


def _output(folder: Path, *command: str, environment: dict[str, str] | None = None) -> str:
    """Return what a program prints; raises `UsageError` if it fails."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        umask=0o022,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines()
        raise UsageError(
            f"{' '.join(command[:3])} failed", got=lines[-1] if lines else "no message"
        )
    return done.stdout.strip()


if __name__ == "__main__":
    main(command=release, name="infra/release.sh")
