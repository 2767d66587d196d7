"""The program of the child process that runs Sail: `python -c` starts it, and `server.py` talks to it.

The settings come as lines of JSON through standard input, so that no key stands in an environment that others
can read. The first answer is the port.

Invariant: the process ends when standard input ends, which is when its parent ends, regardless of how.
"""

from __future__ import annotations

import json
import os
import select
import sys

from sparkify_lake.settings.environment import take_variables


def main() -> None:
    """Starts the server, then takes settings until the parent ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what functions of the user print must not mix with the answers
    first = json.loads(sys.stdin.readline())
    sys.path[:] = first["path"]
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer()
    server.start(background=True)
    print(json.dumps(server.listening_address[1]), file=answers)
    parent = os.getppid()
    while os.getppid() == parent:
        if select.select([sys.stdin], [], [], 1.0)[0]:
            line = sys.stdin.readline()
            if not line:
                break
            take_variables(json.loads(line))
            print("true", file=answers)
    os._exit(0)  # does not wait for queries
