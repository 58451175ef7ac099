"""Every rule by which differences are read and named, and how it is broken: none goes unnoticed."""

from __future__ import annotations

from tests.infer.debian_mutants import DEBIAN_MUTANTS
from tests.infer.order_mutants import ORDER_MUTANTS
from tests.infer.refine_mutants import REFINE_MUTANTS
from tests.mutation import Mutant, off

_CAUSES, _DIFFERENCES = "infer/causes", "infer/differences"
_GOES_ON = ("only_shipped", "only_rebuilt", "content", "modes", "packing")

MUTANTS = (
    # what differs between two wheels
    Mutant(_DIFFERENCES, "what is only shipped", "p for p in before if p not in after)", "())"),
    Mutant(_DIFFERENCES, "what is only rebuilt", "p for p in after if p not in before)", "())"),
    Mutant(
        _DIFFERENCES,
        "other content",
        "if before[p].sha256 != after[p].sha256 and p != record]",
        "if False]",
    ),
    Mutant(_DIFFERENCES, "RECORD only follows", " and p != record]", "]"),
    Mutant(_DIFFERENCES, "line endings", 'data.replace(b"\\r\\n", b"\\n")', "data"),
    Mutant(_DIFFERENCES, "line endings alone", "if pair and _same(pair, _plain_lines)", "if pair"),
    Mutant(
        _DIFFERENCES, "lines in another order", "for end in _LINE, _WORD:", "for end in (_WORD,):"
    ),
    Mutant(
        _DIFFERENCES, "words in another order", "for end in _LINE, _WORD:", "for end in (_LINE,):"
    ),
    Mutant(
        _DIFFERENCES,
        "the same words",
        "if sorted(left) == sorted(right):",
        "if len(left) == len(right):",
    ),
    Mutant(_DIFFERENCES, "how many moved", "sum(a != b for a, b in", "sum(1 for a, b in"),
    Mutant(
        _DIFFERENCES,
        "files in which words moved",
        "if pair and (moved := _moved(*pair))}",
        "if (moved := 0)}",
    ),
    Mutant(
        _DIFFERENCES,
        "words in another order are nearer",
        "            - 500 * len(self.shuffled)\n",
        "",
    ),
    Mutant(_DIFFERENCES, "versions", '_VERSION.sub(b"V", data)', "data"),
    Mutant(
        _DIFFERENCES, "versions alone", "if pair and _same(pair, _without_versions))", "if pair)"
    ),
    Mutant(_DIFFERENCES, "commits are versions", "|\\b(?:g?[0-9a-f]{7,40})\\b", ""),
    Mutant(_DIFFERENCES, "numbers of versions", "\\d+(?:\\.\\d+)+[0-9A-Za-z.+-]*|", ""),
    Mutant(_DIFFERENCES, "a bare number is no version", "(?:\\.\\d+)+[", "(?:\\.\\d+)*["),
    Mutant(_DIFFERENCES, "large files are not read for this", "> _MAX_TEXT", "> 1 << 60"),
    Mutant(
        _DIFFERENCES,
        "large on either side",
        "for archive in (one, other)) >",
        "for archive in (one,)) >",
    ),
    Mutant(
        _DIFFERENCES,
        "large as shipped",
        "for archive in (one, other)) >",
        "for archive in (other,)) >",
    ),
    Mutant(_DIFFERENCES, "packed to another size", "i.compress_size != sizes[i.filename]", "False"),
    Mutant(
        _DIFFERENCES,
        "packed in another way",
        "or before[i.filename].packing != after[i.filename].packing",
        "",
    ),
    Mutant(
        _DIFFERENCES,
        "other content is packed otherwise",
        "and before[i.filename].sha256 == after[i.filename].sha256\n",
        "\n",
    ),
    Mutant(
        _DIFFERENCES,
        "packing of what both have",
        "if i.filename in after\n",
        "if sizes.setdefault(i.filename, 0) >= 0\n",
    ),
    Mutant(
        _DIFFERENCES,
        "packages that were lost",
        "sorted(_packages(shipped) - _packages(rebuilt))",
        "sorted(set[str]())",
    ),
    Mutant(
        _DIFFERENCES,
        "packages that came are not lost",
        "_packages(shipped) - _packages(rebuilt)",
        "_packages(shipped) ^ _packages(rebuilt)",
    ),
    Mutant(_DIFFERENCES, "times", "if before[p].mtime != after[p].mtime\n", "if False\n"),
    Mutant(_DIFFERENCES, "modes", "if before[p].mode != after[p].mode}", "if False}"),
    Mutant(
        _DIFFERENCES,
        "shipped stands first",
        "p: (before[p].mode, after[p].mode)",
        "p: (after[p].mode, before[p].mode)",
    ),
    Mutant(
        _DIFFERENCES,
        "shipped time stands first",
        "p: (before[p].mtime, after[p].mtime)",
        "p: (after[p].mtime, before[p].mtime)",
    ),
    Mutant(_DIFFERENCES, "lines of METADATA", '_lines(shipped, rebuilt, "METADATA")', "()"),
    Mutant(_DIFFERENCES, "lines of WHEEL", '_lines(shipped, rebuilt, "WHEEL")', "()"),
    Mutant(
        _DIFFERENCES,
        "lines have their sign",
        "difflib.unified_diff(left, right,",
        "difflib.unified_diff(right, left,",
    ),
    Mutant(
        _DIFFERENCES, "lines without a frame", 'if not line.startswith(("---", "+++", "@@"))', ""
    ),
    Mutant(_DIFFERENCES, "lines have an end", "line[:200]", "line"),
    Mutant(_DIFFERENCES, "as many lines as are shown", "found[:_SHOWN_LINES]", "found"),
    Mutant(_DIFFERENCES, "order of RECORD", "[p for p in left if p in common] != [", "[] and ["),
    Mutant(
        _DIFFERENCES,
        "order of RECORD is of what both name",
        "if p in common] != [p for p in right if p in common]",
        "] != [p for p in right]",
    ),
    Mutant(
        _DIFFERENCES,
        "order of members",
        "order = [p for p in before if p in after] !=",
        "order = [] and",
    ),
    Mutant(
        _DIFFERENCES,
        "order of what both have",
        "[p for p in before if p in after] != [p for p in after if p in before]",
        "list(before) != list(after)",
    ),
    Mutant(
        _DIFFERENCES,
        "folders whose members moved",
        "reordered(before, after) if order else reordered(*rows)",
        "reordered(*rows)",
    ),
    Mutant(
        _DIFFERENCES,
        "folders that moved in RECORD",
        "reordered(before, after) if order else reordered(*rows)",
        "reordered(before, after)",
    ),
    # how far apart they are
    Mutant(_DIFFERENCES, "content weighs most", "1000 * (", "1 * ("),
    Mutant(
        _DIFFERENCES,
        "packing weighs more than times",
        "10 * len(self.packing)",
        "len(self.packing)",
    ),
    Mutant(_DIFFERENCES, "what is shipped alone weighs", "len(self.only_shipped) + ", ""),
    Mutant(_DIFFERENCES, "what is rebuilt alone weighs", "len(self.only_rebuilt) + ", ""),
    Mutant(_DIFFERENCES, "content weighs", " + len(self.content))", ")"),
    Mutant(_DIFFERENCES, "modes weigh", "+ len(self.modes)\n", "\n"),
    Mutant(_DIFFERENCES, "times weigh", "+ len(self.times)\n", "\n"),
    Mutant(_DIFFERENCES, "order weighs", "+ self.order\n", "\n"),
    Mutant(_DIFFERENCES, "order of RECORD weighs", "+ self.record_order\n", "\n"),
    # causes of wheels: which files
    Mutant(
        _CAUSES,
        "what backends write lies in their folder",
        "folder == self.clues.shipped.dist_info and name",
        "name",
    ),
    Mutant(_CAUSES, "what backends write has its name", " and name in _BACKEND_FILES", ""),
    Mutant(_CAUSES, "bytes that the source has", "any(member.size or f", "any(False and f"),
    Mutant(_CAUSES, "an empty file is known by its name", "any(member.size or f", "any(True or f"),
    Mutant(
        _CAUSES,
        "a name is the whole name",
        """name = f"/{path.rpartition('/')[2]}\"""",
        "name = path.rpartition('/')[2]",
    ),
    Mutant(_CAUSES, "folders are not files", 'path.split("/")[:-1]}', 'path.split("/")}'),
    # causes of wheels: which rules
    *(
        Mutant(_CAUSES, f"the cause {name}", f"    InferredCause.{key}: {rule},\n", "")
        for name, key, rule in (
            ("files-the-sdist-lacks", "SDIST_LACKS", "_sdist_lacks"),
            ("files-added-by-the-vendor", "VENDOR_ADDED", "_vendor_added"),
            ("version-strings", "VERSION_STRINGS", "_versions"),
            ("line-endings", "LINE_ENDINGS", "_line_endings"),
            ("metadata-of-another-backend", "METADATA", "_metadata"),
            ("python-version", "PYTHON_VERSION", "_python"),
            ("generated-times", "GENERATED_TIMES", "_generated_times"),
            ("modes", "MODES", "_modes"),
            ("record-order", "RECORD_ORDER", "_record_order"),
            ("compression", "COMPRESSION", "_compression"),
            ("unexplained", "UNEXPLAINED", "_unexplained"),
        )
    ),
    Mutant(
        _CAUSES,
        "never without a cause",
        "return tuple(found) or (\n",
        "return tuple(found) if found is not None else (\n",
    ),
    Mutant(_CAUSES, "as many as are shown", "seen[:_SHOWN]", "seen"),
    Mutant(_CAUSES, "how many more there are", 'if len(seen) > _SHOWN else ""', 'if False else ""'),
    # causes of wheels: what each is seen in
    Mutant(
        _CAUSES,
        "added is what no source holds",
        "if case.in_source(path) or _PYTHON_NAME.search(path):",
        "if _PYTHON_NAME.search(path):",
    ),
    Mutant(
        _CAUSES,
        "added is what is not named after a Python",
        "if case.in_source(path) or _PYTHON_NAME.search(path):",
        "if case.in_source(path):",
    ),
    Mutant(_CAUSES, "made of a source file", "if derived or (", "if ("),
    Mutant(_CAUSES, "made of a file with a folder", 'if "/" in stem else False', ""),
    Mutant(_CAUSES, "a license is lacking, not added", "not case.in_dist_info(path) and ", ""),
    Mutant(_CAUSES, "added to a folder of its own", " and folder not in case.folders()", ""),
    Mutant(
        _CAUSES,
        "lacking is what no source holds",
        "            case.in_source(path)\n            or case.of",
        "            case.of",
    ),
    Mutant(
        _CAUSES, "lacking is what no backend writes", "            or case.of_backend(path)\n", ""
    ),
    Mutant(_CAUSES, "lacking is what was not added", "            or path in added\n", ""),
    Mutant(
        _CAUSES,
        "lacking is what is not named after a Python",
        "            or _PYTHON_NAME.search(path)\n        ):",
        "        ):",
    ),
    Mutant(
        _CAUSES,
        "packages of the vendor's checkout",
        "for name in case.differences.lost_packages)",
        "for name in ())",
    ),
    Mutant(
        _CAUSES,
        "what backends write is not changed",
        "if not case.of_backend(p) and p not in d.line_endings]",
        "if p not in d.line_endings]",
    ),
    Mutant(_CAUSES, "line endings are not unexplained", " and p not in d.line_endings]", "]"),
    Mutant(
        _CAUSES, "versions are versions alone", "if p in case.differences.version_strings]", "]"
    ),
    Mutant(_CAUSES, "versions are not unexplained", "if p not in known)", ")"),
    Mutant(
        _CAUSES, "content without a rule", "(p for p in _changed(case) if p not in known)", "()"
    ),
    Mutant(_CAUSES, "the original of what the vendor made", " or p in made or", " or"),
    Mutant(_CAUSES, "what is only rebuilt", "(*lost, *kept)", "(*kept,)"),
    Mutant(_CAUSES, "what the source has and was not built", "(*lost, *kept)", "(*lost,)"),
    Mutant(
        _CAUSES,
        "names of another Python are not lost",
        "if not (_PYTHON_NAME.search(p) or p",
        "if not (p",
    ),
    Mutant(
        _CAUSES,
        "licenses of the source are the backend's",
        "if case.in_source(p) and not case.in_dist_info(p)",
        "if case.in_source(p)",
    ),
    Mutant(
        _CAUSES,
        "a list of packages is lacking, not written",
        "if case.of_backend(p) and p != lacking]",
        "if case.of_backend(p)]",
    ),
    Mutant(_CAUSES, "that list follows lost packages alone", 'if d.lost_packages else ""', ""),
    Mutant(_CAUSES, "the rebuild's own files of the backend", " or case.in_dist_info(p))\n", ")\n"),
    Mutant(
        _CAUSES,
        "what the vendor's backend writes",
        "if case.of_backend(p) or (case.in",
        "if (case.in",
    ),
    Mutant(
        _CAUSES,
        "what this backend writes",
        "names += [p for p in d.only_rebuilt if case.in_dist_info(p)]",
        "pass",
    ),
    Mutant(
        _CAUSES,
        "other files of the rebuild",
        "names += [p for p in d.only_rebuilt if case.in_dist_info(p)]",
        "names += d.only_rebuilt",
    ),
    Mutant(
        _CAUSES,
        "licenses that one backend copies",
        " or (case.in_dist_info(p) and case.in_source(p))\n",
        "\n",
    ),
    Mutant(
        _CAUSES,
        "licenses of no source",
        "(case.in_dist_info(p) and case.in_source(p))",
        "case.in_dist_info(p)",
    ),
    Mutant(
        _CAUSES,
        "other copies of the source",
        "(case.in_dist_info(p) and case.in_source(p))",
        "case.in_source(p)",
    ),
    Mutant(_CAUSES, "lines of METADATA are said", "if lines else path", "if False else path"),
    Mutant(
        _CAUSES, "lines of METADATA belong to it", 'if path.endswith("/METADATA") and len', "if len"
    ),
    Mutant(
        _CAUSES,
        "a Python in a name",
        "yield from (p for p in (*d.only_shipped, *d.only_rebuilt) if _PYTHON_NAME.search(p))",
        "pass",
    ),
    Mutant(
        _CAUSES,
        "a Python in a tag",
        'yield from (line for line in d.wheel if "Tag:" in line)',
        "pass",
    ),
    Mutant(_CAUSES, "tags alone", ' if "Tag:" in line)', ")"),
    Mutant(
        _CAUSES,
        "the order of members is RECORD's",
        "if d.record_order or d.order else",
        "if d.record_order else",
    ),
    Mutant(_CAUSES, "the order of RECORD", "if d.record_order or d.order else", "if d.order else"),
    # why no wheel was built
    Mutant(
        _CAUSES,
        "no end is said first",
        "if outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES}:",
        "if outcome in {Outcome.OUT_OF_RESOURCES}:",
    ),
    Mutant(
        _CAUSES,
        "no room is no end",
        "if outcome in {Outcome.TIMED_OUT, Outcome.OUT_OF_RESOURCES}:",
        "if outcome in {Outcome.TIMED_OUT}:",
    ),
    Mutant(
        _CAUSES,
        "a module that is not there",
        'if any("No module named" in line for line in lines[-1:]) or ',
        "if ",
    ),
    Mutant(_CAUSES, "the last error counts", "for line in lines[-1:]) or", "for line in lines) or"),
    Mutant(_CAUSES, "a project that is not there", ' or "No matching distribution" in log:', ":"),
    off(_CAUSES, "a backend too old for the Pythons", "lines"),
    Mutant(
        _CAUSES,
        "the backend is named",
        'f"{known.project} {known.version}" if known else "the backend"',
        '"the backend"',
    ),
    Mutant(
        _CAUSES,
        "a backend without a name",
        'if known else "the backend"',
        'if True else "the backend"',
    ),
    Mutant(_CAUSES, "the last line of a failed build", "(last or ['?'])[-1]", "(last or ['?'])[0]"),
    Mutant(_CAUSES, "a log without lines", "(last or ['?'])[-1]", "last[-1]"),
    # when further tries are a waste
    Mutant(_CAUSES, "added files end the search", "any(True for _ in _vendor_added(case)) or ", ""),
    Mutant(
        _CAUSES, "lacking files end the search", " or any(True for _ in _sdist_lacks(case)):", ":"
    ),
    *(
        Mutant(
            _CAUSES,
            f"the search goes on: {left_out}",
            f"if {' or '.join(f'd.{name}' for name in _GOES_ON)}:",
            f"if {' or '.join(f'd.{name}' for name in _GOES_ON if name != left_out)}:",
        )
        for left_out in _GOES_ON
    ),
    Mutant(_CAUSES, "moments of one build", " <= _ONE_BUILD for", " <= 10**10 for"),
    *DEBIAN_MUTANTS,
    *REFINE_MUTANTS,
    *ORDER_MUTANTS,
)
