"""Edits of rules of capa. A sample is the features of a function, by instruction, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pipelines.rules.change import Weakness
from tests.rules.effect.cases import Case, edited

DROPPER = """\
rule:
  meta:
    name: drop evil file
    namespace: host-interaction/file-system/write
    authors:
      - lab@example.org
    scopes:
      static: function
      dynamic: unsupported
  features:
    - and:
      - match: open file
      - or:
        - api: kernel32.WriteFile
        - api: NtWriteFile
        - string: /evil|wicked/i
      - optional:
        - mnemonic: nop
      - or:
        - basic block:
          - and:
            - mnemonic: xor
            - or:
              - number: 0x40 = key
              - number: 0x41
        - 2 or more:
          - substring: evil
          - bytes: 4D 5A 90 = MZ
          - count(offset(8)): 3 or more
"""
OPEN = """\
rule:
  meta:
    name: open file
    lib: true
    scopes:
      static: basic block
      dynamic: unsupported
  features:
    - or:
      - api: CreateFile
      - api: fopen
"""
OPENED = ("api", "CreateFile")
WRITTEN = (OPENED, ("api", "WriteFile"))
KEY = (("mnemonic", "xor"), ("number", 0x40))
TWO = (("string", "so evil"), ("bytes", "4D 5A 90 00"))
OFFSETS = (("offset", 8),) * 3
OTHERS = "        - api: NtWriteFile\n        - string: /evil|wicked/i\n"
Features = Sequence[tuple[str, int | str]]


def _case(
    name: str,
    sample: Sequence[Features],
    *edits: tuple[str, str],
    weakness: Weakness | str | None = None,
) -> Case:
    files = [{"drop.yml": text, "open.yml": OPEN} for text in (DROPPER, edited(DROPPER, *edits))]
    data = json.dumps(sample).encode()
    return Case(name=name, old=files[0], new=files[1], sample=data, weakness=weakness)


W = Weakness
WEAKENED = (
    _case("a branch dropped", [WRITTEN, KEY], ("        - api: kernel32.WriteFile\n", ""),
          weakness=W.PATTERN_DROPPED),
    _case("another function", [WRITTEN, KEY], ("kernel32.WriteFile", "WriteFileEx"),
          weakness=W.PATTERN_DROPPED),
    _case("or became and", [WRITTEN, KEY], ("or:\n        - api", "and:\n        - api"),
          weakness=W.CONDITION_NARROWER),
    _case("one more demanded", [WRITTEN, KEY],
          ("      - match", "      - api: CloseHandle\n      - match"),
          weakness=W.CONDITION_NARROWER),
    _case("optional became demanded", [WRITTEN, KEY], ("optional:", "and:"),
          weakness=W.CONDITION_NARROWER),
    _case("two became three", [WRITTEN, TWO], ("2 or more", "3 or more"),
          weakness=W.THRESHOLD_RAISED),
    _case("a count raised", [WRITTEN, OFFSETS + TWO[:1]], ("3 or more", "4 or more"),
          weakness=W.THRESHOLD_RAISED),
    _case("a count with an end", [WRITTEN, OFFSETS + OFFSETS + TWO[:1]], ("3 or more", "(3, 5)"),
          weakness=W.THRESHOLD_RAISED),
    _case("an exclusion", [WRITTEN, (*KEY, ("string", "signed"))],
          ("      - match", "      - not:\n        - string: signed\n      - match"),
          weakness=W.EXCLUSION_ADDED),
    _case("case looked at", [(OPENED, ("string", "EVIL")), KEY], ("wicked/i", "wicked/"),
          weakness=W.PATTERN_DROPPED),
    _case("an alternative dropped", [(OPENED, ("string", "wicked")), KEY], ("evil|wicked", "evil"),
          weakness=W.PATTERN_DROPPED),
    _case("a substring longer", [WRITTEN, TWO], ("substring: evil", "substring: evil file"),
          weakness=W.PATTERN_DROPPED),
    _case("a substring whole", [WRITTEN, TWO], ("substring: evil", "string: evil"),
          weakness=W.PATTERN_DROPPED),
    _case("more bytes", [WRITTEN, TWO], ("4D 5A 90", "4D 5A 90 00 03"), weakness=W.PATTERN_DROPPED),
    _case("a number dropped inside", [WRITTEN, KEY], ("              - number: 0x40 = key\n", ""),
          weakness=W.PATTERN_DROPPED),
    _case("one more inside", [WRITTEN, KEY],
          ("            - mnemonic", "            - mnemonic: lea\n            - mnemonic"),
          weakness=W.CONDITION_NARROWER),
    _case("counted inside", [WRITTEN, KEY], ("mnemonic: xor", "count(mnemonic(xor)): 2 or more"),
          weakness=W.THRESHOLD_RAISED),
    _case("a smaller scope", [WRITTEN, KEY], ("static: function", "static: basic block"),
          weakness=W.SCOPE_NARROWER),
    _case("a library rule", [WRITTEN, KEY], ("    scopes:", "    lib: true\n    scopes:"),
          weakness=W.MADE_PRIVATE),
    _case("as if made by the engine", [WRITTEN, KEY],
          ("    scopes:", "    capa/subscope-rule: true\n    scopes:"), weakness=W.MADE_PRIVATE),
    _case("an internal namespace", [WRITTEN, KEY], ("host-interaction/file-system", "internal/x"),
          weakness=W.MADE_PRIVATE),
    _case("never true", [WRITTEN, KEY],
          ("      - match", "      - count(api(x)): 1\n      - count(api(x)): 2\n      - match"),
          weakness=W.NEVER_TRUE),
    _case("one feature twice", [WRITTEN, TWO], ("bytes: 4D 5A 90 = MZ", "substring: evil"),
          ("          - count(offset(8)): 3 or more\n", ""), weakness=W.PATTERN_DROPPED),
    Case(name="removed", old={"drop.yml": DROPPER, "open.yml": OPEN}, new={"open.yml": OPEN},
         sample=json.dumps([WRITTEN, KEY]).encode(), weakness="disabled"),
)  # fmt: skip

HARMLESS = (
    _case("a comment", [WRITTEN, KEY], ("rule:", "# what it does\nrule:")),
    _case("layout", [WRITTEN, KEY], ("    authors:\n      - lab@", "    authors: [lab@"),
          ("example.org\n", "example.org]\n")),
    _case("an author", [WRITTEN, KEY], ("lab@", "desk@")),
    _case("another namespace", [WRITTEN, KEY], ("file-system/write", "file-system/drop")),
    _case("branches in another order", [WRITTEN, KEY], ("        - api: kernel32.WriteFile\n", ""),
          (OTHERS, f"{OTHERS}        - api: WriteFile\n")),
    _case("a description", [WRITTEN, KEY], ("0x40 = key", "0x40 = the key")),
    _case("a number in another way", [WRITTEN, KEY], ("0x41", "65")),
    _case("the library of a function", [WRITTEN, KEY], ("kernel32.", "")),
    _case("one more optional", [WRITTEN, KEY], ("optional:\n", "optional:\n        - api: x\n")),
    _case("optional in another way", [WRITTEN, KEY], ("optional:", "0 or more:")),
    _case("one more branch", [WRITTEN, KEY], ("- api: NtW", "- api: x\n        - api: NtW")),
    _case("a shorter substring", [WRITTEN, TWO], ("substring: evil", "substring: vil")),
    _case("fewer bytes", [WRITTEN, TWO], ("4D 5A 90", "4D 5A")),
    _case("a lower count", [WRITTEN, OFFSETS + TWO[:1]], ("3 or more", "2 or more")),
    _case("the same count", [WRITTEN, OFFSETS + TWO[:1]], ("3 or more", "(3,)")),
    _case("fewer wanted", [WRITTEN, TWO], ("2 or more", "1 or more")),
    _case("one more choice inside", [WRITTEN, KEY],
          ("- number: 0x41", "- number: 0x42\n              - number: 0x41")),
    _case("not only inside", [WRITTEN, KEY], ("- basic block:", "- and:")),
    _case("any case", [(OPENED, ("string", "wicked")), KEY], ("wicked/i", "wicked|bad/i")),
    Case(name="another file", old={"drop.yml": DROPPER, "open.yml": OPEN},
         new={"nursery/drop.yml": DROPPER, "open.yml": OPEN},
         sample=json.dumps([WRITTEN, KEY]).encode()),
)  # fmt: skip
