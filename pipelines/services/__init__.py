"""A center that stands: its server, signer and workers, as processes that outlive the command."""
