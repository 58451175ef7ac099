"""All named attacks in one table; `python -m tests.attacks.table` writes the page of them."""

from __future__ import annotations

from pathlib import Path

from tests.attacks import bundle_attacks, desk_attacks, log_attacks, policy_attacks, town_attacks
from tests.attacks.attack import Attack, Attacker

ATTACKS: dict[str, Attack] = (
    town_attacks.ATTACKS
    | log_attacks.ATTACKS
    | policy_attacks.ATTACKS
    | bundle_attacks.ATTACKS
    | desk_attacks.ATTACKS
)
PAGE = Path(__file__).parents[2] / "infra" / "docs" / "explanation" / "attacks.md"
OWNS = {
    Attacker.VENDOR: "The vendor has its files, its recipes and its mirrors.",
    Attacker.CENTER: "A center has its keys, its store, its log and its clock.",
    Attacker.OPERATOR: "An operator has the key with which it signs policies.",
    Attacker.REQUESTER: "A requester writes where a center looks for requests.",
    Attacker.NETWORK: "The network has every byte on the way.",
    Attacker.STORE: "Whoever has the store of a center, and none of its keys.",
}
START = """\
# Named attacks

Each of these is a test in `tests/attacks`. It starts from an honest world, makes the attack, and
requires that the reader in the second column says the word in the last one, and that nothing
passes. No two attacks end in the same word at one reader. What the words mean is in
[results](../reference/results.md); what is guaranteed against whom, in the
[threat model](threat-model.md).

This page is written by `python -m tests.attacks.table`.
"""


def page() -> str:
    """Return the page: a table for each attacker."""
    parts = [START]
    for by, owns in OWNS.items():
        mine = {name: attack for name, attack in ATTACKS.items() if attack.by is by}
        rows = (f"| `{name}` | {a.reader} | `{a.ends}` |\n" for name, a in mine.items())
        head = "| attack | found out by | as |\n|---|---|---|\n"
        parts.append(f"## {by.title()}\n\n{owns}\n\n{head}{''.join(rows)}")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page())
