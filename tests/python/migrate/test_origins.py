"""Where credentials and paths come from, and what the functions of the new script do with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from migrate.plain_script import SCRIPT, migrated, remarks

FILES = {
    '"dl.cfg"': (None, "dl.cfg stays unchanged"),
    '"../dl.cfg"': (None, "dl.cfg stays unchanged"),
    '["defaults.cfg", "dl.cfg"]': (None, "dl.cfg stays unchanged"),
    '"aws.cfg"': ("copy it to dl.cfg", None),
    'os.path.join(os.path.dirname(__file__), "envs.cfg")': ("copy it to dl.cfg", None),
    "f\"{os.path.expanduser('~')}/.aws/credentials\"": (None, "sparkify-lake reads this file too"),
}


# read() also takes a list of files.
READS = [f"config.read({path})" for path in FILES]
READS += [f"config.read_file(open({path}))" for path in FILES if "[" not in path]


@pytest.mark.parametrize("read", READS)
def test_the_file_of_the_credentials_is_named(read: str, tmp_path: Path) -> None:
    path = next(path for path in FILES if f"({path})" in read)
    unclear, stays = FILES[path]
    result = migrated(SCRIPT.replace('config.read("dl.cfg")', read), tmp_path)
    assert [note.reason for note in result.unclear if "AWS_ACCESS_KEY_ID" in note.text] == [unclear] * bool(
        unclear
    )
    reasons = [note.reason for note in result.stays if "AWS_ACCESS_KEY_ID" in note.text]
    assert [reason.partition(";")[0] for reason in reasons] == [stays] * bool(stays)


def test_a_credential_with_an_unknown_name_is_reported(tmp_path: Path) -> None:
    text = SCRIPT.replace('["AWS"]["AWS_ACCESS_KEY_ID"]', '["AWS"]["MY_ACCESS_KEY"]')
    notes = [note for note in migrated(text, tmp_path).unclear if note.line == 10]
    assert [note.reason for note in notes] == ["rename it in dl.cfg, to KEY and SECRET in [AWS]"]


@pytest.mark.parametrize("keys", [("SONG_DATA", "LOG_DATA"), ("ALL_SONGS", "ALL_LOGS")])
@pytest.mark.parametrize("file", ["dl.cfg", "lake.cfg", "paths.cfg"])
def test_only_paths_of_dl_cfg_are_said_to_be_read(file: str, keys: tuple[str, str], tmp_path: Path) -> None:
    text = SCRIPT.replace('config.read("dl.cfg")', f'config.read("{file}")')
    text = text.replace('input_data + "/song_data/*/*/*/*.json"', f'config["S3"]["{keys[0]}"]')
    text = text.replace('input_data + "/log_data/*/*/*.json"', f'config["S3"]["{keys[1]}"]')
    result = migrated(text, tmp_path)
    is_read = file == "dl.cfg" and "SONG_DATA" in keys
    assert result.files["lake.cfg"].count("which sparkify-lake reads too") == 2 * is_read
    shown = {"lake.cfg": "the old lake.cfg"}.get(file, file)
    copied = [note for note in result.unclear if note.reason == f"copy it from {keys[0]} in [S3] of {shown}"]
    assert len(copied) == (not is_read)


@pytest.mark.parametrize("quote", ['"\'"', "'\"'"])
def test_quotes_around_a_path_are_ignored(quote: str, tmp_path: Path) -> None:
    text = SCRIPT.replace('"s3a://lake"', f'config["S3"]["OUTPUT_DATA"].replace({quote}, "")')
    assert "it comes from OUTPUT_DATA in [S3] of dl.cfg" in migrated(text, tmp_path).files["lake.cfg"]


CALLERS = {
    'f"{bucket}/tables/"': 'etl.main(source, f"{bucket}/tables")',
    'bucket + "/a/b"': 'etl.main(source, f"{bucket}/a/b")',
    "bucket": "etl.main(source, bucket)",
}


@pytest.mark.parametrize("output", CALLERS)
def test_a_function_keeps_the_folder_that_it_appends(output: str, tmp_path: Path) -> None:
    text = SCRIPT.replace("def main():", "def main(source, bucket):").replace('"s3a://raw"', "source")
    text = text.replace('"s3a://lake"', output).replace("\nmain()", "")
    assert f"    return {CALLERS[output]}\n" in migrated(text, tmp_path).files["etl.py"]


def test_a_function_keeps_the_folder_before_the_data(tmp_path: Path) -> None:
    text = SCRIPT.replace('"/song_data', '"/raw/2018/song_data').replace('"/log_data', '"/raw/2018/log_data')
    written = migrated(text, tmp_path).files["etl.py"]
    assert 'return etl.process_log_data(spark, f"{input_data}/raw/2018", output_data)' in written


def test_functions_that_are_replaced_are_not_said_to_be_missing(tmp_path: Path) -> None:
    text = SCRIPT.replace(
        "process_song_data(spark, input_data, output_data)", "process_song_data(df, output_data)"
    )
    text = text.replace('    df = spark.read.json(input_data + "/song_data/*/*/*/*.json")\n', "")
    text = text.replace('process_song_data(spark, "s3a://raw"',
                        'process_song_data(spark.read.json("s3a://raw/song_data")')  # fmt: skip
    result = migrated(text, tmp_path)
    assert "process_song_data" in result.files["etl.py"]
    assert (18, "process_song_data has other parameters now") in remarks(result)
    assert not [text for _, text in remarks(result) if "does not have" in text]


@pytest.mark.parametrize("name", ["SOURCE_LOGS_BUCKET", "LOG_PATH", "the-logs", "logData", "my_events"])
def test_a_read_of_logs_is_recognized_by_its_name(name: str, tmp_path: Path) -> None:
    text = SCRIPT.replace('input_data + "/log_data/*/*/*.json"', f'config["S3"]["{name}"]')
    notes = migrated(text, tmp_path).unclear
    assert [note.text for note in notes if "logs" in note.text or "contains" in note.text] == []


def test_keys_before_the_first_section_are_paths(tmp_path: Path) -> None:
    text = SCRIPT.replace('input_data + "/log_data/*/*/*.json"', 'config["LOG_DATA"]')
    result = migrated(text.replace('input_data + "/song_data/*/*/*/*.json"', 'config["SONG_DATA"]'), tmp_path)
    assert result.files["lake.cfg"].count("of dl.cfg, which sparkify-lake reads too") == 2
    assert result.unclear == ()


def test_functions_are_followed_from_those_that_no_other_one_calls(tmp_path: Path) -> None:
    text = SCRIPT.replace("def main():", "def run(target):").replace('"s3a://lake"', "target + '/lake'")
    result = migrated(text.replace("\nmain()\n", ""), tmp_path)
    assert result.tables[0].folder == "{target}/lake/songs"
    assert not [note for note in result.unclear if "is also" in note.text]
