"""The parser jail: foreign bytes are read by a process that has no rights and is then discarded.

What reads a file is declared as a `Reader`. A `ParserJail` runs it in a process of its own, which
sees the file by its descriptor and nothing else, and returns a typed value. Imports `builders.core`
only.
"""

from builders.jail.errors import JailEnd, JailFailedError, JailUnavailableError
from builders.jail.file_reader import Jail, JailLimits, Nothing, Reader, Scratch
from builders.jail.parser_jail import ParserJail

__all__ = [
    "Jail",
    "JailEnd",
    "JailFailedError",
    "JailLimits",
    "JailUnavailableError",
    "Nothing",
    "ParserJail",
    "Reader",
    "Scratch",
]
