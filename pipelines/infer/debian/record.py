"""What a recipe can declare of a recorded build, once the record is known to be of this release.

Only names of a fixed list are taken from a record, each as a typed value; what cannot be declared
is named, and nothing of it reaches a build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydantic import TypeAdapter, ValidationError

from builders.core.errors import InputMismatchError, UsageError
from builders.methods.base import Build, BuildPath
from builders.methods.debian import Profiles
from builders.methods.debianbinnmu import ChangelogEntry
from pipelines.infer.debian.buildinfo import BuildRecord
from pipelines.infer.debian.source import SourcePackage, tree_name
from pipelines.infer.debian.versions import listed_names
from pipelines.infer.wheel.hypothesis import TIME_BITS, Scalar

_SHOWN = 3
_LONGEST_PATH = 255
_ARCHITECTURES = frozenset({"all", "amd64", "source"})
_OPTION = re.compile(r"[a-z][A-Za-z0-9_+=,./@%:-]{0,127}")
_MAX_OPTIONS = 32
_PLAIN_OPTIONS = frozenset(
    {"noautodbgsym", "nobench", "nocheck", "nodoc", "noopt", "nostrip", "notrimdch", "terse"}
)
"""Options that are there or not, and carry nothing else."""
_PARALLEL = re.compile(r"parallel=[1-9][0-9]{0,2}")
_EPOCH = re.compile(r"[0-9]{1,11}")
_REBUILD = re.compile(r"\+b[0-9]+")
_ENTRY = re.compile(
    r"\S+ \((?P<version>\S+)\) (?P<distribution>\S+); urgency=(?P<urgency>\S+), binary-only=yes\n"
    r" -- (?P<by>.*>)  (?P<date>.*)"
)
_LOCALES = ("C", "C.UTF-8", "POSIX")
"""Those that are there without a package that makes more."""
_TAKEN = frozenset(
    {"DEB_BUILD_OPTIONS", "DEB_BUILD_PROFILES", "LANG", "LC_ALL", "SOURCE_DATE_EPOCH"}
)
RECORDED_BY = "recorded in the .buildinfo"
_TAKE = "Take the record of the build that was shipped"


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a draft declares of a recorded build; None, or nothing, where the default is meant."""

    options: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    epoch: int | None = None
    """SOURCE_DATE_EPOCH."""
    path: str | None = None
    locale: str | None = None
    entry: ChangelogEntry | None = None
    """Of a rebuild without new source."""

    def scalars(self) -> tuple[Scalar, ...]:
        """Return each declared value but the options; `bits` is what its text can carry."""
        rows = (
            ("SOURCE_DATE_EPOCH", self.epoch, TIME_BITS),
            ("path", self.path, 8.0 * len(self.path or "")),
            ("locale", self.locale, 2.0),
            ("profiles", " ".join(self.profiles) or None, sum(map(option_bits, self.profiles))),
        )
        told = (_entry_scalar(self.entry),) if self.entry else ()
        return told + tuple(
            Scalar(name=name, value=str(value), bits=bits, evidence=RECORDED_BY)
            for name, value, bits in rows
            if value is not None
        )


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A record that is of the source in question, and what it lets a draft declare."""

    record: BuildRecord
    around: Surroundings
    notes: tuple[str, ...]


def understood(record: BuildRecord, product: str, version: str) -> Recorded:
    """Return what the record of a source says; raises `UsageError` for another source's."""
    check_record(record, product, version)
    around, notes = surroundings(record, tree_name(product, version))
    signature = "whose signature nobody has checked" if record.signed else "which is not signed"
    notes = (f"from a .buildinfo, {signature}, sha256 {record.sha256}", *notes)
    return Recorded(record=record, around=around, notes=notes)


