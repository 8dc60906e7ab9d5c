"""Keys and associations by command: two ends with their stores, restarts between, and what an operator may not do."""

import hashlib
import hmac
import shutil
from contextlib import contextmanager

import pytest

from flightsw.ccsds.security.association import AssociationSettings, AssociationState, Verdict
from flightsw.ccsds.security.tc import TcSecurity
from flightsw.ccsds.tc_frame import TcFrame
from flightsw.errors import ConfigError
from flightsw.services import keys
from flightsw.services.keys import KeyState, KeyStore
from flightsw.services.security import AssociationStatus, SecurityServices
from flightsw.services.two_copies import TwoCopies

COMMAND = TcFrame(7, 1, 0, b"\xc0command")


def settings(direction, spi=1, key_id=1, **changes):
    common = {"suite": "AES-256-CMAC", "kind": "tc", "spacecraft_id": 7, "virtual_channels": (1,)}
    return AssociationSettings(spi=spi, direction=direction, key_id=key_id, **common | changes)


@contextmanager
def running(folder, *associations):
    """One end from start to end of a process."""
    with KeyStore(folder / "keys") as store:
        services = SecurityServices(store, associations, folder / "associations")
        try:
            yield services
        finally:
            services.close()


@pytest.fixture
def ground_and_board(tmp_path):
    """Folders of both ends, with keys 1 to 4 of which 1 and 2 are active."""
    keys.generate(tmp_path / "keys", range(1, 5))
    folders = tmp_path / "ground", tmp_path / "board"
    for folder in folders:
        folder.mkdir()
        for name in ("keys", "keys.copy"):
            shutil.copy(tmp_path / name, folder / name)
        with KeyStore(folder / "keys") as store:
            store.activate(1)
            store.activate(2)
    return folders


def send(folder, n=1, association=None):
    with running(folder, association or settings("send")) as services:
        return [TcSecurity(services.associations).apply(COMMAND) for _ in range(n)]


def receive(folder, frames, association=None):
    with running(folder, association or settings("receive")) as services:
        security = TcSecurity(services.associations)
        return [security.process(frame)[1].name for frame in frames]


def number(frame):
    return int.from_bytes(frame.data[3:7], "big")


def test_a_replay_after_a_restart_of_the_receiver_is_refused(ground_and_board):
    ground, board = ground_and_board
    frames = send(ground, 5)
    assert receive(board, frames[:3]) == ["ACCEPTED"] * 3
    assert receive(board, frames) == ["REPLAYED"] * 3 + ["ACCEPTED"] * 2
    assert receive(board, frames) == ["REPLAYED"] * 5


def test_a_restart_of_the_sender_uses_no_number_again(ground_and_board):
    ground, board = ground_and_board
    frames = [frame for _ in range(4) for frame in send(ground, 3)]
    assert [number(frame) for frame in frames] == list(range(1, 13))
    assert receive(board, frames) == ["ACCEPTED"] * 12


def test_numbers_kept_ahead_are_given_away_by_a_restart(ground_and_board):
    ground, board = ground_and_board
    sends = settings("send", ahead=100)
    frames = [frame for _ in range(3) for frame in send(ground, 2, sends)]
    # the first write of a run keeps 100 beyond what it uses
    assert [number(frame) for frame in frames] == [1, 2, 102, 103, 203, 204]
    assert receive(board, frames, settings("receive", ahead=100)) == ["ACCEPTED"] * 6
    # the receiver has kept 100 beyond the first and again beyond the third and the fifth
    assert receive(board, frames, settings("receive", ahead=100)) == ["REPLAYED"] * 6


def test_rollover_to_a_second_association_without_a_gap(ground_and_board):
    ground, board = ground_and_board
    with (
        running(ground, settings("send"), settings("send", 2, 2)) as here,
        running(board, settings("receive"), settings("receive", 2, 2)) as there,
    ):
        sender, receiver = TcSecurity(here.associations), TcSecurity(there.associations)
        first = sender.apply(COMMAND)
        assert first.data[1:3] == b"\0\1"
        here.stop(1)
        second = sender.apply(COMMAND)
        assert second.data[1:3] == b"\0\2"
        assert receiver.process(second)[1] is Verdict.ACCEPTED
        assert receiver.process(first)[1] is Verdict.ACCEPTED
        there.stop(1)
        assert receiver.process(sender.apply(COMMAND))[1] is Verdict.ACCEPTED
        assert receiver.process(first)[1] is Verdict.NOT_OPERATIONAL
        for end in (here, there):
            end.deactivate_key(1)
            assert end.status(1) == AssociationStatus(AssociationState.UNKEYED, None, None)
            end.activate_key(3)
            end.rekey(1, 3)
            end.start(1)
            assert end.status(1) == AssociationStatus(AssociationState.OPERATIONAL, 3, 0)
        here.stop(2)
        assert receiver.process(sender.apply(COMMAND))[1] is Verdict.ACCEPTED
        assert here.key_inventory() == {
            1: KeyState.DEACTIVATED,
            2: KeyState.ACTIVE,
            3: KeyState.ACTIVE,
            4: KeyState.PRE_ACTIVATION,
        }
    # all of it is there after a restart
    with running(ground, settings("send"), settings("send", 2, 2)) as here:
        assert here.status(1) == AssociationStatus(AssociationState.OPERATIONAL, 3, 2)
        assert here.status(2) == AssociationStatus(AssociationState.KEYED, 2, 3)


