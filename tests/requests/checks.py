"""Every check of requests, receipts and heartbeats: how it is broken, and who notices."""

from __future__ import annotations

from tests.requests.asking_checks import ASKING_CHECKS
from tests.requests.heartbeat_checks import HEARTBEAT_CHECKS
from tests.requests.record_checks import RECORD_CHECKS
from tests.requests.serving_checks import SERVING_CHECKS
from tests.requests.taking_checks import TAKING_CHECKS

CHECKS = (
    *TAKING_CHECKS,
    *SERVING_CHECKS,
    *RECORD_CHECKS,
    *ASKING_CHECKS,
    *HEARTBEAT_CHECKS,
)
