"""Every rule by which the differences of Debian packages are named, and how it is broken."""

from __future__ import annotations

from tests.mutation import Mutant

_DEBIAN = "infer/debiancauses"

DEBIAN_MUTANTS = (
    Mutant(
        _DEBIAN,
        "changed members",
        "return list(dict.fromkeys((*changed, *alone)))",
        "return list(dict.fromkeys(alone))",
    ),
    Mutant(
        _DEBIAN,
        "members of one side",
        "return list(dict.fromkeys((*changed, *alone)))",
        "return list(dict.fromkeys(changed))",
    ),
    Mutant(
        _DEBIAN,
        "members that came",
        "for member in (*self.look.removed, *self.look.added))",
        "for member in self.look.removed)",
    ),
    Mutant(
        _DEBIAN,
        "cut is what became shorter",
        "if (member.shipped.size or 0) > (member.rebuilt.size or 0)",
        "if True",
    ),
    Mutant(
        _DEBIAN, "cut is what is gone", "for path in (*shorter, *gone) if", "for path in shorter if"
    ),
    Mutant(_DEBIAN, "cut are changelogs alone", " if _TRIMMED.fullmatch(path)]", "]"),
    Mutant(
        _DEBIAN,
        "the newest member dates a release",
        "max((c.shipped.newest for c",
        "min((c.shipped.newest for c",
    ),
    Mutant(_DEBIAN, "newer tools", " and t.released > self.released]", "]"),
    Mutant(_DEBIAN, "tools of their kind", "if t.name.startswith(kinds) and", "if"),
    Mutant(_DEBIAN, "marks", "if own.get(command, version) != version:", "if False:"),
    Mutant(
        _DEBIAN,
        "marks that only one side has",
        "own.get(command, version) != version",
        "own.get(command) != version",
    ),
    Mutant(
        _DEBIAN,
        "what one rule took",
        "[p for p in left[contrast.name] if p not in taken]",
        "left[contrast.name]",
    ),
    Mutant(
        _DEBIAN,
        "sums and fields are not said",
        "[p for p in taken if p not in (_SUMS, _FIELDS)]",
        "taken",
    ),
    Mutant(_DEBIAN, "what is left", "if rest := list(_rest(case, left)):", "if rest := []:"),
    Mutant(_DEBIAN, "evidence is said", "; {_evidence(name, case)}", ""),
    Mutant(_DEBIAN, "the cause files-dropped", "    DebianCause.DROPPED: _dropped,\n", ""),
    Mutant(_DEBIAN, "the cause toolchain-drift", "    DebianCause.TOOLCHAIN: _toolchain,\n", ""),
    Mutant(_DEBIAN, "dropped by a newer debhelper", 'if not case.newer("debhelper"):', "if False:"),
    Mutant(
        _DEBIAN,
        "sums follow what was dropped",
        "return [*gone, *_control(contrast)] if gone",
        "return gone if gone",
    ),
    Mutant(
        _DEBIAN,
        "nothing dropped takes no sums",
        "_control(contrast)] if gone else ()",
        "_control(contrast)]",
    ),
    Mutant(
        _DEBIAN,
        "control files are drift",
        "        if path.startswith(_CONTROL)\n",
        "        if False\n",
    ),
    Mutant(
        _DEBIAN,
        "control files alone",
        "        if path.startswith(_CONTROL)\n        and contrast",
        "        if contrast",
    ),
    Mutant(
        _DEBIAN,
        "but for the marks",
        "        and contrast.shipped.control(path) == contrast.rebuilt.control(path)\n",
        "",
    ),
    Mutant(_DEBIAN, "drift by marks", "if case.marks() or case.newer", "if case.newer"),
    Mutant(
        _DEBIAN,
        "drift by newer tools",
        "if case.marks() or case.newer(*_COMPILING):",
        "if case.marks():",
    ),
    Mutant(
        _DEBIAN, "drift takes evidence", "if case.marks() or case.newer(*_COMPILING):", "if True:"
    ),
    Mutant(_DEBIAN, "compiled as shipped", "if contrast.shipped.compiled(p) and", "if"),
    Mutant(_DEBIAN, "compiled as rebuilt", " and contrast.rebuilt.compiled(p)]", "]"),
    Mutant(
        _DEBIAN,
        "sums follow drift",
        "return [*taken, *_control(contrast)] if taken",
        "return taken if taken",
    ),
    Mutant(
        _DEBIAN,
        "nothing drifted takes no sums",
        "_control(contrast)] if taken else ()",
        "_control(contrast)]",
    ),
    Mutant(
        _DEBIAN,
        "fields but for the size",
        "if fields[0] == fields[1]:",
        "if True:",
    ),
    Mutant(
        _DEBIAN,
        "the installed size follows",
        '_SIZE.sub(b"", side.control(_FIELDS))',
        "side.control(_FIELDS)",
    ),
    Mutant(
        _DEBIAN,
        "what cannot be read",
        "if contrast.look is None:\n            yield",
        "if False:\n            yield",
    ),
    Mutant(_DEBIAN, "what is packed otherwise", "elif not contrast.paths():", "elif False:"),
    Mutant(
        _DEBIAN,
        "debhelper alone drops",
        'kinds = ("debhelper",) if name is DebianCause.DROPPED else',
        "kinds =",
    ),
    Mutant(_DEBIAN, "newer tools are said", 'if newer else ""', 'if False else ""'),
    Mutant(_DEBIAN, "marks are said", "for part in (case.marks(), said)", "for part in (said,)"),
    Mutant(
        _DEBIAN, "members are named by their file", "name := side.file_of(path)", "name := path"
    ),
    Mutant(
        _DEBIAN,
        "each file once",
        "dict.fromkeys(_file(contrast, path) for",
        "list(_file(contrast, path) for",
    ),
    Mutant(
        _DEBIAN,
        "files that came",
        "for side in (contrast.shipped, contrast.rebuilt):",
        "for side in (contrast.shipped,):",
    ),
    Mutant(_DEBIAN, "control files have a plain name", '.replace(_CONTROL, "DEBIAN/")', ""),
    Mutant(_DEBIAN, "as many as are shown", "seen[:_SHOWN]", "seen"),
    Mutant(_DEBIAN, "how many more there are", 'if len(seen) > _SHOWN else ""', 'if False else ""'),
    # why no package was built
    Mutant(
        _DEBIAN, "unmet build dependencies", "if unmet := _UNMET.search(log):", "if unmet := None:"
    ),
    Mutant(
        _DEBIAN,
        "no end",
        "if outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES}:",
        "if outcome in {Outcome.OUT_OF_RESOURCES}:",
    ),
    Mutant(
        _DEBIAN,
        "no room is no end",
        "if outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES}:",
        "if outcome in {Outcome.TIMED_OUT}:",
    ),
    Mutant(_DEBIAN, "the first error is the reason", "lines[0] if lines", "lines[-1] if lines"),
    Mutant(
        _DEBIAN,
        "no error leaves the engine's reason",
        "lines[0] if lines else reason",
        "lines[0] if lines else ''",
    ),
)
