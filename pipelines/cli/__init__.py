"""The samebits command.

Imports everything else, each command only when it runs.
"""

from pipelines.cli.main import main

__all__ = ["main"]
