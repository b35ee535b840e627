"""Keys wrap keys: where the master comes from, what a box opens, how keys are replaced."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from serai.kernel.errors import Unavailable
from serai.platform.encryption import keyring, sealing
from serai.platform.encryption.algorithms import ALGORITHMS
from serai.platform.encryption.keyring import Keyring
from serai.platform.encryption.master import Masters, new_master_key
from serai.platform.encryption.sealing import Place, key_of, opened, sealed
from serai.platform.settings import Settings

SEED = b"JBSWY3DPEHPK3PXP"
HERS = Place("accounts", "account_totp", "sealed", "dr-li")

# What a key management system's command does, with a key of its own.
VAULT = """#!{python}
import base64, os, sys
from pathlib import Path
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
key, given = AESGCM(bytes.fromhex("{key}")), base64.b64decode(sys.stdin.read())
with Path("{calls}").open("a") as calls:
    calls.write(sys.argv[1] + "\\n")
if sys.argv[1] == "wrap":
    nonce = os.urandom(12)
    print(base64.b64encode(nonce + key.encrypt(nonce, given, None)).decode())
else:
    print(base64.b64encode(key.decrypt(given[:12], given[12:], None)).decode())
"""


def vault(folder: Path) -> Path:
    program = folder / "vault"
    program.write_text(
        VAULT.format(python=sys.executable, key=bytes(32).hex(), calls=folder / "calls")
    )
    program.chmod(0o700)
    return program


def ring(settings: Settings, url: str) -> Keyring:
    """Another process's, for all that it knows."""
    return Keyring.of(settings.model_copy(update={"database_url": url}))


@pytest.mark.parametrize("algorithm", sorted(ALGORITHMS))
async def test_a_box_opens_in_its_own_row_only(
    algorithm: str, tmp_path: Path, database_url: str
) -> None:
    keys = ring(Settings(home=tmp_path, key_algorithm=algorithm), database_url)
    box = await sealed(keys, SEED, HERS)
    assert await opened(keys, box, HERS) == SEED
    assert SEED not in box
    for elsewhere in (
        Place("accounts", "account_totp", "sealed", "dr-wang"),
        Place("accounts", "account_totp", "other", "dr-li"),
        Place("accounts", "other", "sealed", "dr-li"),
    ):
        with pytest.raises(Unavailable, match=r"keys\.box-damaged"):
            await opened(keys, box, elsewhere)
    for position in (0, 9, 20, len(box) - 1):
        changed = bytearray(box)
        changed[position] ^= 1
        with pytest.raises(Unavailable):
            await opened(keys, bytes(changed), HERS)


async def test_the_database_holds_no_key_in_the_clear(keys: Keyring, database_url: str) -> None:
    key = await keys.current("accounts")
    with psycopg.connect(database_url) as connection:
        ((row,),) = connection.execute("SELECT encryption_key::text FROM encryption_key").fetchall()
    assert key.id in row
    assert key.material.hex() not in row
    assert key.material.hex() not in repr(key) + repr(keys.rows())


async def test_a_wrapped_key_moved_to_another_row_opens_nothing(
    keys: Keyring, tmp_path: Path, database_url: str
) -> None:
    first, second = await keys.current("accounts"), await keys.current("blobs")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "UPDATE encryption_key SET wrapped = (SELECT wrapped FROM encryption_key WHERE id = %s)"
            " WHERE id = %s",
            (first.id, second.id),
        )
    other = ring(Settings(home=tmp_path), database_url)
    with pytest.raises(Unavailable, match=r"keys\.wrapped-damaged"):
        await other.by_id(second.id)


async def test_many_processes_that_come_first_agree_on_one_key(
    tmp_path: Path, database_url: str
) -> None:
    rings = [ring(Settings(home=tmp_path), database_url) for _ in range(6)]
    found = await asyncio.gather(*(each.current("accounts") for each in rings))
    assert len({key.id for key in found}) == 1


