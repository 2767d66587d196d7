"""The credentials of a request are those that boto3 finds in the same environment and files."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import product
from pathlib import Path
from threading import Thread

import botocore.session
import pytest

import sparkify_lake

pytestmark = [pytest.mark.usefixtures("isolated"), pytest.mark.timeout(120)]

# A key made for this test, in the form in which `aws login` stores it.
DPOP_KEY = (
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHcCAQEEIFDZHUzOG1Pzq+6F0mjMlOSp1syN9LRPBuHMoCFXTcXhoAoGCCqGSM49\n"
    "AwEHoUQDQgAE9qhj+KtcdHj1kVgwxWWWw++tqoh7H7UHs7oXh8jBbgF47rrYGC+t\n"
    "djiIaHK3dBvvdE7MGj5HsepzLm3Kj91bqA==\n"
    "-----END EC PRIVATE KEY-----\n"
)
SESSION = "arn:aws:iam::123456789012:user/me"


class Store:
    """A server that refuses every request and remembers its key ID; it also issues credentials."""

    def __init__(self) -> None:
        self.key_ids: list[str] = []
        self.regions: list[str] = []
        store = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/container":
                    self.answer(200, json.dumps(temporary("CONTAINER")))
                    return
                signature = re.search(
                    r"Credential=([^/]+)/\d+/([^/]+)/", self.headers.get("Authorization", "")
                )
                store.key_ids.append(signature[1] if signature else "unsigned")
                store.regions.append(signature[2] if signature else "unsigned")
                self.answer(403, "<Error><Code>AccessDenied</Code></Error>")

            do_PUT = do_HEAD = do_DELETE = do_POST = do_GET

            def answer(self, status: int, text: str) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def key_id(self, **options: object) -> str:
        """The key ID that our requests are signed with."""
        self.key_ids.clear()
        self.regions.clear()
        sparkify_lake.doctor("s3://bucket/x", endpoint_url=self.url, allow_http=True, **options)
        (found,) = set(self.key_ids)
        return found


@pytest.fixture(scope="module")
def store() -> Iterator[Store]:
    made = Store()
    Thread(target=made.server.serve_forever, daemon=True).start()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `~/.aws`."""
    (tmp_path / ".aws").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return tmp_path / ".aws"


def temporary(key_id: str) -> dict[str, str]:
    return {
        "AccessKeyId": key_id,
        "SecretAccessKey": "secret",
        "Token": "token",
        "Expiration": "2099-01-01T00:00:00Z",
    }


def pair(key_id: str) -> str:
    return f"aws_access_key_id = {key_id}\naws_secret_access_key = secret\n"


PLACES = ("variables", "default", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "profile")


@pytest.mark.parametrize(
    "chosen",
    [
        pytest.param(chosen, id=", ".join(chosen))
        for switches in product((False, True), repeat=len(PLACES))
        if (chosen := [place for place, is_on in zip(PLACES, switches, strict=True) if is_on])
    ],
)
@pytest.mark.parametrize("file", ["config", "credentials"])
def test_keys_are_those_of_boto3(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch, chosen: list[str], file: str
) -> None:
    if "variables" in chosen:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "VARIABLES")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    sections = []
    for place in chosen:
        if place == "default":
            sections.append(f"[default]\n{pair('DEFAULT')}")
        elif place != "variables":
            heading = place if file == "credentials" else f"profile {place}"
            sections.append(f"[{heading}]\n{pair(place)}")
            if place != "profile":
                monkeypatch.setenv(place, place)
    (home / file).write_text("".join(sections))
    given = "profile" if "profile" in chosen else None
    expected = botocore.session.Session(profile=given).get_credentials()
    if expected is None:
        pytest.fail("every case has credentials")
    assert store.key_id(**({"profile": given} if given else {})) == expected.access_key


@pytest.mark.parametrize("order", ["file and process", "process", "variables and process"])
def test_a_process_is_asked_like_by_boto3(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    printed = {"Version": 1, "AccessKeyId": "PROCESS", "SecretAccessKey": "secret"}
    (home / "print.py").write_text(f"print('''{json.dumps(printed)}''')\n")
    process = f"[profile dev]\ncredential_process = {sys.executable} {home / 'print.py'}\n"
    (home / "config").write_text(process)
    monkeypatch.setenv("AWS_PROFILE", "dev")
    if "variables" in order:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "VARIABLES")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    if "file" in order:
        (home / "credentials").write_text(f"[other]\n{pair('OTHER')}")
    assert store.key_id() == botocore.session.Session().get_credentials().access_key


@pytest.mark.parametrize("in_profile", [False, True])
@pytest.mark.parametrize("in_variable", [False, True])
def test_the_region_at_an_endpoint_is_that_of_boto3(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch, in_profile: bool, in_variable: bool
) -> None:
    (home / "config").write_text(
        f"[default]\n{pair('DEFAULT')}" + ("region = eu-north-1\n" if in_profile else "")
    )
    if in_variable:
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-south-1")
    store.key_id()
    expected = botocore.session.Session().get_config_variable("region") or "us-east-1"
    assert set(store.regions) == {expected}
    store.key_id(region="ap-east-1")
    assert set(store.regions) == {"ap-east-1"}


def log_in(home: Path) -> None:
    """The default profile and the session that `aws login` stores."""
    cache = home / "login" / "cache"
    cache.mkdir(parents=True)
    access = {
        "accessKeyId": "LOGIN", "secretAccessKey": "secret", "sessionToken": "token",
        "accountId": "123456789012", "expiresAt": "2099-01-01T00:00:00Z",
    }  # fmt: skip
    token = {
        "accessToken": access, "tokenType": "aws_sigv4", "refreshToken": "refresh",
        "clientId": "arn:aws:signin:::devtools/same-device", "dpopKey": DPOP_KEY,
    }  # fmt: skip
    (cache / f"{hashlib.sha256(SESSION.encode()).hexdigest()}.json").write_text(json.dumps(token))


def test_a_session_of_aws_login_has_credentials(store: Store, home: Path) -> None:
    (home / "config").write_text(f"[default]\nlogin_session = {SESSION}\n")
    log_in(home)
    assert store.key_id() == "LOGIN"


def test_a_default_profile_without_its_session_does_not_block_other_credentials(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config").write_text(f"[default]\nlogin_session = {SESSION}\n")
    failed = sparkify_lake.doctor("s3://bucket/x", endpoint_url=store.url, allow_http=True)
    assert "aws login" in failed.to_json(), failed
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{store.url}/container")
    assert store.key_id() == "CONTAINER"
    monkeypatch.setenv("AWS_PROFILE", "default")
    named = sparkify_lake.doctor("s3://bucket/x", endpoint_url=store.url, allow_http=True)
    assert "aws login" not in named.to_json() and named.exit_code == 77, "a profile that is named is used"
