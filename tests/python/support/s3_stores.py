"""S3 servers of other makes, which ``scripts/stores.sh`` installs for ``make stores``.

versitygw stores objects as files with extended attributes; S3Proxy (jclouds) stores them as files; Adobe
S3Mock is a Spring application for tests. Both versitygw and S3Mock are also tried with versioned buckets.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from support.s3_servers import REGION, Keys, Server, answers, free_ports, process, wait_until

STORES = Path(os.environ.get("STORES", Path.home() / ".cache/sparkify-lake/stores"))
KEYS = Keys(id="AKIASTORES0000000001", secret="stores-secret-b7HkLm2QxZ")
JVM = ["java", "-Xmx512m", "-XX:TieredStopAtLevel=1"]
"""A short start matters more than speed."""


@contextmanager
def versitygw(folder: Path) -> Iterator[Server]:
    """A running versitygw, which can keep versions of objects."""
    for name in ("data", "versions"):
        (folder / name).mkdir()
    (port,) = free_ports(1)
    command = [
        str(STORES / "versitygw"), "--port", f"127.0.0.1:{port}", "--region", REGION, "--quiet",
        "posix", "--versioning-dir", str(folder / "versions"), str(folder / "data"),
    ]  # fmt: skip
    environment = {"ROOT_ACCESS_KEY": KEYS.id, "ROOT_SECRET_KEY": KEYS.secret}
    with process(command, folder, environment) as (child, log):
        server = Server(name="versitygw", port=port, keys=KEYS)
        wait_until(lambda: answers(server), child, log)
        yield server


@contextmanager
def s3proxy(folder: Path) -> Iterator[Server]:
    """A running S3Proxy with a folder as its store."""
    (folder / "data").mkdir()
    (port,) = free_ports(1)
    settings = {
        "s3proxy.endpoint": f"http://127.0.0.1:{port}",
        "s3proxy.authorization": "aws-v2-or-v4",
        "s3proxy.identity": KEYS.id,
        "s3proxy.credential": KEYS.secret,
        # Without it, S3Proxy rejects the checksums of requests (501).
        "s3proxy.ignore-unknown-headers": "true",
        "jclouds.provider": "filesystem-nio2",
        "jclouds.identity": "local",
        "jclouds.credential": "local",
        "jclouds.filesystem.basedir": str(folder / "data"),
    }
    (folder / "s3proxy.conf").write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    command = [
        *JVM,
        "-jar",
        str(STORES / "s3proxy-jar-with-dependencies.jar"),
        "--properties",
        "s3proxy.conf",
    ]
    with process(command, folder, {}) as (child, log):
        server = Server(name="s3proxy", port=port, keys=KEYS)
        wait_until(lambda: answers(server), child, log)
        yield server


@contextmanager
def s3mock(folder: Path) -> Iterator[Server]:
    """A running Adobe S3Mock, which checks no signatures."""
    http, https = free_ports(2)
    (folder / "data").mkdir()
    command = [
        *JVM, "-jar", str(STORES / "s3mock-exec.jar"), f"--com.adobe.testing.s3mock.httpPort={http}",
        f"--server.port={https}", f"--com.adobe.testing.s3mock.store.root={folder / 'data'}",
    ]  # fmt: skip
    with process(command, folder, {}) as (child, log):
        server = Server(name="s3mock", port=http, keys=KEYS)
        wait_until(lambda: answers(server), child, log)
        yield server


SERVERS: dict[str, tuple[str, Callable[[Path], AbstractContextManager[Server]]]] = {
    "versitygw": ("versitygw", versitygw),
    "s3proxy": ("s3proxy-jar-with-dependencies.jar", s3proxy),
    "s3mock": ("s3mock-exec.jar", s3mock),
}
"""Every server: the file that has to be installed, and how it is started."""
