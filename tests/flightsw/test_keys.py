"""Key store, counters and their files, through every loss of power."""

import json
import os
import random
import signal
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from flightsw.secret import Secret
from flightsw.services import keys, two_copies
from flightsw.services.counters import Counters
from flightsw.services.keys import KeyState, KeyStore
from flightsw.services.two_copies import TwoCopies


class PowerLossError(BaseException):
    """Nothing in the code under test may catch it."""


class Disk:
    """Lets the power go at one of the steps that change the disk; a write that is hit leaves half of its octets."""

    def __init__(self, monkeypatch):
        self.steps = []
        self.until = None
        self._write, self._fsync, self._replace, self._open = os.write, os.fsync, Path.replace, os.open
        monkeypatch.setattr(os, "write", self.write)
        monkeypatch.setattr(os, "fsync", self.fsync)
        monkeypatch.setattr(os, "open", self.open)
        monkeypatch.setattr(Path, "replace", lambda source, target: self.replace(source, target))

    def step(self, name):
        self.steps.append(name)
        return self.until is not None and len(self.steps) > self.until

    def open(self, path, flags, *rest, **more):
        if flags & os.O_CREAT and not str(path).endswith(".lock") and self.step("create"):
            raise PowerLossError
        return self._open(path, flags, *rest, **more)

    def write(self, descriptor, octets):
        if self.step("write"):
            self._write(descriptor, octets[: len(octets) // 2])
            raise PowerLossError
        # as a kernel may, not all at once
        return self._write(descriptor, octets[: max(1, len(octets) - 1)])

    def fsync(self, descriptor):
        if self.step("fsync"):
            raise PowerLossError
        self._fsync(descriptor)

    def replace(self, source, target):
        if self.step("replace"):
            raise PowerLossError
        return self._replace(source, target)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


def test_a_write_is_synced_before_and_after_it_takes_its_place(tmp_path, disk):
    with TwoCopies(tmp_path / "file", Secret(b"first")):
        one_copy = ["create", "write", "write", "fsync", "replace", "fsync"]
        assert disk.steps == one_copy * 2


def test_a_write_that_power_loss_hits_leaves_the_old_or_the_new(tmp_path, disk):
    steps, seen = 12, []
    for until in range(steps + 1):
        path = tmp_path / f"{until}"
        with TwoCopies(path, Secret(b"old contents")) as file:
            disk.until = len(disk.steps) + until
            try:
                file.write(Secret(b"new contents"))
            except PowerLossError:
                seen.append(two_copies.read(path).reveal())
            else:
                assert until == steps
        disk.until = None
        # the next write goes through, and then any one copy is enough
        with TwoCopies(path) as file:
            file.write(Secret(b"next"))
        for copy in (path, path.with_name(path.name + ".copy")):
            copy.rename(tmp_path / "elsewhere")
            assert two_copies.read(path).reveal() == b"next"
            (tmp_path / "elsewhere").rename(copy)
    # new from the first replacement on, and never anything else
    assert seen == [b"old contents"] * 5 + [b"new contents"] * 7


@pytest.mark.parametrize("damaged", ["file", "file.copy"])
@pytest.mark.parametrize("octets", [b"", b"beamlock", b"beamlock 9 0\n{}", b"\xff" * 90])
def test_one_copy_is_enough(tmp_path, damaged, octets):
    with TwoCopies(tmp_path / "file", Secret(b"x")):
        pass
    (tmp_path / damaged).write_bytes(octets)
    assert two_copies.read(tmp_path / "file").reveal() == b"x"


@given(st.binary(max_size=120), st.integers(0, 400))
@settings(max_examples=25)
def test_damage_is_noticed(tmp_path_factory, contents, at):
    path = tmp_path_factory.mktemp("two") / "file"
    with TwoCopies(path, Secret(contents)):
        octets = bytearray(path.read_bytes())
        octets[at % len(octets)] ^= 0x04
        path.write_bytes(octets)
        path.with_name("file.copy").unlink()
        with pytest.raises(ConfigError, match="found two damaged copies"):
            two_copies.read(path)


def test_a_file_of_others_and_one_in_use_are_refused(tmp_path):
    path = tmp_path / "file"
    with TwoCopies(path, Secret(b"x")):
        assert {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {
            "file": 0o600,
            "file.copy": 0o600,
            "file.lock": 0o600,
        }
        with pytest.raises(ConfigError, match="expected a free file, found another process at work"):
            TwoCopies(path)
    for mode in (0o640, 0o604, 0o620, 0o602):
        path.with_name("file.copy").chmod(mode)
        with pytest.raises(
            ConfigError, match=f"only its owner may read.*found mode {mode:04o}.*: chmod 600 .*file.copy"
        ):
            TwoCopies(path)
    path.with_name("file.copy").chmod(0o600)
    TwoCopies(path).close()
    with pytest.raises(ConfigError, match="expected a file of beamlock's, found none"):
        TwoCopies(tmp_path / "other")
    with pytest.raises(ConfigError, match="expected that it can be written, found: No such file"):
        TwoCopies(tmp_path / "no folder" / "file", Secret(b"x"))
    (tmp_path / "folder").mkdir()
    with pytest.raises(ConfigError, match="folder: expected a file that can be read, found"):
        two_copies.read(tmp_path / "folder")


def test_a_counter_is_never_above_what_is_on_the_disk(tmp_path, disk):
    """At every step of every write the power goes; nothing that was used is used again."""
    used, until = set(), 0
    path = tmp_path / "counters"
    while True:
        disk.until, disk.steps = until, []
        opened = None
        try:
            opened = Counters(path)
            opened.start("key 1")
            counter = opened.get("key 1", ahead=2)
            for _ in range(9):
                number = counter.value
                counter.raise_to(number + 1)
                assert number not in used
                used.add(number)
            done = True
        except PowerLossError:
            done = False
        disk.until = None
        if opened is not None:
            opened.close()
        if done:
            break
        until += 1
    # three marks of two copies each, and six steps a copy
    assert until == 36
    assert len(used) > 9


_USER = """
import sys
from pathlib import Path
from flightsw.services.counters import Counters
counters = Counters(Path(sys.argv[1]))
counters.start("key 1")
counter = counters.get("key 1", ahead=3)
while True:
    number = counter.value
    counter.raise_to(number + 1)
    print(number, flush=True)
"""


def _kill_users(path, kills):
    rng = random.Random(1)
    used = []
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, "-c", _USER, str(path)], stdout=subprocess.PIPE, text=True)
        numbers = [int(process.stdout.readline()) for _ in range(rng.randrange(1, 60))]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.wait()
        process.stdout.close()
        # a number that was cut off while it was written may have been used
        numbers += [int(line) for line in rest.splitlines() if rest.endswith("\n")]
        assert not used or numbers[0] > used[-1]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        used += numbers
    assert len(used) == len(set(used))


def test_a_process_that_is_killed_uses_no_number_again(tmp_path):
    _kill_users(tmp_path / "counters", 3)


@pytest.mark.slow
def test_a_process_that_is_killed_a_hundred_times_uses_no_number_again(tmp_path):
    _kill_users(tmp_path / "counters", 100)


def test_a_counter_has_one_user_and_never_goes_back(tmp_path):
    counters = Counters(tmp_path / "counters")
    with pytest.raises(ConfigError, match="expected the counter of key 1, found none"):
        counters.get("key 1", 5)
    counters.start("key 1")
    counter = counters.get("key 1", 5)
    with pytest.raises(ConfigError, match="expected one user, found a second"):
        counters.get("key 1", 5)
    counter.raise_to(10)
    with pytest.raises(ConfigError, match="expected at least 10, found 9"):
        counter.raise_to(9)
    counters.start("key 1")
    counters.release("key 1")
    assert counters.get("key 1", 5).value == 15
    counters.close()


def test_a_counter_that_could_not_be_kept_stays_where_it_was(tmp_path):
    counters = Counters(tmp_path / "counters")
    counters.start("key 1")
    counter = counters.get("key 1", 0)
    counter.raise_to(3)
    (tmp_path / "counters.new").mkdir()
    with pytest.raises(ConfigError, match="expected that it can be written"):
        counter.raise_to(4)
    assert counter.value == 3
    (tmp_path / "counters.new").rmdir()
    counter.raise_to(4)
    counters.close()
    again = Counters(tmp_path / "counters")
    assert again.get("key 1", 0).value == 4
    again.close()


def test_a_file_of_another_user_is_refused(tmp_path, monkeypatch):
    with TwoCopies(tmp_path / "file", Secret(b"x")):
        pass
    owner = (tmp_path / "file").stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(ConfigError, match=f"this user; found mode 0600 and user {owner}"):
        two_copies.read(tmp_path / "file")


def test_a_lock_on_counters_is_let_go_where_they_cannot_be_opened(tmp_path):
    (tmp_path / "store.counters").write_bytes(b"damage")
    (tmp_path / "store.counters").chmod(0o600)
    with TwoCopies(tmp_path / "store", Secret(b"{}")):
        pass
    for _ in range(2):
        with pytest.raises(
            ConfigError, match=r"store.counters: expected a file of beamlock's, found two damaged copies"
        ):
            KeyStore(tmp_path / "store")


@pytest.fixture
def path(tmp_path):
    keys.generate(tmp_path / "store", [3, 1, 65535, 0])
    return tmp_path / "store"


def _octets(path):
    """Keys by id, from the file itself."""
    rows = json.loads(path.read_bytes().partition(b"\n")[2])
    return {int(key_id): bytes.fromhex(octets) for key_id, (_, octets) in rows.items()}


def test_keys_are_random_and_whole(path, tmp_path):
    keys.generate(tmp_path / "another", range(40))
    octets = [*_octets(path).values(), *_octets(tmp_path / "another").values()]
    assert {len(each) for each in octets} == {32}
    assert len(set(octets)) == 44
    assert abs(sum(int.from_bytes(each, "big").bit_count() for each in octets) / (44 * 256) - 0.5) < 0.05


def test_the_life_of_a_key(path):
    first = _octets(path)
    with KeyStore(path) as store:
        assert store.states == dict.fromkeys((0, 1, 3, 65535), KeyState.PRE_ACTIVATION)
        for action in (store.octets, store.deactivate, lambda key_id: store.counter(key_id, 0)):
            with pytest.raises(ConfigError, match="expected key 1 in state active, found pre-activation"):
                action(1)
        store.activate(1)
        assert store.octets(1).reveal() == first[1]
        assert store.counter(1, 0).value == 0
        for action in (store.activate, store.destroy):
            with pytest.raises(ConfigError, match="found active"):
                action(1)
        store.deactivate(1)
        with pytest.raises(ConfigError, match="found deactivated"):
            store.activate(1)
        store.destroy(1)
        store.destroy(65535)
        with pytest.raises(ConfigError, match="found destroyed"):
            store.destroy(1)
        with pytest.raises(ConfigError, match="expected a key of 0-1, 3, 65535, found 2"):
            store.activate(2)
    for copy in (path, path.with_name("store.copy")):
        assert _octets(copy) == first | {1: bytes(32), 65535: bytes(32)}
        assert first[1].hex() not in copy.read_text()
    assert keys.inventory(path) == {
        0: KeyState.PRE_ACTIVATION,
        1: KeyState.DESTROYED,
        3: KeyState.PRE_ACTIVATION,
        65535: KeyState.DESTROYED,
    }


def test_a_store_that_is_copied_after_activation_is_refused(path, tmp_path):
    with KeyStore(path) as store:
        store.activate(1)
    (tmp_path / "elsewhere").mkdir()
    for name in ("store", "store.copy"):
        (tmp_path / "elsewhere" / name).write_bytes((tmp_path / name).read_bytes())
        (tmp_path / "elsewhere" / name).chmod(0o600)
    with (
        KeyStore(tmp_path / "elsewhere" / "store") as copied,
        pytest.raises(
            ConfigError, match="expected the counter of key 1, found none; numbers may have been used before"
        ),
    ):
        copied.counter(1, 0)


def test_power_loss_in_an_activation_leaves_a_key_that_can_be_activated_or_used(tmp_path, disk):
    states = []
    for until in range(25):
        disk.until = None
        keys.generate(tmp_path / str(until), [3])
        with KeyStore(tmp_path / str(until)) as store:
            disk.until, disk.steps = until, []
            try:
                store.activate(3)
            except PowerLossError:
                assert until < 24
        disk.until = None
        with KeyStore(tmp_path / str(until)) as store:
            states.append(store.states[3])
            if store.states[3] is KeyState.PRE_ACTIVATION:
                store.activate(3)
            assert store.counter(3, 0).value == 0
    # 12 steps for the counter, and then five to the first replacement of the store
    assert states == [KeyState.PRE_ACTIVATION] * 17 + [KeyState.ACTIVE] * 8


@pytest.mark.parametrize("ids", [[], [-1], [65536], [1, 70000]])
def test_ids_that_do_not_fit_are_refused(tmp_path, ids):
    with pytest.raises(ConfigError, match="key ids: expected some of 0 to 65535"):
        keys.generate(tmp_path / "store", ids)
    assert not list(tmp_path.iterdir())


def test_a_store_is_never_overwritten_nor_does_it_inherit_counters(path):
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="expected no file, found one"):
        keys.generate(path, [1])
    assert path.read_bytes() == before
    with KeyStore(path) as store:
        store.activate(1)
    for name in ("store", "store.copy"):
        path.with_name(name).unlink()
    with pytest.raises(ConfigError, match=r"store.counters: expected no file, found one"):
        keys.generate(path, [1])