def check_record(record: BuildRecord, product: str, version: str) -> None:
    """Refuse the record of another source, or one for other machines; raises `UsageError`."""
    if (record.source, record.source_version) != (product, version):
        raise UsageError(
            "the .buildinfo is of another source",
            got=f"{record.source} {record.source_version}",
            expected=f"{product} {version}",
            todo=_TAKE,
        )
    if not _REBUILD.fullmatch(record.version.removeprefix(version) or "+b0"):
        raise UsageError(
            "the .buildinfo is of packages in another version than their source",
            got=record.version,
            expected=f"{version}, or {version}+b1 and so on",
            todo=_TAKE,
        )
    if record.builder != "amd64" or not set(record.architectures) <= _ARCHITECTURES:
        raise UsageError(
            "the .buildinfo is of a build for other machines",
            got=f"{' '.join(record.architectures)}, built on {record.builder}"[:200],
            expected="amd64 or all, built on amd64",
            todo=_TAKE,
        )


def check_outputs(record: BuildRecord, package: SourcePackage) -> tuple[str, ...]:
    """Compare the files that a record names with those that are shipped, and return what to note.

    Raises `InputMismatchError` when it speaks of other files.
    """
    known = {pin.name: (package.sizes[pin.name], pin.sha256) for pin in package.artefacts}
    if not known:  # that nothing is shipped is found by the search
        return ()
    source = package.target.source
    wrong = [
        name
        for name, file in sorted(record.files.items())
        if (_is_output(name) and (file.size, file.sha256) != known.get(name))
        or (name == source.name and file.sha256 != source.sha256)
    ]
    if wrong:
        raise InputMismatchError(
            "the .buildinfo speaks of other files than those that are shipped",
            got=", ".join(f"{n} with sha256 {record.files[n].sha256}" for n in wrong[:_SHOWN]),
            expected=", ".join(f"{n} with sha256 {known[n][1]}" for n in sorted(known)),
            todo=_TAKE,
        )
    absent = sorted(known.keys() - record.files.keys())
    if len(absent) == len(known):
        raise InputMismatchError(
            "the .buildinfo speaks of none of the shipped files",
            got=", ".join(sorted(record.files)[:_SHOWN]),
            expected=", ".join(absent),
            todo=_TAKE,
        )
    told = "not of the build in the .buildinfo" + (", and not judged here" if record.entry else "")
    return (f"{told}: {', '.join(absent)}",) if absent else ()


def recorded_package(package: SourcePackage, recorded: Recorded) -> SourcePackage:
    """Return a package with what its record notes; a binNMU makes no other files than it names.

    Raises `InputMismatchError` for a record of other files than those that are shipped.
    """
    told = (*recorded.notes, *check_outputs(recorded.record, package))
    package = replace(package, target=replace(package.target, notes=(*package.target.notes, *told)))
    if recorded.around.entry is None:
        return package
    made = tuple(pin for pin in package.artefacts if pin.name in recorded.record.files)
    return replace(package, artefacts=made)


def surroundings(record: BuildRecord, tree: str) -> tuple[Surroundings, tuple[str, ...]]:
    """Return what a recipe can declare of a record, and what it cannot, one note each.

    `tree` is the name of the unpacked source. Raises `UsageError` for a value that is none.
    """
    found = record.variables
    notes = list(_not_taken(found))
    path, parent = _path(record.path, tree, notes), Build.model_fields["path"].default
    locale, epoch = _locale(found, notes), _value("SOURCE_DATE_EPOCH", found, _EPOCH)
    return (
        Surroundings(
            options=_words("DEB_BUILD_OPTIONS", found, _OPTION),
            profiles=_profiles(found),
            epoch=None if epoch is None else int(epoch),
            path=None if path == parent else path,
            locale=None if locale == Build.model_fields["locale"].default else locale,
            entry=_entry(record) if record.entry else None,
        ),
        tuple(notes),
    )


def without_cores(options: Sequence[str]) -> tuple[str, ...]:
    """Return options without the number of cores, which is the machine's own."""
    return tuple(word for word in options if not _PARALLEL.fullmatch(word))


