"""The catalog of bad input, rows 1 to 118, each with its expected outcome.

A row is a list of cases (`Case`), or the name of another test that covers it (`Elsewhere`), or a platform
that the package does not support (`Unsupported`). This module does not call the package. The rows on the
contents of files are in `bad_input_formats` and `bad_input_values`; the rows on files, locations and
configuration are here.
"""

from __future__ import annotations

from support import bad_input_formats, bad_input_values
from support.bad_input_cases import (
    Case,
    Row,
    python,
    rust,
)

ROWS: dict[int, Row] = {
    **bad_input_formats.ROWS,
    **bad_input_values.ROWS,
    # --- listing and files ---
    86: [
        Case(
            name="files of other programs",
            files=dict.fromkeys(
                [
                    "log_data/.DS_Store",
                    "log_data/_temporary/0/part.json",
                    "log_data/_SUCCESS",
                    "log_data/.case.json.crc",
                    "log_data/case.json~",
                    "log_data/.case.json.swp",
                    "log_data/case.json.tmp",
                ],
                b"nonsense",
            ),
        )
    ],
    87: python("s3/test_odd_keys", "test_objects_without_data_are_skipped"),
    88: python(
        "s3/test_odd_keys",
        "test_unusual_keys_are_read_or_refused_by_name",
        "test_odd_keys_outside_the_input_are_ignored",
    ),
    89: [
        *python("s3/test_odd_keys", "test_all_pages_of_a_listing_are_read"),
        *rust("s3_input", "listing_many_keys_takes_few_more_requests_than_pages"),
    ],
    90: [
        *python("s3/test_faults", "test_an_input_that_changes_during_the_run_ends_it"),
        *rust("s3_client", "a_changed_object_is_reported"),
    ],
    91: rust("failures", "a_file_that_changed_since_it_was_listed_ends_the_run"),
    92: rust("failures", "a_file_that_changed_since_it_was_listed_ends_the_run"),
    93: python("s3/test_access", "test_a_denied_object_is_named"),
    94: python(
        "s3/test_access", "test_an_archived_object_is_named", "test_an_object_with_a_denied_kms_key_is_named"
    ),
    95: python("lake/test_locations", "test_special_files_are_never_opened"),
    96: python("input/test_bad_input", "test_a_file_name_that_is_not_utf8_is_escaped"),
    97: python("input/test_bad_input", "test_a_file_that_several_patterns_match_is_read_once"),
    98: python("lake/test_locations", "test_a_missing_or_empty_input_is_refused"),
    99: python("input/test_bad_input", "test_an_input_that_shrank_is_refused"),
    # --- environment ---
    100: python("s3/test_access", "test_a_wrong_region_is_reported", "test_a_missing_bucket_is_reported"),
    101: python("s3/test_access", "test_a_token_that_expires_during_the_run"),
    102: python("s3/test_access", "test_a_wrong_clock_is_reported"),
    103: [
        *python(
            "s3/test_faults",
            "test_every_fault_at_every_kind_of_request",
            "test_a_store_that_keeps_failing_ends_the_run",
        ),
        *rust("s3_client", "retries_end_with_the_patience"),
    ],
    104: python(
        "lake/test_disk_failures",
        "test_a_full_disk_leaves_no_visible_table",
        "test_a_full_disk_keeps_the_old_tables",
    ),
    105: [
        *python(
            "lake/test_disk_failures",
            "test_a_read_only_disk_is_refused",
            "test_an_output_without_write_permission_is_refused",
        ),
        *python(
            "s3/test_access",
            "test_a_denied_write_is_found_before_reading",
            "test_a_denied_delete_is_found_before_writing",
        ),
    ],
    106: [
        *python("tables/test_invariance", "test_the_smallest_memory_limit_gives_the_same_files"),
        *rust("pipeline", "a_small_memory_limit_gives_the_same_bytes"),
    ],
    107: python("input/test_bad_input", "test_a_low_limit_of_open_files_is_enough"),
    108: python(
        "s3/test_access",
        "test_a_private_certificate_needs_ca_file",
        "test_an_invalid_ca_file_is_refused",
    ),
    109: python("s3/test_access", "test_a_store_without_conditional_writes_causes_a_warning"),
    110: python("crash/test_signals", "test_a_run_in_a_forked_process"),
    # --- configuration and concurrency ---
    111: [
        *python("lake/test_locations", "test_overlapping_input_and_output_are_refused"),
        *python("lake/test_locations", "test_an_input_symlink_into_the_output_is_refused"),
        *python("s3/test_jobs", "test_overlapping_locations_are_refused"),
    ],
    112: [
        *python("lake/test_rerun", "test_a_concurrent_run_is_refused"),
        *python("crash/test_overlapping_runs", "test_overlapping_runs_equal_sequential_runs"),
    ],
    113: python(
        "crash/test_kills_and_disk_faults",
        "test_a_run_killed_before_every_operation",
        "test_a_recovery_killed_before_every_operation",
    ),
    114: python(
        "lake/test_foreign_files",
        "test_foreign_files_are_refused_and_kept",
        "test_a_foreign_file_next_to_written_files_is_refused",
    ),
    115: python("lake/test_foreign_files", "test_adopt_replaces_the_files_of_spark"),
    116: python("input/test_bad_input", "test_tables_with_another_partitioning_are_foreign"),
    117: python(
        "config/test_config_files",
        "test_supported_layouts_of_dl_cfg",
        "test_warnings_name_the_line",
        "test_conflicting_values_are_refused_unless_an_argument_decides",
    ),
    118: rust("failures", "a_lake_of_a_newer_format_is_not_touched"),
}
