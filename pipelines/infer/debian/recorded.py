"""What a recipe can declare of a recorded build, once the record is known to be of this release.

Only variables of a fixed list are taken from a record, each as a typed value; the others are named
in a note, and nothing of them reaches a build.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError

from builders.core.errors import InputMismatchError, UsageError
from builders.methods.base import Build, BuildPath
from builders.methods.debian import Profiles
from builders.methods.debian_binnmu import ChangelogEntry
from pipelines.infer.debian.buildinfo import BuildRecord, changelog_entry
from pipelines.infer.debian.source import SourcePackage, tree_name
from pipelines.infer.journal import TIME_BITS, Scalar, scalars_of
from pipelines.infer.target import Target
from pipelines.infer.trial import listed

RECORDED_BY = "recorded in the .buildinfo"
# Packages or variables that a note names one by one.
NAMED = 200
_LONGEST_PATH = 255
_ARCHITECTURES = frozenset({"all", "amd64", "source"})
_Option = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9_+=,./@%:-]{0,127}$")]
_Options = Annotated[tuple[_Option, ...], Field(max_length=32)]
# Options without a value, which carry one bit.
_PLAIN_OPTIONS = frozenset(
    {"noautodbgsym", "nobench", "nocheck", "nodoc", "noopt", "nostrip", "notrimdch", "terse"}
)
_PARALLEL = re.compile(r"parallel=[1-9][0-9]{0,2}")
_EPOCH = re.compile(r"[0-9]{1,11}")
_BINNMU = re.compile(r"\+b[0-9]+")
# Those that every image has.
_LOCALES = ("C", "C.UTF-8", "POSIX")
_OPTIONS, _PROFILES, _TIME = "DEB_BUILD_OPTIONS", "DEB_BUILD_PROFILES", "SOURCE_DATE_EPOCH"
_TAKEN = frozenset({_OPTIONS, _PROFILES, "LANG", "LC_ALL", _TIME})
_TAKE = "Take the record of the build that was shipped"


@dataclass(frozen=True, kw_only=True)
class RecordedEnvironment:
    """What a draft declares of a recorded build; what is None or empty has the default.

    - `epoch`: SOURCE_DATE_EPOCH.
    - `entry`: of a binNMU.
    - `notes`: what was recorded and cannot be declared.
    """

    options: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    epoch: int | None = None
    path: str | None = None
    locale: str | None = None
    entry: ChangelogEntry | None = None
    notes: tuple[str, ...] = field(default=(), compare=False)

    def scalars(self) -> tuple[Scalar, ...]:
        """Return each declared value but the options; `bits` is what its text can carry."""
        entry, profiles = self.entry, " ".join(self.profiles) or None
        shown = f"of {entry.version}, {entry.date}" if entry else None
        rows = (
            ("entry", shown, text_bits(entry.text("") if entry else "")),
            (_TIME, self.epoch, TIME_BITS),
            ("path", self.path, text_bits(self.path or "")),
            ("locale", self.locale, 2.0),
            ("profiles", profiles, sum(map(option_bits, self.profiles))),
        )
        return scalars_of((*row, RECORDED_BY) for row in rows)


def check_record(record: BuildRecord, product: str, version: str) -> None:
    """Refuse the record of another source, or of a build for other machines: `UsageError`."""

    def refused(what: str, got: str, expected: str) -> UsageError:
        return UsageError(f"the .buildinfo is of {what}", got=got, expected=expected, todo=_TAKE)

    if (record.source, record.source_version) != (product, version):
        got = f"{record.source} {record.source_version}"
        raise refused("another source", got, f"{product} {version}")
    if not _BINNMU.fullmatch(record.version.removeprefix(version) or "+b0"):
        expected = f"{version}, or {version}+b1 and so on"
        raise refused("packages in another version than their source", record.version, expected)
    if record.builder != "amd64" or not set(record.architectures) <= _ARCHITECTURES:
        got = f"{' '.join(record.architectures)}, built on {record.builder}"[:200]
        raise refused("a build for other machines", got, "amd64 or all, built on amd64")


def with_record(package: SourcePackage, record: BuildRecord) -> SourcePackage:
    """Return a package with the notes of its record; a binNMU makes only the recorded files.

    Raises `InputMismatchError` for a record of other files than those that are shipped.
    """
    target = package.target
    found = (*recorded_environment(record).notes, *check_outputs(record, target))
    made = tuple(pin for pin in target.artefacts if pin.name in record.files or not record.entry)
    return replace(package, target=replace(target, notes=(*target.notes, *found), artefacts=made))


def check_outputs(record: BuildRecord, target: Target) -> tuple[str, ...]:
    """Compare the files of a record with those that are shipped, and return what to note.

    Raises `InputMismatchError` when they are others.
    """
    known = {pin.name: (pin.size, pin.sha256) for pin in target.artefacts}
    if not known:  # the search says that nothing is shipped
        return ()
    source = target.source
    wrong = [
        f"{name} with sha256 {file.sha256}"
        for name, file in sorted(record.files.items())
        if (_is_output(name) and (file.size, file.sha256) != known.get(name))
        or (name == source.name and file.sha256 != source.sha256)
    ]
    if wrong:
        raise InputMismatchError(
            "the .buildinfo lists other files than those that are shipped",
            got=", ".join(wrong[:3]),
            expected=", ".join(f"{n} with sha256 {known[n][1]}" for n in sorted(known)),
            todo=_TAKE,
        )
    absent = sorted(known.keys() - record.files.keys())
    if len(absent) == len(known):
        raise InputMismatchError(
            "the .buildinfo lists none of the shipped files",
            got=", ".join(sorted(record.files)[:3]),
            expected=", ".join(absent),
            todo=_TAKE,
        )
    note = "not of the build in the .buildinfo" + (", and not judged here" if record.entry else "")
    return (f"{note}: {', '.join(absent)}",) if absent else ()


def recorded_environment(record: BuildRecord) -> RecordedEnvironment:
    """Return what a recipe can declare of a record, with notes on its origin and on the rest.

    Raises `UsageError` for a value that is none.
    """
    found = record.variables
    signature = "whose signature nobody has checked" if record.signed else "which is not signed"
    notes = [f"from a .buildinfo, {signature}, sha256 {record.sha256}"]
    plain = found.get("LC_ALL") or found.get("LANG")
    odd = [
        name[:64]
        for name, value in sorted(found.items())
        if name not in _TAKEN and not (name.startswith("LC_") and value == plain)
    ]
    if odd:  # without the parts of a locale that add nothing to it
        notes.append(f"recorded and not declared: {listed(odd, NAMED)}")
    path, locale = _path(record, notes), _locale(found, notes)
    options, profiles = (found.get(name, "").split() for name in (_OPTIONS, _PROFILES))
    defaults = Build.model_fields
    return RecordedEnvironment(
        options=_typed(_OPTIONS, dict.fromkeys(options), TypeAdapter(_Options)),
        profiles=_typed(_PROFILES, profiles, TypeAdapter(Profiles)),
        epoch=_epoch(found),
        path=None if path == defaults["path"].default else path,
        locale=None if locale == defaults["locale"].default else locale,
        entry=_entry(record) if record.entry else None,
        notes=tuple(notes),
    )


def without_cores(options: Sequence[str]) -> tuple[str, ...]:
    """Return options without the number of cores, which depends on the machine."""
    return tuple(word for word in options if not _PARALLEL.fullmatch(word))


def option_bits(word: str) -> float:
    """Return what an option or a profile can carry: one bit for a known one, else its text."""
    return 1.0 if word in _PLAIN_OPTIONS else text_bits(word)


def text_bits(text: str) -> float:
    """Return what a text can carry."""
    return 8.0 * len(text.encode())


def _entry(record: BuildRecord) -> ChangelogEntry:
    """Read a changelog entry into fields that give exactly the same entry again."""
    name, lines = "Binary-Only-Changes", record.entry
    try:
        block = changelog_entry(lines)
        entry = ChangelogEntry(
            version=str(block.version),
            distribution=str(block.distributions),
            urgency=str(block.urgency),
            by=str(block.author),
            date=str(block.date),
            changes=tuple(line[2:] for line in lines[2:-2]),
        )
    except ValueError as error:  # a ValidationError is one too
        raise _no_value(name, lines[0]) from error
    if entry.text(record.source).split("\n") != [*lines] or entry.version != record.version:
        raise _no_value(name, lines[0])
    return entry


def _is_output(name: str) -> bool:
    """Say whether a file is one that is shipped; udebs and debug packages are not judged."""
    return name.endswith(".deb") and "-dbgsym_" not in name


def _path(record: BuildRecord, notes: list[str]) -> str | None:
    recorded, tree = record.path, tree_name(record.source, record.source_version)
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
    if named is None or named in _LOCALES:
        return named
    notes.append(f"built in locale {named[:64]}, which the images do not have")
    return None


def _typed(name: str, words: Iterable[str], kind: TypeAdapter[tuple[str, ...]]) -> tuple[str, ...]:
    try:
        return kind.validate_python(tuple(words))
    except ValidationError as error:
        raise _no_value(name, str(error.errors()[0]["input"])) from error


def _epoch(found: Mapping[str, str]) -> int | None:
    value = found.get(_TIME)
    if value is not None and not _EPOCH.fullmatch(value):
        raise _no_value(_TIME, value)
    return None if value is None else int(value)


def _no_value(name: str, got: str) -> UsageError:
    return UsageError(
        f"{name} in the .buildinfo cannot be used",
        got=f"{got[:80]!a}",
        expected="what dpkg-buildpackage knows",
        todo="Give the file as dpkg-genbuildinfo wrote it",
    )
