"""The draft recipe of a Debian source package: the same text that is written is what is tried."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from builders.core.enums import Verdict
from pipelines.infer.debian.causes import Cause
from pipelines.infer.debian.index import Binary
from pipelines.infer.debian.record import (
    RECORDED_BY,
    Recorded,
    Surroundings,
    option_bits,
    without_cores,
)
from pipelines.infer.debian.source import SourcePackage
from pipelines.infer.debian.versions import Version, shown_strays, strays
from pipelines.infer.wheel.draft import comment, explained
from pipelines.infer.wheel.hypothesis import Scalar

_LIMITS = "limits: {cpus: 2, memory: 3GiB, scratch: 4GiB, time: 30min}"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One hypothesis: the image, and the words of DEB_BUILD_OPTIONS."""

    image: str
    options: tuple[str, ...]
    added: tuple[str, ...] = ()
    """Packages that the image holds beyond the common one."""
    evidence: str = ""
    """Why the options are more than the usual ones; empty when they are not."""
    around: Surroundings = field(default_factory=Surroundings)
    """What a .buildinfo recorded; its options are those of the record, tried or not."""
    strays: tuple[Version, ...] = ()
    """Recorded packages that the image has in another version, or not at all."""

    def with_record(
        self, recorded: Recorded, have: Mapping[str, str], listed: Sequence[Binary]
    ) -> Attempt:
        """Return the same with what a record says, in an image that holds the packages `have`.

        `listed` is what the suite serves under the recorded names. The number of cores and the
        tests are left to the search.
        """
        around = recorded.around
        options = tuple(dict.fromkeys((*self.options, *without_cores(around.options))))
        return replace(
            self,
            options=options,
            evidence=self.evidence if options == self.options else RECORDED_BY,
            around=around,
            strays=strays(recorded.record, have, listed),
        )

    def with_options(self, options: Sequence[str], evidence: str = "") -> Attempt:
        """Return the same with other options, and `evidence` beside that of those before."""
        reasons = dict.fromkeys(reason for reason in (self.evidence, evidence) if reason)
        return replace(self, options=tuple(options), evidence="; ".join(reasons))

    def values(self) -> dict[str, str | int | dict[str, str] | None]:
        """Return what makes this one differ from others, as plain data."""
        recorded = {scalar.name: scalar.value for scalar in self.around.scalars()}
        options = " ".join(self.options) or None
        return {"image": self.image, "DEB_BUILD_OPTIONS": options, **recorded}

    def scalars(self) -> tuple[Scalar, ...]:
        """Return the values that were recorded, or chosen by looking at the shipped files."""
        recorded = (*self._pins(), *self.around.scalars())
        if not self.evidence:
            return recorded
        value = " ".join(self.options)
        bits = sum(map(option_bits, {*self.options} - {"nocheck"}))
        chosen = Scalar(name="DEB_BUILD_OPTIONS", value=value, bits=bits, evidence=self.evidence)
        return (chosen, *recorded)

    def _pins(self) -> tuple[Scalar, ...]:
        """Return the versions that were asked for in the image, as one value."""
        pins = [word for word in self.added if "=" in word]
        bits = 8.0 * sum(len(word.partition("=")[2]) for word in pins)
        value = " ".join(pins)
        return (Scalar(name="image", value=value, bits=bits, evidence=RECORDED_BY),) * bool(pins)

    def environment(self) -> dict[str, str]:
        """Return the variables that the draft declares."""
        epoch = self.around.epoch
        found = {
            "DEB_BUILD_OPTIONS": " ".join(self.options),
            "SOURCE_DATE_EPOCH": "" if epoch is None else str(epoch),
        }
        return {name: value for name, value in found.items() if value}

    def fields(self) -> Iterator[str]:
        """Yield the lines of the draft's build section, from the environment on."""
        for scalar in self.scalars():
            yield from explained(scalar)
        if entry := self.around.entry:
            yield "  entry:"
            for name in ("version", "distribution", "urgency", "by", "date"):
                yield f"    {name}: {_text(getattr(entry, name))}"
            yield f"    changes: [{', '.join(map(_text, entry.changes))}]"
        if declared := self.environment():
            pairs = ", ".join(f'{name}: "{value}"' for name, value in declared.items())
            yield f"  environment: {{{pairs}}}"
        if self.around.profiles:
            yield f"  profiles: [{', '.join(self.around.profiles)}]"
        for name in ("path", "locale"):
            if value := getattr(self.around, name):
                yield f'  {name}: "{value}"'


def debian_draft(
    package: SourcePackage,
    attempt: Attempt,
    *,
    verdict: Verdict = Verdict.IDENTICAL,
    remaining: Iterable[Cause] = (),
) -> str:
    """Return the YAML of a draft; every value that was inferred is explained where it stands.

    `verdict` is what it came to when it was tried; `remaining` are the causes that keep
    it from being identical.
    """
    target = package.target
    head = ["draft: packages and digests are those of the suite's signed lists."]
    if attempt.added:
        names = " ".join(attempt.added)
        head.append(f"{attempt.image} holds {names} for the build dependencies.")
    head += [f"note: {note}" for note in target.notes]
    if attempt.strays:
        head.append(f"note: {shown_strays(attempt.strays)}")
    if verdict is not Verdict.IDENTICAL:
        head.append("NOT IDENTICAL: this is the nearest of what was tried.")
        head += [f"remaining cause {cause.name}: {cause.detail}" for cause in remaining]
    by_products = ["*-dbgsym_*.deb", *(["*.udeb"] if package.udebs else [])]
    lines = [
        *(line for text in head for line in comment("# ", text)),
        "schema: samebits/recipe/v1",
        "vendor: debian",
        f"product: {target.product}",
        f'version: "{target.version}"',
        "kind: binary",
        "platform: linux/amd64",
        "build:",
        f"  method: {'debian-binnmu' if attempt.around.entry else 'debian'}",
        f"  image: {attempt.image}",
        *attempt.fields(),
        "inputs:",
        "  - role: source",
        f'    locator: "{target.source.locator}"',
        f"    sha256: {target.source.sha256}",
        "artefacts:",
    ]
    for pin in package.artefacts:
        lines += [
            f'  - name: "{pin.name}"',
            "    shipped:",
            f'      locator: "{pin.locator}"',
            f"      sha256: {pin.sha256}",
        ]
    named = ", ".join(f'"{glob}"' for glob in by_products)
    lines += [
        f"by_products: [{named}]",
        'ignore: ["*.buildinfo", "*.changes"]',
        _LIMITS,
        f"expect: {{verdict: {verdict}}}",
    ]
    return "\n".join(lines) + "\n"


def _text(value: str) -> str:
    """Return text as YAML reads it back: every JSON string is one."""
    return json.dumps(value, ensure_ascii=False)