def option_bits(word: str) -> float:
    """Return what an option or a profile can carry: one bit for a known one, else its text."""
    return 1.0 if word in _PLAIN_OPTIONS else 8.0 * len(word)


def _entry(record: BuildRecord) -> ChangelogEntry:
    """Read a changelog entry into its fields, such that they give exactly the same entry."""
    lines = record.entry
    match = _ENTRY.fullmatch(f"{lines[0]}\n{lines[-1]}")
    fields = match.groupdict() if match else {}
    try:
        entry = ChangelogEntry.model_validate(
            {**fields, "changes": tuple(line[2:] for line in lines[2:-2])}
        )
    except ValidationError as error:
        raise _no_value("Binary-Only-Changes", lines[0]) from error
    if entry.text(record.source).split("\n") != [*lines] or entry.version != record.version:
        raise _no_value("Binary-Only-Changes", lines[0])
    return entry


def _entry_scalar(entry: ChangelogEntry) -> Scalar:
    return Scalar(
        name="entry",
        value=f"of {entry.version}, {entry.date}",
        bits=8.0 * len(entry.text("").encode()),
        evidence=RECORDED_BY,
    )


def _is_output(name: str) -> bool:
    """Say whether a file is one that is shipped; udebs and debug packages are not judged."""
    return name.endswith(".deb") and "-dbgsym_" not in name


def _path(recorded: str | None, tree: str, notes: list[str]) -> str | None:
    if recorded is None:
        return None
    if len(recorded) > _LONGEST_PATH:
        notes.append(f"built in a path of {len(recorded)} characters, which no recipe can declare")
        return None
    parent, _, name = recorded.rpartition("/")
    if name != tree:
        notes.append(f"built in a folder named {name}, which is {tree} here")
    try:
        return str(TypeAdapter(BuildPath).validate_python(parent))
    except ValidationError:
        notes.append(f"built in {recorded}, which no recipe can declare")
        return None


def _locale(found: Mapping[str, str], notes: list[str]) -> str | None:
    named = found.get("LC_ALL") or found.get("LANG") or None
    if named is None:
        return None
    if named not in _LOCALES:
        notes.append(f"built in locale {named[:64]}, which the images do not have")
        return None
    return named


def _not_taken(found: Mapping[str, str]) -> Iterator[str]:
    """Name the variables that are left out: parts of a locale that say nothing new are not told."""
    plain = found.get("LC_ALL") or found.get("LANG")
    odd = [
        name
        for name, value in sorted(found.items())
        if name not in _TAKEN and not (name.startswith("LC_") and value == plain)
    ]
    if odd:
        yield f"recorded and not declared: {listed_names([name[:64] for name in odd])}"


def _profiles(found: Mapping[str, str]) -> tuple[str, ...]:
    words = tuple(found.get("DEB_BUILD_PROFILES", "").split())
    try:
        return TypeAdapter(Profiles).validate_python(words)
    except ValidationError as error:
        raise _no_value("DEB_BUILD_PROFILES", found["DEB_BUILD_PROFILES"]) from error


def _words(name: str, found: Mapping[str, str], pattern: re.Pattern[str]) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(found.get(name, "").split()))
    if len(words) > _MAX_OPTIONS:
        raise _no_value(name, f"{len(words)} words")
    for word in words:
        if not pattern.fullmatch(word):
            raise _no_value(name, word)
    return words


def _value(name: str, found: Mapping[str, str], pattern: re.Pattern[str]) -> str | None:
    value = found.get(name)
    if value is not None and not pattern.fullmatch(value):
        raise _no_value(name, value)
    return value


def _no_value(name: str, got: str) -> UsageError:
    return UsageError(
        f"{name} in the .buildinfo is no such value",
        got=f"{got[:80]!a}",
        expected="what dpkg-buildpackage knows",
        todo="Give the file as dpkg-genbuildinfo wrote it",
    )
