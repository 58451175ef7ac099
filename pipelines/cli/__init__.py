"""The samebits command; may import every package of `pipelines`, and none imports it."""

from pipelines.cli.main import main

__all__ = ["main"]
