"""The draft recipe of a Debian source package: the same text that is written is what is tried."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.infer.debiancauses import Cause
from pipelines.infer.debiansource import SourcePackage
from pipelines.infer.draft import MARK, comment
from pipelines.infer.hypothesis import Scalar

_LIMITS = "limits: {cpus: 2, memory: 3GiB, scratch: 4GiB, time: 30min}"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One hypothesis: the image, and the words of DEB_BUILD_OPTIONS."""

    image: str
    options: tuple[str, ...]
    added: tuple[str, ...] = ()
    """Packages that the image holds beyond the common one."""
    evidence: str = ""
    """Why the last of the options was chosen; empty when nothing was looked at."""

    def values(self) -> dict[str, str | int | dict[str, str] | None]:
        """Return what makes this one differ from others, as plain data."""
        return {"image": self.image, "DEB_BUILD_OPTIONS": " ".join(self.options) or None}

    def scalars(self) -> tuple[Scalar, ...]:
        """Return the values that were chosen by looking at the shipped files."""
        if not self.evidence:
            return ()
        value = " ".join(self.options)
        return (Scalar(name="DEB_BUILD_OPTIONS", value=value, bits=1, evidence=self.evidence),)


def debian_draft(
    package: SourcePackage,
    attempt: Attempt,
    *,
    identical: bool = True,
    remaining: Iterable[Cause] = (),
) -> str:
    """Return the YAML of a draft; every value that was inferred is explained where it stands.

    `remaining` are the causes that keep it from being identical.
    """
    target = package.target
    head = ["draft: packages and digests are those of the suite's signed lists."]
    if attempt.added:
        names = " ".join(attempt.added)
        head.append(f"{attempt.image} holds {names} for the build dependencies.")
    head += [f"note: {note}" for note in target.notes]
    if not identical:
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
        "  method: debian",
        f"  image: {attempt.image}",
    ]
    for scalar in attempt.scalars():
        text = f"{scalar.name} {scalar.value} ({scalar.bits:g} bits): {scalar.evidence}"
        lines += comment(f"  {MARK}", text)
    if attempt.options:
        lines.append(f'  environment: {{DEB_BUILD_OPTIONS: "{" ".join(attempt.options)}"}}')
    lines += [
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
        f"expect: {{verdict: {'IDENTICAL' if identical else 'DIFFERENT'}}}",
    ]
    return "\n".join(lines) + "\n"
