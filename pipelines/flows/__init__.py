"""Prefect flows over plain functions: the only package that imports Prefect.

Imports nightly, requests and what stands below them; holds no logic of its own. Where it is
imported, all log records are escaped, and garbage is collected rarely: flow runs and the server are
processes of Prefect, which import much.
"""

from builders.core.garbage import collect_rarely
from builders.core.log_records import escape_logs

collect_rarely()
escape_logs()
