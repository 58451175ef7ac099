"""A private apt state for one suite: signed lists of component main, apart from the machine's apt.

The machine's configuration provides only the addresses and keyrings of its signed sources, and how
to reach them (proxies, certificates, credentials). Its preferences, unsigned repositories,
`Trusted` options and installed packages are ignored, and its files are never written. Our
configuration is one `APT_CONFIG` file, which also disables `apt.conf.d`: apt reads `APT_CONFIG`
first, so files that are read later would override it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib import resources
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

from debian.deb822 import Deb822
from filelock import FileLock

from builders.core.digest import Digest
from builders.core.errors import InfrastructureError, InputUnavailableError
from builders.core.run_tool import ToolRun, run_tool, tool_environment

STALE_SECONDS = 6 * 3600
_TIMEOUT = 1800
_SUITE = re.compile(r"[a-z][a-z0-9-]*")
_LINE = re.compile(r"'([^']+)' (\S+) (\d+) SHA256:([0-9a-f]{64})")
_DEBIAN_KEYRINGS = tuple(
    Path(f"/usr/share/keyrings/debian-archive-keyring.{suffix}") for suffix in ("pgp", "gpg")
)
# How the machine reaches its mirrors. The two checks of dates are the machine's choice as well: all
# files are pinned by digest, so an outdated list can at worst lack a file.
_TRANSPORT = re.compile(
    r"Acquire::(http|https|socks|Retries|Queue-Mode|ForceIPv4|ForceIPv6|"
    r"Check-Valid-Until|Check-Date)(::.*)?"
)
_INDEX_FORMAT = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)|$(SIGNED_BY)"


@dataclass(frozen=True, kw_only=True)
class AptFile:
    """One file that the signed lists of an archive name; `size` in bytes."""

    uri: str
    name: str
    size: int
    sha256: Digest


class AptState:
    """The signed lists of one suite, in a folder of its own."""

    def __init__(self, folder: Path, suite: str, mirrors: Sequence[str] = ()) -> None:
        """Keep the state in `folder`; `mirrors` are archive roots used after the machine's own."""
        if not _SUITE.fullmatch(suite):
            raise InputUnavailableError(
                "no such suite", got=suite, expected="a suite's code name such as trixie"
            )
        self.suite = suite
        self._folder = folder.absolute()
        self._mirrors = tuple(uri.rstrip("/") + "/" for uri in mirrors)
        self._configuration = self._folder / "apt.conf"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the state against other processes and threads, and make it if it does not exist."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "state.lock"):
            if not self._stamp.exists():
                self._refresh()
            yield

    def refresh(self, older_than: float = 0) -> None:
        """Fetch the lists again if they are older than so many seconds; call it when `locked`."""
        if self.age() > older_than:
            self._refresh()

    def age(self) -> float:
        """Return the seconds since the lists were fetched."""
        return time.time() - self._stamp.stat().st_mtime if self._stamp.exists() else float("inf")

    def roots(self) -> list[str]:
        """Return the archive roots, in the order in which they are used."""
        return [
            line.removeprefix("URIs: ")
            for line in (self._folder / "sources/samebits.sources").read_text().splitlines()
            if line.startswith("URIs: ")
        ]

    def binaries(self, names: Sequence[str]) -> list[AptFile]:
        """Look up packages `NAME=VERSION`; those that are not listed are left out."""
        return self._served(["download", *names]) if names else []

    def source(self, name: str, version: str) -> list[AptFile]:
        """Look up the .dsc and all other files of a source package; empty if it is not listed."""
        return self._served(["source", f"{name}={version}"])

    def cache(self, words: Sequence[str]) -> str:
        """Return the output of `apt-cache`; names that are not listed are left out."""
        return self._run("apt-cache", words).text

    def closure(self, packages: Sequence[str]) -> list[AptFile]:
        """Return `packages` and all that they depend on, for an empty system.

        Raises `InputUnavailableError` if apt finds no solution.
        """
        found = self._run("apt-get", ["-y", "--print-uris", "install", *packages])
        if found.exit_code:
            errors = [line for line in found.error_text.splitlines() if line.startswith("E:")]
            raise InputUnavailableError(
                f"suite {self.suite} has no installable set of the requested packages",
                got=_without_hosts(errors[0][3:]) if errors else f"exit code {found.exit_code}",
                todo="Check the package names",
            )
        return _parse(found.text)

    def epoch(self) -> int:
        """Return the date of the suite's signed Release file, in seconds since 1970 (UTC)."""
        for path in sorted((self._folder / "lists").glob("*Release")):
            with path.open("rb") as stream:
                release = Deb822(stream)
            if "Date" in release:
                date = parsedate_to_datetime(release["Date"])
                return int(date.replace(tzinfo=date.tzinfo or UTC).timestamp())
        raise InfrastructureError(f"the lists of suite {self.suite} have no date")

    def pool_path(self, served: AptFile) -> PurePosixPath:
        """Return the path of a served file below the root of its archive."""
        for root in self.roots():
            if served.uri.startswith(root):
                return PurePosixPath(unquote(served.uri.removeprefix(root)))
        raise InfrastructureError(f"{served.name} is served from outside the archive")

    def download(self, pairs: Sequence[tuple[str, Path]]) -> None:
        """Download addresses to files; one that is not served leaves no file, and is no error."""
        # apt uses a `file:` in place; `copy:` copies it.
        words = [w for uri, target in pairs for w in (re.sub("^file:", "copy:", uri), str(target))]
        self._run("/usr/lib/apt/apt-helper", ["download-file", *words])

    @property
    def _stamp(self) -> Path:
        return self._folder / "fetched"

    def _refresh(self) -> None:
        sources, listed = self._sources()
        for name in ("sources", "none", "lists/partial", "cache/archives/partial", "log"):
            (self._folder / name).mkdir(parents=True, exist_ok=True)
        (self._folder / "status").write_text("")
        template = (resources.files("builders.locators") / "apt.conf").read_text()
        own = template.replace("@STATE@", str(self._folder))
        self._configuration.write_text(own + "".join(_machine_transport()))
        if not self._update(sources):  # one of several archives may be down, or unsigned
            sources = [source for source in sources if len(sources) > 1 and self._update([source])]
            if not sources or not self._update(sources):
                if not listed:
                    raise self._unlisted()
                raise InfrastructureError(
                    f"the signed package lists of suite {self.suite} cannot be fetched",
                    got="a failed `apt-get update` in samebits' private state",
                    todo="Run `apt-get update` to see whether this machine reaches its mirrors",
                )
        self._stamp.write_text("")

    def _update(self, sources: Sequence[str]) -> bool:
        (self._folder / "sources/samebits.sources").write_text("\n".join(sources))
        return self._run("apt-get", ["update", "--error-on=any"]).exit_code == 0

    def _unlisted(self) -> InputUnavailableError:
        return InputUnavailableError(
            f"this machine's apt has no signed source of suite {self.suite}, component main",
            todo="Add one to its apt sources, or a mirror to the center's file",
        )

    def _sources(self) -> tuple[list[str], bool]:
        """Return deb822 stanzas for every signed source, mirrors last.

        The second value says whether any of them is known to have the suite. If none is, archives
        that have other suites are used, because they often have older ones, too.
        """
        found, others = _machine_sources(self.suite)
        if keyring := _debian_keyring():
            for uri in self._mirrors:
                found.setdefault(uri, keyring)
        if not found and not others:
            raise self._unlisted()
        return [
            f"Types: deb deb-src\nURIs: {uri}\nSuites: {self.suite}\nComponents: main\n"
            f"Signed-By: {keyring}\n"
            for uri, keyring in (found or others).items()
        ], bool(found)

    def _served(self, words: Sequence[str]) -> list[AptFile]:
        return _parse(self._run("apt-get", ["--print-uris", *words]).text)

    def _run(self, tool: str, words: Sequence[str]) -> ToolRun:
        return _apt([tool, *words], APT_CONFIG=str(self._configuration))


