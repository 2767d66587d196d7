"""The Sail server: one child process, started by the first call that needs it.

A child has its own signals, so that Ctrl-C stops a query and not the server, and its own environment, so that
keys for S3 are never in the environment of the user's process.

Invariant: every request first makes sure that this process started the server and that it still runs.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
from typing import Any

from sparkify_lake.session.refusal import QueryError
from sparkify_lake.settings.environment import child_variables

_PROGRAM = "from sparkify_lake.session.serve import main; main()"
_lock = threading.Lock()
_server: Server | None = None


class Server:
    """A running server."""

    def __init__(self) -> None:
        levels = {logging.DEBUG: "debug", logging.INFO: "info"}
        level = levels.get(logging.getLogger("sparkify_lake").getEffectiveLevel(), "off")
        self._pid = os.getpid()
        self._process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=child_variables(
                RUST_LOG=level,
                # With statistics, a column of doubles whose least and greatest values are equal counts as
                # constant, although it may contain NaN.
                SAIL_EXECUTION__COLLECT_STATISTICS="false",
                PYTHONPATH=os.pathsep.join(filter(None, sys.path)),
                # A join that is interrupted may keep its threads for a while; others must be left.
                TOKIO_WORKER_THREADS=str(4 * (os.cpu_count() or 1)),
            ),
            text=True,
            start_new_session=True,  # Ctrl-C in a terminal and the interrupt of a notebook do not reach it
        )
        self._s3: dict[str, str] = {}
        self.was_interrupted = False
        self.port = self._ask({"path": sys.path})

    def _ask(self, line: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(line) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._process.wait()
            self.check()
        return json.loads(answer)

    def check(self) -> None:
        """Raises an error if a query cannot be answered: after a fork, or when the server has ended.

        Raises:
            QueryError: In one sentence what happened.
        """
        self.check_process()
        code = self._process.poll()
        if code is not None:
            raise QueryError(
                "the Sail server of the Spark session has ended",
                cause=f"it was killed by signal {-code}, for example because memory ran out"
                if code < 0
                else f"it ended with the exit code {code}",
                hint="call spark.stop() and create the session again; views and cached frames are lost",
            )

    def check_process(self) -> None:
        """Raises an error after a fork: the connection belongs to the parent."""
        if os.getpid() != self._pid:
            raise QueryError(
                "a forked process cannot use the Spark session of its parent",
                hint="start the process with multiprocessing's method spawn, or query before the fork",
            )

    @property
    def is_alive(self) -> bool:
        """Whether the server can answer."""
        return os.getpid() == self._pid and self._process.poll() is None

    def use_s3(self, variables: dict[str, str]) -> None:
        """Passes the settings for S3 to the server; they hold from the first use of S3 on.

        Raises:
            QueryError: If S3 was used with other settings before.
        """
        with _lock:
            self.check()
            if self._s3 and variables != self._s3:
                raise QueryError(
                    "the settings for S3 cannot change after the session has used S3",
                    hint="call spark.stop(), create the session again, and set them before the first read",
                )
            if variables != self._s3:
                self._s3 = dict(variables)
                self._ask(variables)

    @property
    def must_end_with_session(self) -> bool:
        """Whether the next session needs a new server: for other keys, or because a query may still run."""
        return bool(self._s3) or self.was_interrupted

    def close(self) -> None:
        """Ends the server at once."""
        if os.getpid() == self._pid:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()


def running() -> Server:
    """Returns the server; starts it if there is none, or if it has ended."""
    global _server
    with _lock:
        if _server is None or not _server.is_alive:
            _server = Server()
            threading.Thread(target=_close_at_exit, args=(_server,), daemon=True).start()
        return _server


def _close_at_exit(started: Server) -> None:
    # Not by atexit: before that, Python waits for requests of Spark's client, and they for a busy server.
    threading.main_thread().join()
    started.close()


def close() -> None:
    """Ends the server, if there is one; the next session starts a new one."""
    global _server
    with _lock:
        if _server is not None:
            _server.close()
            _server = None
