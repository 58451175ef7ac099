"""`python -m pipelines.cli` is the samebits command."""

from pipelines.cli.main import main

main()
