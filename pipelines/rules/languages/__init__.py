"""Languages of rules: one module each, and this table.

All of them run in the jail. Imports `builders.core`, and what a rule is.
"""

from pipelines.rules.languages import (
    capa,
    clamav,
    modsecurity,
    osquery,
    semgrep,
    sigma,
    snort,
    spamassassin,
    suricata,
    yara,
)
from pipelines.rules.languages.rule_language import RuleLanguage

LANGUAGES: tuple[RuleLanguage, ...] = (
    yara.LANGUAGE,
    clamav.LANGUAGE,
    sigma.LANGUAGE,
    semgrep.LANGUAGE,
    capa.LANGUAGE,
    snort.LANGUAGE,
    suricata.LANGUAGE,
    modsecurity.LANGUAGE,
    osquery.LANGUAGE,
    spamassassin.LANGUAGE,
)
"""The first that says that a file is its own reads it."""

ORDERED = frozenset(language.name for language in LANGUAGES if language.ordered)
"""Languages to which the order of the rules of a file matters."""
