"""
Tests. What holds for all property tests is set here: on a busy machine an example may take its time, and so may the
making of one.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# On top of what hypothesis itself chooses where CI is set.
settings.register_profile("steady", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")
