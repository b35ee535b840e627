"""Starting a program as another account, with one capability to pass closed folders.

The capability (capabilities(7)) only matters where a parent folder such as ``/root`` is
closed to the account: it spares us opening that folder to everybody.
"""

from __future__ import annotations

import ctypes
import os
import pwd
from pathlib import Path

PR_SET_SECUREBITS = 28
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAPABILITY_VERSION_3 = 0x20080522
# Without it the kernel forgets the capability in access(2), which PostgreSQL's programs ask
# to find each other, and at the change of account.
SECBIT_NO_SETUID_FIXUP = 1 << 2

# Passing folders only; containers commonly keep just the second, which is wider.
PASSES_CLOSED_FOLDERS = {"dac_read_search": 2, "dac_override": 1}
SETS_CAPABILITIES = 8


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def passing_capability() -> int | None:
    """The narrowest capability this process holds that passes closed folders."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    line = next(line for line in status.read_text().splitlines() if line.startswith("CapPrm:"))
    held = int(line.split()[1], 16)
    if not held >> SETS_CAPABILITIES & 1:
        return None
    return next((bit for bit in PASSES_CLOSED_FOLDERS.values() if held >> bit & 1), None)


def become(account: pwd.struct_passwd, *, capability: int | None) -> None:
    """Give up root for `account`; for the short time between fork and exec."""
    if capability is None:
        _change_account(account)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0))
    _change_account(account)
    mask = 1 << capability
    sets = (_Sets * 2)(_Sets(mask, mask, mask), _Sets(0, 0, 0))
    _check(libc.capset(ctypes.byref(_Header(CAPABILITY_VERSION_3, 0)), sets))
    _check(libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0))


def _change_account(account: pwd.struct_passwd) -> None:
    os.setgroups([])
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)


def _check(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "cannot keep the capability to pass closed folders")
