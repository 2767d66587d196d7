"""Shared by the tests: the oracle, generators of input, readers of lakes, servers, and fault injection."""

import pytest

# Assertions in these modules show values when they fail, as in test modules.
pytest.register_assert_rewrite("support.lake_files", "support.s3_jobs", "support.sequence_replay")
