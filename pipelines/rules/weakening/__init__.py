"""What a change of a rule does to what is detected: one module a language, and what they share.

Each looks at the facts of two rules of one identity, and returns how what the new one detects
relates to what the old one does, field by field. Whatever a field's change comes to that is not
known makes the effect unknown; it is never taken as harmless. Imports what
a rule and a change are.
"""

from pipelines.rules.weakening.judge import judge_change

__all__ = ["judge_change"]
