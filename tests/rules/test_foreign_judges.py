"""Engines look at rules that their distributors ship, and at ours: what they take, we read."""

from __future__ import annotations

import ctypes
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.rules.languages import capa, modsecurity, sigma, suricata, yara
from pipelines.rules.languages.rule_language import RuleFault, RuleLanguage
from tests.rules.effect.engine_labels import capa_says
from tests.rules.languages import test_capa, test_modsecurity, test_sigma, test_suricata
from tests.rules.languages.samples import CAPA, MODSECURITY, SIGMA, SURICATA, SURICATA_HEAD

pytestmark = pytest.mark.host

SURICATA_RULES = Path("/etc/suricata/rules")
CRS = Path("/usr/share/modsecurity-crs/rules")
SIGMA_CHECK = Path(sys.prefix) / "judges/bin/sigma"
OFF = {"dnp3", "modbus"}
"""Protocols that Debian's configuration of Suricata has off."""
NEW = {
    "some.new_buffer;": "no keyword of the engine",
    "some_new_option:1;": "no keyword of the engine",
    "some_new_option:2;": "no keyword of the engine",
}
"""What we read and an engine does not, and why."""


def faults(language: RuleLanguage, path: str, data: bytes) -> list[RuleFault]:
    return [one for one in language.read_rules(path, data) if isinstance(one, RuleFault)]


def refused_lines(rules: Sequence[str], folder: Path) -> set[int]:
    """Return the lines that Suricata refuses."""
    file = folder / "all.rules"
    file.write_text("\n".join(rules) + "\n")
    command = (
        "suricata",
        "-T",
        "-c",
        "/etc/suricata/suricata.yaml",
        "-v",
        "-l",
        folder,
        "-S",
        file,
    )
    run = subprocess.run(command, capture_output=True, timeout=300, check=False)
    said = (run.stdout + run.stderr).decode("utf-8", "replace")
    assert re.search(r"\d+ rules? successfully loaded|Loading signatures failed", said)
    return {int(line) for line in re.findall(r"all\.rules at line (\d+)", said)}


def numbered(rules: Sequence[str]) -> list[str]:
    """Give each rule a number of its own, as the engine wants."""
    return [re.sub(r"\bsid:\d+", f"sid:{1000 + n}", rule) for n, rule in enumerate(rules)]


def test_suricata_loads_the_rules_of_its_package_and_so_do_we(tmp_path: Path) -> None:
    files = {path: path.read_bytes() for path in sorted(SURICATA_RULES.glob("*.rules"))}
    rules = [line for data in files.values() for line in data.decode().splitlines() if line]
    assert len(files) > 10
    refused = {rules[line - 1].split()[1] for line in refused_lines(rules, tmp_path)}
    assert refused <= OFF
    for path, data in files.items():
        assert faults(suricata.LANGUAGE, str(path), data) == []
    read = [list(suricata.LANGUAGE.read_rules(str(path), data)) for path, data in files.items()]
    assert sum(map(len, read)) == len([one for one in rules if re.search(r"\bsid:\d+;", one)]) > 400


def test_suricata_takes_the_options_that_we_tell_apart(tmp_path: Path) -> None:
    options = sorted({one for pair in test_suricata.WRITTEN + test_suricata.ACTING for one in pair})
    rules = numbered([SURICATA, *(f"{SURICATA_HEAD} ({one} sid:1; rev:1;)" for one in options)])
    refused = {options[line - 2] for line in refused_lines(rules, tmp_path)}
    assert refused <= set(NEW) | {one for one in options if "dns.query" in one}
    assert faults(suricata.LANGUAGE, "all.rules", "\n".join(rules).encode()) == []


def test_suricata_refuses_what_we_refuse(tmp_path: Path) -> None:
    rules = [text for text, _ in test_suricata.FAULTS if "\0" not in text and len(text) < 8000]
    assert refused_lines(rules, tmp_path) == set(range(1, len(rules) + 1))


YARA_TAKES = [
    "rule a { condition: true }",
    "private rule a : b c { meta: x = true y = -3 condition: filesize < 1KB }",
    'rule a { strings: $ = "x\\x41\\"" fullword nocase condition: any of them }',
    "rule a { strings: $x = { ~4? ( 41 | 42 [1-4] 43 ) } condition: #x in (0..9) == 2 }",
    r"rule a { strings: $x = /a\/b[\/]{1,2}/is condition: for all i in (1..#x) : ( @x[i] > 3 ) }",
    'rule a { condition: for any s in ("a", "b") : ( s contains "a" ) and not defined uint8(9) }',
    'rule a { strings: $a1 = "a" $a2 = "b" xor(1-9) condition: 50% of ($a*) or none of them }',
    "rule a { condition: true } rule b { condition: a and 0x10 == 16 and 1.5 > 1 }",
    "// rule x {\nrule a { /* } */ condition: 1 }",
    'import "pe" global rule a { condition: pe.number_of_sections == 5 and uint16be(0) == 0o17 }',
]
YARA_REFUSES = [
    "rule a { condition: true",
    'rule a { strings: $x = "open\n condition: $x }',
    "rule a { strings: $x = { 41 condition: $x }",
    "rule a { meta: x condition: true }",
    "rule { condition: true }",
    "rule a { }",
    "rule a { strings: $x = 5 condition: true }",
    "rule a",
    "nonsense here",
    "rule a { strings: $x = /open condition: $x }",
]