async def test_a_new_key_reaches_other_processes_and_the_old_still_reads(
    keys: Keyring, tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = ring(Settings(home=tmp_path), database_url)
    old = await sealed(other, SEED, HERS)
    keys.rotate()
    new = await sealed(keys, SEED, HERS)
    assert key_of(new) != key_of(old)
    # A box of a key that this process has never seen opens at once.
    assert await opened(other, new, HERS) == SEED
    monkeypatch.setattr(keyring, "LOOK_EVERY_S", 0.0)
    assert key_of(await sealed(other, SEED, HERS)) == key_of(new)
    assert await opened(keys, old, HERS) == SEED


async def test_another_cipher_takes_over_with_the_next_rotation(keys: Keyring) -> None:
    old = await sealed(keys, SEED, HERS)
    assert keys.rotate({"accounts": "sm4-gcm"}) == ["accounts"]
    assert (await keys.current("accounts", "sm4-gcm")).algorithm.name == "sm4-gcm"
    assert await opened(keys, old, HERS) == SEED


async def test_a_key_is_destroyed_only_when_nothing_needs_it(keys: Keyring) -> None:
    box = await sealed(keys, SEED, HERS)
    assert not keys.destroy(key_of(box))
    keys.rotate()
    keys.settle(used=set(), unused={key_of(box)})
    assert keys.destroy(key_of(box))
    with pytest.raises(Unavailable, match=r"keys\.unknown"):
        await opened(keys, box, HERS)


def test_the_master_file_is_the_owners_alone_and_made_once(tmp_path: Path) -> None:
    masters = Masters.of(Settings(home=tmp_path))
    assert masters.current().name == Masters.of(Settings(home=tmp_path)).current().name
    assert stat.S_IMODE(masters.file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


@pytest.mark.parametrize("text", ["", "short:00", "aes-256-gcm:00", "zz" * 32, "\n\n"])
def test_a_master_file_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "master.key").write_text(text)
    with pytest.raises(Unavailable, match=r"keys\.master-unreadable"):
        Masters.of(Settings(home=tmp_path)).current()


async def test_a_new_master_key_wraps_all_data_keys_at_once(
    keys: Keyring, tmp_path: Path, database_url: str
) -> None:
    box = await sealed(keys, SEED, HERS)
    old = keys.masters.file.read_text()
    new = keys.masters.add_to_file("sm4-gcm")
    assert keys.wrap_anew() == 1
    assert {row.master for row in keys.rows()} == {new.name}
    assert keys.masters.drop_from_file(needed=set()) == 1
    assert old.strip() not in keys.masters.file.read_text()
    assert await opened(ring(Settings(home=tmp_path), database_url), box, HERS) == SEED


async def test_the_master_key_moves_from_the_file_to_the_environment_and_to_a_program(
    tmp_path: Path, database_url: str
) -> None:
    box = await sealed(ring(Settings(home=tmp_path), database_url), SEED, HERS)
    line = new_master_key("sm4-gcm").line
    by_environment = Settings(home=tmp_path, master_key=line)
    ring(by_environment, database_url).wrap_anew()
    (tmp_path / "master.key").unlink()
    assert await opened(ring(by_environment, database_url), box, HERS) == SEED

    program = vault(tmp_path)
    ring(by_environment.model_copy(update={"key_command": str(program)}), database_url).wrap_anew()
    by_program = Settings(home=tmp_path, key_command=str(program))
    assert await opened(ring(by_program, database_url), box, HERS) == SEED
    assert (tmp_path / "calls").read_text().split() == ["wrap", "unwrap"]
    with pytest.raises(Unavailable, match=r"keys\.master-missing"):
        await opened(ring(by_environment, database_url), box, HERS)


@pytest.mark.parametrize("program", ["/bin/false", "/bin/cat", "/bin/true", "/nowhere", "'"])
async def test_a_program_that_does_not_answer_as_it_should_is_refused(
    program: str, tmp_path: Path, database_url: str
) -> None:
    await sealed(
        ring(Settings(home=tmp_path, key_command=str(vault(tmp_path))), database_url), SEED, HERS
    )
    keys = ring(Settings(home=tmp_path, key_command=program), database_url)
    with pytest.raises(Unavailable, match=r"keys\.(command-failed|wrapped-damaged)"):
        await keys.current("accounts")


def test_the_master_key_is_shown_nowhere(tmp_path: Path) -> None:
    key = new_master_key()
    settings = Settings(home=tmp_path, master_key=key.line)
    said = repr(settings) + str(settings) + repr(key) + repr(Masters.of(settings).current())
    assert key.material.hex() not in said


def test_another_process_opens_what_this_one_sealed(
    keys: Keyring, tmp_path: Path, database_url: str
) -> None:
    key = keys.current_sync("accounts")
    box = sealing.sealed_with(key, SEED, HERS)
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from tests.platform.encryption.test_keys import HERS, Keyring, Settings, opened\n"
        "keys = Keyring.of(Settings(home=Path(sys.argv[1]), database_url=sys.argv[2]))\n"
        "print(asyncio.run(opened(keys, bytes.fromhex(sys.argv[3]), HERS)).decode())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path), database_url, box.hex()],
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == SEED
