"""All rules of one side: read file by file, whatever their languages, within limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from builders.archives import ArchiveError
from builders.core.digest import Digest
from builders.core.errors import SamebitsError
from builders.core.escaping import escaped
from pipelines.rules.change import SideFacts
from pipelines.rules.languages import LANGUAGES
from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage
from pipelines.rules.rule import Language, Rule
from pipelines.rules.rule_files import MOST

MOST_RULES = 200_000
"""Rules of one set; what follows is not read."""
SHOWN_FAULTS = 100
_TEXT = 300

ReadFiles = dict[tuple[str, Digest], tuple[Rule | RuleFault, ...]]
"""What was read of files, so that what both sets have is read once."""


@dataclass
class RuleSet:
    """The rules of one side, and what could not be read."""

    rules: list[Rule] = field(default_factory=list)
    faults: list[RuleFault] = field(default_factory=list)
    files: int = 0
    """Files that have rules."""

    def facts(self) -> SideFacts:
        """Return what was read, in numbers."""
        return SideFacts(
            files=self.files,
            rules=len(self.rules),
            by_language=dict(Counter(str(rule.language) for rule in self.rules)),
            faults=tuple(
                RuleFault(file=shortened(f.file), line=f.line, what=shortened(f.what))
                for f in self.faults[:SHOWN_FAULTS]
            ),
            fault_count=len(self.faults),
        )


def read_rule_set(files: Iterable[tuple[str, bytes]], known: ReadFiles) -> RuleSet:
    """Read the rules of files, given by path and bytes; nothing of them raises but `MemoryError`.

    `known` is what was read before, and grows.
    """
    found = RuleSet()
    path, read = "", set[str]()
    try:
        for path, data in files:
            language = language_of(path, data)
            if language is None:
                continue
            found.files += 1
            read.add(path.rpartition("/")[2])
            key = (path, Digest.of(data))
            if key not in known:
                known[key] = tuple(_read(language, path, data, MOST_RULES - len(found.rules)))
            for one in known[key]:
                if isinstance(one, Rule):
                    found.rules.append(one)
                else:
                    found.faults.append(one)
    except ArchiveError as error:
        found.faults.append(RuleFault(file=path, line=0, what=f"not read on: {error}"))
    found.faults += _not_included(found.rules, read)
    found.rules = _switched(found.rules)
    return found


def language_of(path: str, data: bytes) -> RuleLanguage | None:
    """Return the language of the rules in a file; None for a file without rules."""
    for language in LANGUAGES:
        try:
            if language.is_rule_file(path, data):
                return language
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001, S112  # hostile text may end it in any way
            continue
    return None


def _read(language: RuleLanguage, path: str, data: bytes, most: int) -> Iterator[Rule | RuleFault]:
    if len(data) > MOST:
        yield RuleFault(file=path, line=0, what=f"larger than {MOST >> 20} MiB")
        return
    count = 0
    try:
        for one in language.read_rules(path, data):
            count += 1
            if count > most:
                what = f"more than {MOST_RULES} rules"
                yield RuleFault(file=path, line=0, what=what)
                return
            yield one
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  # hostile text may end a reader in any way
        yield RuleFault(file=path, line=0, what=_fault_text(error))


def _fault_text(error: Exception) -> str:
    known = isinstance(error, SamebitsError)
    return str(error) if known else f"{type(error).__name__}: {error}"


def _not_included(rules: Iterable[Rule], read: set[str]) -> Iterator[RuleFault]:
    """Yield the files that rules bring in and that were not read: nobody knows what is in them."""
    for rule in rules:
        for path in rule.includes:
            if path.rpartition("/")[2] not in read:
                what = f"it includes {path}, which is not among the files with rules"
                yield RuleFault(file=rule.file, line=rule.line, what=what)


def _switched(rules: list[Rule]) -> list[Rule]:
    """Turn off the rules that others of the set name as disabled."""
    off: set[tuple[Language, str]] = {(r.language, name) for r in rules for name in r.disables}
    if not off:
        return rules
    return [
        replace(r, enabled=False) if (r.language, r.identity) in off and not r.disables else r
        for r in rules
    ]


def shortened(text: str, most: int = _TEXT) -> str:
    """Return text of others as it leaves the jail: escaped, and cut."""
    return escaped(text if len(text) <= most else f"{text[:most]}…")