def test_a_key_that_comes_back_goes_on_where_it_was(ground_and_board):
    ground, _ = ground_and_board
    with running(ground, settings("send")) as here:
        sender = TcSecurity(here.associations)
        numbers = [number(sender.apply(COMMAND)) for _ in range(3)]
        for key_id in (2, 1):
            here.stop(1)
            here.rekey(1, key_id)
            here.start(1)
        assert [*numbers, number(sender.apply(COMMAND))] == [1, 2, 3, 4]


def test_what_an_operator_may_not_do(ground_and_board):
    _, board = ground_and_board
    with running(board, settings("receive"), settings("receive", 2, 2, kind="tm")) as services:
        cases = [
            (lambda: services.stop(1), "expected another one at work for its telecommands, found this one alone"),
            (lambda: services.start(1), "association 1 to be started: expected it keyed, found operational"),
            (lambda: services.rekey(1, 2), "association 1 to be rekeyed: expected it stopped, found it at work"),
            (lambda: services.deactivate_key(1), "no association at work has it, found that 1 does: stop that first"),
            (lambda: services.activate_key(1), "expected key 1 in state pre-activation, found active"),
            (lambda: services.activate_key(9), "expected a key of 1-4, found 9"),
            (lambda: services.stop(9), "expected one of .1, 2., found 9"),
            (lambda: services.verify_key(3, bytes(16)), "expected key 3 in state active, found pre-activation"),
            (lambda: services.verify_key(1, bytes(15)), "expected 16 octets, found 15"),
        ]
        for action, what in cases:
            with pytest.raises(ConfigError, match=what):
                action()
        services.stop(2)
        # another association's key, and one that is not active
        for key_id, what in ((1, "expected one user, found a second"), (3, "found pre-activation")):
            with pytest.raises(ConfigError, match=what):
                services.rekey(2, key_id)
        assert services.status(2) == AssociationStatus(AssociationState.KEYED, 2, 0)
        services.deactivate_key(2)
        for action in (services.read_anti_replay_counter, services.start):
            with pytest.raises(ConfigError, match="association 2"):
                action(2)


def test_the_anti_replay_counter_only_rises(ground_and_board):
    ground, board = ground_and_board
    frames = send(ground, 12)
    with running(board, settings("receive")) as services:
        security = TcSecurity(services.associations)
        assert security.process(frames[4])[1] is Verdict.ACCEPTED
        assert services.read_anti_replay_counter(1) == 6
        for value in (5, -1, 1 << 32):
            with pytest.raises(ConfigError, match=f"expected 6 to 4294967295, found {value}"):
                services.set_anti_replay_counter(1, value)
        services.set_anti_replay_counter(1, 10)
    assert receive(board, frames[5:]) == ["REPLAYED"] * 4 + ["ACCEPTED"] * 3


def test_two_associations_with_one_key_are_refused(ground_and_board):
    ground, _ = ground_and_board
    for _ in range(2):
        with (
            pytest.raises(ConfigError, match="counter of key 1: expected one user, found a second: give each its own"),
            running(ground, settings("send"), settings("receive", 2, 1)),
        ):
            pass


def test_an_association_whose_key_is_not_active_waits_for_one(ground_and_board):
    ground, _ = ground_and_board
    with running(ground, settings("send", key_id=4)) as services:
        assert services.status(1) == AssociationStatus(AssociationState.UNKEYED, None, None)
        with pytest.raises(ConfigError, match="expected an operational association to send with"):
            TcSecurity(services.associations).apply(COMMAND)
        services.activate_key(4)
        services.rekey(1, 4)
        services.start(1)
        TcSecurity(services.associations).apply(COMMAND)


def test_lost_counters_stop_the_start(ground_and_board):
    ground, _ = ground_and_board
    for name in ("keys.counters", "keys.counters.copy"):
        (ground / name).unlink()
    with (
        pytest.raises(ConfigError, match="expected the counter of key 1, found none"),
        running(ground, settings("send")),
    ):
        pass


def test_both_ends_prove_the_same_key_without_its_use(ground_and_board):
    ground, board = ground_and_board
    challenge = bytes(range(16))
    proofs = []
    for folder in (ground, board):
        with running(folder, settings("send")) as services:
            proofs.append([services.verify_key(key_id, challenge) for key_id in (1, 2)])
            assert services.verify_key(1, challenge[::-1]) not in proofs[-1]
            assert services.read_anti_replay_counter(1) == 0
    assert proofs[0] == proofs[1]
    assert len(set(proofs[0])) == 2
    with KeyStore(ground / "keys") as store:
        derived = hmac.new(store.octets(1).reveal(), b"beamlock key verification", hashlib.sha256).digest()
    assert proofs[0][0] == hmac.new(derived, b"\0\1" + challenge, hashlib.sha256).digest()[:16]


def test_a_commanded_state_outlives_power_loss_in_the_next_write(ground_and_board, monkeypatch):
    _, board = ground_and_board
    both = settings("receive"), settings("receive", 2, 2)
    with running(board, *both) as services:
        services.stop(2)

        def lost(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(TwoCopies, "write", lost)
        with pytest.raises(KeyboardInterrupt):
            services.start(2)
        monkeypatch.undo()
    with running(board, *both) as services:
        assert services.status(1).state is AssociationState.OPERATIONAL
        assert services.status(2).state is AssociationState.KEYED
