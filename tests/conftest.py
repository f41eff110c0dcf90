"""Hypothesis profiles: derandomised in CI, and a deep one for longer exploration."""

import os

from hypothesis import HealthCheck, settings

# No deadline: the first example of a property may compile a kernel, which takes seconds.
_BASE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _BASE, max_examples=25)
settings.register_profile("ci", _BASE, max_examples=50, derandomize=True)
settings.register_profile("deep", _BASE, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))
