"""The function that an executor ships to its workers.

Invariant: to report that the package is missing, the function needs nothing on the worker but Python itself.
It holds credentials only in its closure, where no log, web page or event of a cluster shows them.
"""

from __future__ import annotations

from sparkify_lake.executors.protocol import Kernel


def kernel_with(secrets: dict[str, str]) -> Kernel:
    """Returns the function that processes one shard on a worker.

    It is a closure because cloudpickle pickles a closure with everything that it needs.

    Args:
        secrets: Credentials for the store; empty when the worker finds its own.
    """

    def kernel(shard: bytes) -> bytes:
        try:
            from sparkify_lake._native import kernel as process
        except ImportError as error:
            import json
            import platform

            failure = {
                "exit_code": 78,
                "message": f"sparkify-lake cannot be loaded on the worker {platform.node()}",
                "cause": str(error),
                "hint": "install the same version of the package in the Python environment of every worker",
            }
            # A shard result without a payload: the length of its JSON head, then the head.
            head = json.dumps([{"Failed": failure}, []]).encode()
            return len(head).to_bytes(8, "little") + head
        result: bytes = process(shard, secrets)
        return result

    return kernel
