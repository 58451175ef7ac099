"""Prefect flows over plain functions: the only package that imports Prefect.

Imports nightly, requests and what stands below them; holds no logic of its own. Where it is
imported, all log records are escaped: flow runs and the server are processes of Prefect.
"""

from builders.core.log_records import escape_logs

escape_logs()