class AptStates:
    """The private apt states of a center, one for each suite, below one folder."""

    def __init__(self, folder: Path, mirrors: Sequence[str] = ()) -> None:
        """Keep states below `folder`; `mirrors` are further archive roots, such as snapshots."""
        self._folder = folder
        self._mirrors = tuple(mirrors)

    def of(self, suite: str) -> AptState:
        """Return the state of `suite`; raises `InputUnavailableError` for an impossible name."""
        return AptState(self._folder / suite, suite, self._mirrors)


def _parse(text: str) -> list[AptFile]:
    found = (_LINE.fullmatch(line.strip()) for line in text.splitlines())
    return [
        AptFile(uri=m[1], name=unquote(m[2]), size=int(m[3]), sha256=Digest(m[4]))
        for m in found
        if m
    ]


def _machine_sources(suite: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return keyrings by archive root, those that have the suite and those with other suites.

    An archive whose lists do not verify is dropped later.
    """
    listed = _apt(
        ["apt-get", "indextargets", "--format", _INDEX_FORMAT, "Created-By: Packages"]
    ).text
    found: dict[str, str] = {}
    ours = _debian_keyring()
    others: dict[str, str] = {}
    for line in listed.splitlines():
        uri, release, codename, component, signed_by = line.split("|")
        # A source without a keyring of its own must be signed with Debian's.
        keyring = signed_by if Path(signed_by).is_file() else ours
        if keyring and component == "main":
            named = suite in {release, codename}
            (found if named else others).setdefault(uri, keyring)
    if not found and ours:  # without fetched lists, apt only knows the addresses
        planned = _apt(["apt-get", "update", "--print-uris"]).text
        for root, named in re.findall(r"'(\S+/)dists/([^/' ]+)/InRelease'", planned):
            (found if named == suite else others).setdefault(root, ours)
    return found, others


def _machine_transport() -> Iterator[str]:
    dumped = _apt(["apt-config", "dump", "--format", '%F "%v";%n']).text
    for line in dumped.splitlines():
        if _TRANSPORT.fullmatch(line.partition(" ")[0]):
            yield line + "\n"


def _debian_keyring() -> str | None:
    return next((str(path) for path in _DEBIAN_KEYRINGS if path.is_file()), None)


def _without_hosts(text: str) -> str:
    return re.sub(r"\S+://\S+", "<address>", text)


def _apt(command: Sequence[str], **variables: str) -> ToolRun:
    return run_tool(
        command,
        environment=tool_environment("APT_CONFIG", **variables),
        timeout=_TIMEOUT,
        todo="Debian packages are fetched through apt",
    )
