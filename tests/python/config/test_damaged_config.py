"""Random bytes in dl.cfg: they are read or refused, and no secret in them is shown."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from sparkify_lake.settings.files import ConfigFile, read_file
from support.crash_harness import scratch_folder

SECRET = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY"
MARKS = ("[AWS]", "[", "]", "=", ":", "'", '"', "#", ";", "%", "%(x)s")
BLANKS = ("\n", "\r", "\r\n", "\t", " ", "\x00", "\ufeff", "\u2028")
WORDS = ("KEY", "SECRET", "AWS_SECRET_ACCESS_KEY", "output", "threads", "é", "\x1b[2J", SECRET)
PIECES = st.sampled_from([*MARKS, *BLANKS, *WORDS])
TEXT = st.lists(PIECES | st.text(max_size=6), max_size=30).map("".join)
BYTES = TEXT.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=80)


def all_text(read: ConfigFile) -> str:
    refusal = read.error
    shown = (
        [] if refusal is None else [str(refusal), repr(refusal), repr(refusal.hint), repr(refusal.context)]
    )
    places = [entry.place + entry.origin for entry in read.entries]
    return "\n".join([repr(read), *read.warnings, *shown, *places])


@given(BYTES, st.sampled_from(["dl.cfg", "lake.cfg"]))
def test_random_bytes_are_read_or_refused(content: bytes, name: str) -> None:
    with scratch_folder() as folder:
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        read = read_file(path)
    shown = all_text(read)
    assert read.error is None or not read.entries
    assert "\x1b" not in shown
    lines = []
    with contextlib.suppress(UnicodeDecodeError):
        lines = content.decode("utf-8-sig").splitlines()
    assert len(read.entries) <= len(lines)


@given(
    TEXT,
    TEXT,
    st.sampled_from(["SECRET", "AWS_SECRET_ACCESS_KEY", "KEY", "nonsense", ""]),
    st.sampled_from("=: "),
)
def test_a_secret_is_never_shown(before: str, after: str, key: str, sign: str) -> None:
    with scratch_folder() as folder:
        path = folder / "dl.cfg"
        path.write_bytes(f"{before}\n{key} {sign} {SECRET}\n{after}".encode("utf-8", "surrogatepass"))
        path.chmod(0o600)
        shown = all_text(read_file(path))
    assert SECRET not in shown
