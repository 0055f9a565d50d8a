"""Settings of all tests: hypothesis profiles, and nothing that any one test needs."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# A shared machine is slow now and then: what a test promises is an outcome, never how long one example takes.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "default")