def compiles(text: str, folder: Path) -> bool:
    """Say whether yarac takes a file."""
    (folder / "a.yar").write_text(text)
    command = ("yarac", "--no-warnings", folder / "a.yar", folder / "a.yarc")
    return subprocess.run(command, capture_output=True, timeout=300, check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "sound"),
    [*((text, True) for text in YARA_TAKES), *((text, False) for text in YARA_REFUSES)],
)
def test_yarac_says_what_we_say(text: str, sound: bool, tmp_path: Path) -> None:
    assert compiles(text, tmp_path) == sound
    assert (faults(yara.LANGUAGE, "a.yar", text.encode()) == []) == sound


@pytest.fixture(scope="module")
def engine() -> ctypes.CDLL:
    library = ctypes.CDLL("libmodsecurity.so.3")
    library.msc_create_rules_set.restype = ctypes.c_void_p
    return library


def loads(engine: ctypes.CDLL, text: str | Path) -> bool:
    """Say whether libmodsecurity takes a file, or text."""
    rules, error = ctypes.c_void_p(engine.msc_create_rules_set()), ctypes.c_char_p()
    load = engine.msc_rules_add_file if isinstance(text, Path) else engine.msc_rules_add
    return int(load(rules, str(text).encode(), ctypes.byref(error))) >= 0


def test_modsecurity_loads_the_core_rule_set_and_so_do_we(engine: ctypes.CDLL) -> None:
    files = sorted(CRS.glob("*.conf"))
    assert len(files) > 20
    found = []
    for path in files:
        assert loads(engine, path)
        read = list(modsecurity.LANGUAGE.read_rules(str(path), path.read_bytes()))
        assert [one for one in read if isinstance(one, RuleFault)] == []
        found += [one.identity for one in read if not isinstance(one, RuleFault) and one.enabled]
    text = "".join(path.read_text() for path in files)
    ids = re.findall(r"^[^#\n]*\bid:'?(\d+)", text, re.MULTILINE)
    assert sorted(one for one in found if one.isdigit()) == sorted(ids)
    assert len(ids) > 500


def test_modsecurity_takes_our_rule_and_refuses_most_of_what_we_refuse(
    engine: ctypes.CDLL,
) -> None:
    assert loads(engine, MODSECURITY)
    taken = {said for text, said in test_modsecurity.FAULTS if loads(engine, f"{text}\n")}
    assert taken == {"does not end", "an action", "engines differ", "variables"}


def refused_by_sigma(folder: Path) -> int:
    """Return how many of the rules in a folder `sigma check` refuses."""
    config = folder / "no-validators.txt"
    config.write_text("validators: []\n")
    command = (SIGMA_CHECK, "check", "--validation-config", config, folder)
    run = subprocess.run(command, capture_output=True, timeout=300, check=False)
    found = re.search(r"Found (\d+) errors, (\d+) condition errors", run.stdout.decode())
    assert found
    return int(found[1]) + int(found[2])


def test_sigma_check_takes_our_rule_and_refuses_what_we_refuse(tmp_path: Path) -> None:
    sound = {"rule.yml": SIGMA, "lists.yml": SIGMA.replace("[b, a]", "[b, [a, {A: 1}]]")}
    broken = {
        f"{number}.yml": SIGMA.replace(old, new)
        for number, (old, new, said) in enumerate(test_sigma.FAULTS)
        if said != "not one of"  # ends the checker with an error of its own
    }
    for name, files in {"sound": sound, "broken": broken}.items():
        folder = tmp_path / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text)
            assert bool(faults(sigma.LANGUAGE, file, text.encode())) == (name == "broken")
        assert refused_by_sigma(folder) == (len(files) if name == "broken" else 0)


def test_capa_takes_our_rule_and_refuses_what_we_refuse() -> None:
    stricter = {"no list", "twice"}
    broken = [text for text, said in test_capa.broken() if said not in stricter]
    sound = [CAPA, *test_capa.same()]
    refused = capa_says({"rules": [*sound, *broken], "cases": []})["refused"]
    assert refused[: len(sound)] == [""] * len(sound)
    assert [text for text, why in zip(broken, refused[len(sound) :], strict=True) if not why] == []
    for text in sound:
        assert faults(capa.LANGUAGE, "a.yml", text.encode()) == []