def _everything_said(error):
    """The traceback with all local variables, in text, from below the test on, which knows the keys."""
    below = error.__traceback__.tb_next
    return "".join(traceback.TracebackException(type(error), error, below, capture_locals=True).format())


def test_no_error_shows_a_key(path):
    octets = _octets(path)
    said = []
    with KeyStore(path) as store:
        store.activate(1)
        said += [repr(store.octets(1)), str(store.octets(1)), f"{vars(store)}"]
        with pytest.raises(TypeError) as failed:
            __import__("pickle").dumps(store.octets(1))
        said.append(_everything_said(failed.value))
        for action in (store.activate, store.destroy, lambda key_id: store.counter(key_id + 1, 0)):
            with pytest.raises(ConfigError) as refused:
                action(1)
            said.append(_everything_said(refused.value))
        path.with_name("store.new").mkdir()
        with pytest.raises(ConfigError, match="expected that it can be written") as refused:
            store.deactivate(1)
        said.append(_everything_said(refused.value))
        path.with_name("store.new").rmdir()
    for copy in (path, path.with_name("store.copy")):
        copy.write_bytes(copy.read_bytes().replace(b" 2 ", b" 3 "))
    with pytest.raises(ConfigError) as refused:
        KeyStore(path)
    said.append(_everything_said(refused.value))
    assert len(said) == 9
    for key in octets.values():
        for form in (key.hex(), repr(key)[2:-1], str(list(key))[1:-1]):
            assert not any(form in each for each in said)


def test_another_file_is_no_key_store(path):
    with KeyStore(path) as store:
        store.activate(1)
    with pytest.raises(ConfigError, match="expected a key store, found another file"):
        keys.inventory(path.with_name("store.counters"))


def test_a_secret_shows_nothing():
    secret = Secret(b"topsecret")
    assert "top" not in f"{secret} {secret!r} {[secret]} {secret.__class__.__dict__}"
    assert secret.reveal() == b"topsecret"
