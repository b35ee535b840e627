"""What a process gives up for good before it runs what it does not trust; standard library only.

Namespaces (user, network, processes) and Landlock (files), as far as the kernel grants them.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x10000000, 0x20000000, 0x40000000
PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS = 1, 38
# The best first; what a kernel or a container forbids is left out, and said.
SEPARATIONS = (
    (CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID, ("user", "network", "processes")),
    (CLONE_NEWNET | CLONE_NEWPID, ("network", "processes")),
    (CLONE_NEWNET, ("network",)),
)
FILES_OPEN = 1024
# As a shell does, an exit code above this tells the signal.
SIGNALLED = 128
# landlock(7): the system calls, and the rights of its first version and of truncating.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
ASK_VERSION, BENEATH_PATH = 1, 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR, TRUNCATE = 1, 2, 4, 8, 1 << 14
FIRST_RIGHTS = (1 << 13) - 1
TRUNCATE_SINCE = 3
# Rights that a file has; a folder's cannot be given to it.
OF_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE
SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/dev")


def limit(parent: int, cpu_s: int, memory: int, written: int) -> None:
    """The kernel's limits, and an end when whoever started us ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        # It ended before we had said that we want to know.
        os._exit(1)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    Path("/proc/self/oom_score_adj").write_text("1000")
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (written, written))
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES_OPEN, FILES_OPEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def separate() -> list[str]:
    """Namespaces of our own; which of them the kernel granted."""
    libc = ctypes.CDLL(None, use_errno=True)
    for flags, names in SEPARATIONS:
        if libc.unshare(flags) == 0:
            # With the new user came new capabilities, at which the kernel forgets this.
            libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if flags & CLONE_NEWPID:
                _under_first_process(libc)
            return list(names)
    return []


def keep_to(folder: Path, readable: Sequence[Path]) -> list[str]:
    """From now on only `folder` can be changed, and only code, the system's own files and
    `readable` be read; empty where the kernel has no Landlock."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), ASK_VERSION)
    if version < 1:
        return []
    rights = FIRST_RIGHTS | (TRUNCATE if version >= TRUNCATE_SINCE else 0)
    handled = struct.pack("<Q", rights)
    rules = libc.syscall(CREATE_RULESET, handled, ctypes.c_size_t(len(handled)), 0)
    if rules < 0:
        return []
    code = [Path(each) for each in (*sys.path, sys.prefix, sys.base_prefix) if each]
    for path in (*code, *map(Path, SYSTEM), *readable):
        _allow(libc, rules, path, EXECUTE | READ_FILE | READ_DIR)
    _allow(libc, rules, Path("/dev/null"), WRITE_FILE | READ_FILE)
    _allow(libc, rules, folder, rights)
    restricted = libc.syscall(RESTRICT_SELF, rules, 0) == 0
    os.close(rules)
    return ["files"] if restricted else []


def _allow(libc: ctypes.CDLL, rules: int, path: Path, rights: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    if not path.is_dir():
        rights &= OF_FILES
    rule = struct.pack("<Qi", rights, opened)
    libc.syscall(ADD_RULE, rules, BENEATH_PATH, rule, 0)
    os.close(opened)


def _under_first_process(libc: ctypes.CDLL) -> None:
    """Go on under the first process of the new namespace: when that ends, all the others do.

    The first one itself only waits, because a kernel spares it most signals, its own limit of
    processor time included.
    """
    first = os.fork()
    if first:
        code = os.waitstatus_to_exitcode(os.waitpid(first, 0)[1])
        if code > SIGNALLED:
            # Whoever started us shall see what ended the analyser.
            os.kill(os.getpid(), code - SIGNALLED)
        os._exit(code & 0xFF)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    analyser = os.fork()
    if analyser:
        code = os.waitstatus_to_exitcode(os.waitpid(analyser, 0)[1])
        os._exit(code if code >= 0 else SIGNALLED - code)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
