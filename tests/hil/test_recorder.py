"""How a record is laid down, seen by MCAP's own reader, and what is made of one that is damaged."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.records import Chunk
from mcap.stream_reader import StreamReader, breakup_chunk

from flightsw.errors import ConfigError
from flightsw.hal import SAMPLE
from flightsw.operations import Status
from flightsw.services.events import FAULT
from hil.kernel import TRUTH
from hil.protocol import Kind
from hil.recorder import Recorder, is_complete, read

RATE = 1000
SECONDS = 3


def write_second(recorder: Recorder, end_s: float) -> None:
    recorder.events(0, [FAULT.at(end_s - 0.5, f"in the second up to {end_s}")])
    recorder.traffic(end_s, "a", Kind.CAMERA, bytes(300))
    recorder.housekeeping(end_s, [Status(), Status()])
    recorder.second(end_s, np.zeros((2, RATE), SAMPLE), np.zeros((2, RATE), TRUTH))


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    path = tmp_path_factory.mktemp("record") / "record.mcap"
    with Recorder(path, ("a", "b"), b"{}", RATE) as recorder:
        for second in range(SECONDS):
            write_second(recorder, second + 1.0)
    return path


def chunks(path: Path) -> list[Chunk]:
    with path.open("rb") as file:
        return [r for r in StreamReader(file, emit_chunks=True, validate_crcs=True).records if isinstance(r, Chunk)]


def test_a_chunk_is_a_second_whatever_it_holds(record):
    found = chunks(record)
    assert [chunk.message_end_time for chunk in found] == [1_000_000_000, 2_000_000_000, 3_000_000_000]
    # 300 octets of traffic, an event, a status and ten packets of samples of each terminal, ten pieces of truth of each
    messages = [sum(hasattr(r, "log_time") for r in breakup_chunk(chunk)) for chunk in found]
    assert messages == [1 + 44, 44, 44]
    assert sum(messages) == len(list(read(record)))


def test_a_second_that_is_over_can_be_read_while_the_next_is_written(tmp_path):
    path = tmp_path / "record.mcap"
    with Recorder(path, ("a", "b"), b"{}", RATE) as recorder:
        assert list(read(path)) == []
        write_second(recorder, 1.0)
        recorder.traffic(1.01, "a", Kind.CAMERA, b"of the next second")
        assert len(list(read(path))) == 45 and not is_complete(path)
        assert max(message.time_s for message in read(path)) == 1.0
    assert len(list(read(path))) == 46 and is_complete(path)


#: Where in a chunk's record the lengths of all of it and of its messages are: MCAP's specification, "Chunk (op=0x06)".
@pytest.mark.parametrize("place", [1, 41])
@pytest.mark.parametrize("length", [1 << 40, 1 << 62, (1 << 64) - 1])
def test_a_closed_record_with_a_wrong_length_is_refused(record, tmp_path, place, length):
    octets = bytearray(record.read_bytes())
    with record.open("rb") as file:
        at = make_reader(file).get_summary().chunk_indexes[1].chunk_start_offset + place
    octets[at : at + 8] = length.to_bytes(8, "little")
    damaged = tmp_path / "record.mcap"
    damaged.write_bytes(octets)
    with pytest.raises(ConfigError, match=r"record\.mcap: expected a whole record, found one that is damaged"):
        list(read(damaged))
    # what was cut has no right end anyway
    damaged.write_bytes(octets[:-1])
    assert len(list(read(damaged))) in (45, 45 + 44)


@given(st.data())
def test_octets_of_a_record_that_are_changed_end_in_nothing_but_configerror(record, tmp_path_factory, data):
    octets = bytearray(record.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(8, len(octets) - 1) | st.integers(8, 400))
        changed = data.draw(st.binary(min_size=1, max_size=8))
        octets[at : at + len(changed)] = changed
    damaged = tmp_path_factory.getbasetemp() / "damaged.mcap"
    damaged.write_bytes(octets)
    try:
        found = list(read(damaged))
    except ConfigError as error:
        assert "expected a whole record" in str(error)
    else:
        assert len(found) <= 1 + 44 * SECONDS
