"""All environments of the tests, with the learner of tests/faults.py instead of ours: `--env tests.stubbed:ID`.

For trainings in processes of their own whose learning is not what is tested: they start in a second instead of ten,
and so does each that a sweep, a search or a supervisor starts in turn. In pytest's own process nothing is changed.
"""

from __future__ import annotations

import sys

import tests.environments
import tests.leaving
import tests.meddling  # noqa: F401  # each registers its own
from tests.faults import use_stub

if "pytest" not in sys.modules:
    use_stub()
