"""The samebits command. Only what a command needs is imported, and only when it runs."""

from pipelines.cli.main import main

__all__ = ["main"]
