"""Makes system calls of a process fail, with a seccomp filter of Linux."""

from __future__ import annotations

import ctypes
import os
import platform
import struct

# The numbers of the system calls, by machine.
NUMBERS = {"x86_64": {"flock": 73, "syncfs": 306}, "aarch64": {"flock": 32, "syncfs": 267}}

_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # of the classic Berkeley packet filter
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS, _MODE_FILTER = 22, 38, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse_system_call(name: str, error: int) -> None:
    """From now on, the system call fails with the error in this process. This cannot be undone."""
    number = NUMBERS[platform.machine()][name]
    instructions = [
        (_LOAD, 0, 0, 0),  # the number of the system call
        (_JUMP_IF_EQUAL, 0, 1, number),
        (_RETURN, 0, 0, _ERRNO | error),
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)
    program = _Program(len(instructions), code)
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def can_refuse_system_calls() -> bool:
    """Whether this machine allows such filters; tried in a child process."""
    if platform.machine() not in NUMBERS:
        return False
    pid = os.fork()
    if pid == 0:
        try:
            refuse_system_call("syncfs", 38)
            os._exit(0)
        except OSError:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
