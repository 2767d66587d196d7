"""Sources of credentials, their precedence, their name in the report, and no waiting for missing ones."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from xml.sax.saxutils import escape

import pytest

import sparkify_lake
from support.processes import Finished
from support.s3_jobs import Data, assert_error, differences, options, report
from support.s3_proxy import Proxy
from support.s3_servers import ANYTHING, PUBLIC, Bucket, Keys, Server

pytestmark = pytest.mark.timeout(120)

LakeRun = Callable[..., Finished]
WRONG = Keys(id="AKIAWRONG00000000000", secret="wrong-secret-of-another")


def profiles(folder: Path, config: str = "", credentials: str = "") -> dict[str, str]:
    """The variables that replace `~/.aws` by these files."""
    (folder / "aws").mkdir(exist_ok=True, parents=True)
    (folder / "aws" / "config").write_text(config)
    (folder / "aws" / "credentials").write_text(credentials)
    return {
        "AWS_CONFIG_FILE": str(folder / "aws" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(folder / "aws" / "credentials"),
    }


def pair(keys: Keys) -> str:
    return f"aws_access_key_id = {keys.id}\naws_secret_access_key = {keys.secret}\n"


def write_dl_cfg(folder: Path, text: str) -> None:
    (folder / "dl.cfg").write_text(text)
    (folder / "dl.cfg").chmod(0o600)


@pytest.fixture
def credentials_source(weed_bucket: Bucket, data: Data, lake_run: LakeRun) -> Callable[..., str]:
    """``credentials_source(*words, **env)`` -> the source of the credentials in the report of a run."""

    def call(*words: str, **env: str) -> str:
        parsed = report(
            lake_run(
                weed_bucket.server, data.input, weed_bucket.url("lake"), "--json", "--quiet", *words, env=env
            )
        )
        assert differences(weed_bucket.contents("lake"), data.lake) == []
        source: str = parsed["credentials"]
        assert weed_bucket.server.keys.secret not in json.dumps(parsed)
        return source

    return call


@pytest.mark.parametrize(
    "form",
    [
        "[AWS]\nKEY={id}\nSECRET={secret}\n",
        "[AWS]\nAWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n",
        "AWS_ACCESS_KEY_ID={id}\nAWS_SECRET_ACCESS_KEY={secret}\n",
        "\ufeff[KEYS]\r\nAWS_ACCESS_KEY_ID='{id}'\r\nAWS_SECRET_ACCESS_KEY=\"{secret}\"\r\n",
    ],
    ids=["documented", "most common", "no section", "another section, quotes, BOM"],
)
def test_credentials_from_dl_cfg(
    weed_bucket: Bucket, credentials_source: Callable[..., str], bare: Path, form: str
) -> None:
    keys = weed_bucket.server.keys
    write_dl_cfg(bare, form.format(id=keys.id, secret=keys.secret))
    assert credentials_source(**WRONG.environment) == "dl.cfg", "dl.cfg takes precedence over the environment"


def test_credentials_from_the_environment(
    weed_bucket: Bucket, credentials_source: Callable[..., str], tmp_path: Path
) -> None:
    files = profiles(tmp_path, credentials=f"[default]\n{pair(WRONG)}")
    assert credentials_source(**weed_bucket.server.keys.environment, **files) == "environment variables"


@pytest.mark.parametrize("how", ["default", "AWS_PROFILE", "--profile"])
def test_credentials_from_profiles(
    weed_bucket: Bucket, credentials_source: Callable[..., str], tmp_path: Path, how: str
) -> None:
    name = "default" if how == "default" else "dev"
    other = "" if how == "default" else f"[default]\n{pair(WRONG)}"
    files = profiles(tmp_path, credentials=f"{other}[{name}]\n{pair(weed_bucket.server.keys)}")
    words = ["--profile=dev"] if how == "--profile" else []
    more = {"AWS_PROFILE": "dev"} if how == "AWS_PROFILE" else {}
    source = credentials_source(*words, **files, **more)
    assert source.startswith("profile")
    if how == "--profile":
        assert name in source


def test_credentials_from_a_credential_process(
    weed_bucket: Bucket, credentials_source: Callable[..., str], tmp_path: Path
) -> None:
    keys = weed_bucket.server.keys
    printed = {"Version": 1, "AccessKeyId": keys.id, "SecretAccessKey": keys.secret}
    (tmp_path / "print.py").write_text(f"print('''{json.dumps(printed)}''')\n")
    files = profiles(
        tmp_path, f"[profile dev]\ncredential_process = {sys.executable} {tmp_path / 'print.py'}\n"
    )
    assert "dev" in credentials_source("--profile=dev", **files)


def test_credentials_from_arguments_take_precedence(
    weed_bucket: Bucket, data: Data, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_dl_cfg(bare, f"[AWS]\nKEY={WRONG.id}\nSECRET={WRONG.secret}\n")
    for name, value in WRONG.environment.items():
        monkeypatch.setenv(name, value)
    given = {**options(weed_bucket.server), **weed_bucket.server.keys.arguments}
    done = sparkify_lake.run(data.input, weed_bucket.url("lake"), quiet=True, **given)
    assert done.credentials == "arguments"


def test_a_missing_profile_is_reported(
    weed_bucket: Bucket, data: Data, lake_run: LakeRun, tmp_path: Path
) -> None:
    files = profiles(tmp_path, credentials=f"[default]\n{pair(weed_bucket.server.keys)}")
    words = [data.input, weed_bucket.url("lake"), "--profile=absent"]
    finished = lake_run(weed_bucket.server, *words, env=files)
    assert finished.returncode in (77, 78), finished.stderr
    assert "absent" in finished.stderr


@contextmanager
def credential_services(bucket: Bucket) -> Iterator[str]:
    """The credential services of AWS: instance metadata (version 2 only), container, web identity, SSO."""
    iam, sts = (bucket.server.client(service=service) for service in ("iam", "sts"))
    name = f"role-{bucket.name}"
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=statements([trust]))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="anything", PolicyDocument=statements(ANYTHING))
    keys = sts.assume_role(RoleArn=role, RoleSessionName="job")["Credentials"]
    pair = {"AccessKeyId": keys["AccessKeyId"], "SecretAccessKey": keys["SecretAccessKey"]}
    times = {"LastUpdated": "2026-01-01T00:00:00Z", "Expiration": "2099-01-01T00:00:00Z"}
    issued = json.dumps(
        {"Code": "Success", "Type": "AWS-HMAC", "Token": keys["SessionToken"], **pair, **times}
    )
    fields = {**pair, "SessionToken": keys["SessionToken"], "Expiration": times["Expiration"]}
    inner = "".join(f"<{field}>{escape(value)}</{field}>" for field, value in fields.items())
    action, space = "AssumeRoleWithWebIdentity", "https://sts.amazonaws.com/doc/2011-06-15/"
    result = f"<{action}Result><Credentials>{inner}</Credentials></{action}Result>"
    assume_role_answer = f'<{action}Response xmlns="{space}">{result}</{action}Response>'
    signed_in = json.dumps(
        {
            "roleCredentials": {
                "accessKeyId": keys["AccessKeyId"],
                "secretAccessKey": keys["SecretAccessKey"],
                "sessionToken": keys["SessionToken"],
                "expiration": 4_070_908_800_000,
            }
        }
    )
    roles = "/latest/meta-data/iam/security-credentials"

    class Handler(BaseHTTPRequestHandler):
        def answer(self, code: int, text: str = "", kind: str = "text/plain") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text)))
            self.send_header("x-aws-ec2-metadata-token-ttl-seconds", "21600")
            self.end_headers()
            self.wfile.write(text.encode())

        def do_PUT(self) -> None:
            self.answer(200, "session") if self.path == "/latest/api/token" else self.answer(404)

        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"])).decode()
            good = f"Action={action}" in asked and "token-of-the-pod" in asked
            self.answer(200, assume_role_answer, "text/xml") if good else self.answer(403)

        def do_GET(self) -> None:
            if self.path == "/container" and self.headers["Authorization"] == "of the container":
                self.answer(200, issued, "application/json")
            elif self.path == "/federation/credentials?role_name=loader&account_id=123456789012":
                good = self.headers["x-amz-sso_bearer_token"] == "token-of-the-portal"
                self.answer(200, signed_in, "application/json") if good else self.answer(401)
            elif self.headers["x-aws-ec2-metadata-token"] != "session":
                self.answer(401)
            elif self.path == f"{roles}/":
                self.answer(200, "loader")
            elif self.path == f"{roles}/loader":
                self.answer(200, issued, "application/json")
            else:
                self.answer(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def signed_in(home: Path) -> dict[str, str]:
    """The files that `aws sso login` writes: a profile with a session, and the token of the session."""
    profile = "sso_session = company\nsso_account_id = 123456789012\nsso_role_name = loader\n"
    session = "sso_start_url = https://company.invalid/start\nsso_region = us-east-1\n"
    files = profiles(home, f"[default]\n{profile}\n[sso-session company]\n{session}")
    cache = home / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    token = {"accessToken": "token-of-the-portal", "expiresAt": "2099-01-01T00:00:00Z", "region": "us-east-1"}
    name = hashlib.sha1(b"company", usedforsecurity=False).hexdigest()
    (cache / f"{name}.json").write_text(json.dumps(token))
    return {"HOME": str(home), **files}


def statements(some: list[dict[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": some})


@pytest.mark.parametrize("source", ["instance metadata", "container", "web identity", "sso"])
def test_temporary_credentials_of_a_role(
    moto_bucket: Bucket, data: Data, lake_run: LakeRun, tmp_path: Path, source: str
) -> None:
    """Jobs in AWS have no stored keys: a service issues temporary ones."""
    bucket = moto_bucket
    (tmp_path / "token").write_text("token-of-the-pod")
    with credential_services(bucket) as address:
        env = (
            profiles(tmp_path)
            | {
                "instance metadata": {
                    "AWS_EC2_METADATA_DISABLED": "false",
                    "AWS_EC2_METADATA_SERVICE_ENDPOINT": address,
                },
                "container": {
                    "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{address}/container",
                    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "of the container",
                },
                "web identity": {
                    "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
                    "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod",
                    "AWS_ENDPOINT_URL_STS": address,
                },
                "sso": {"AWS_ENDPOINT_URL_SSO": address, **signed_in(tmp_path / "home")},
            }[source]
        )
        words = [data.input, bucket.url("lake"), "--json", "--quiet"]
        run_report = report(lake_run(bucket.server, *words, env=env))
    assert run_report["credentials"] == ("profile (~/.aws)" if source == "sso" else source)
    assert differences(bucket.contents("lake"), data.lake) == []


@pytest.mark.parametrize("metadata", ["off", "silent"])
def test_no_credentials_are_reported_quickly(
    weed_bucket: Bucket, data: Data, lake_run: LakeRun, tmp_path: Path, metadata: str
) -> None:
    """A missing or silent metadata service does not delay the error."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        env = {"AWS_EC2_METADATA_DISABLED": "true"}
        if metadata == "silent":
            env = {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": address}
        begun = time.monotonic()
        finished = lake_run(
            weed_bucket.server, data.input, weed_bucket.url("lake"), env=profiles(tmp_path) | env
        )
        took = time.monotonic() - begun
    assert_error(finished, 77, "dl.cfg", "--anonymous")
    assert took < 5 + 1, f"{took:.1f} s, including up to 1 s for the interpreter"


def test_a_key_without_a_secret_is_refused(weed_bucket: Bucket, data: Data, bare: Path) -> None:
    with pytest.raises(sparkify_lake.SparkifyLakeError) as caught:
        sparkify_lake.run(
            data.input,
            weed_bucket.url("lake"),
            access_key_id="AKIAHALF",
            quiet=True,
            **options(weed_bucket.server),
        )
    assert caught.value.exit_code in (64, 78)


def test_a_public_bucket_is_read_anonymously(
    seaweedfs: Server, data: Data, lake_run: LakeRun, tmp_path: Path
) -> None:
    """With --anonymous, no request is signed, and no credentials are looked up."""
    bucket = seaweedfs.bucket(PUBLIC)
    bucket.upload(data.input, "in")
    with Proxy(seaweedfs.address) as proxy:
        words = [bucket.url("in"), tmp_path / "lake", "--anonymous", "--json", "--quiet"]
        run_report = report(lake_run(proxy, *words, env=WRONG.environment))
        assert proxy.requests
        assert not any(request.signed for request in proxy.requests)
        private = lake_run(proxy, "s3://private/in", *words[1:], "--store-patience=2s", env=WRONG.environment)
    assert run_report["credentials"] == "anonymous"
    assert_error(private, 77)
