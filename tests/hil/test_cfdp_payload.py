"""A payload over the link of a run is a CFDP transfer of class 2: what goes over the line, read by spacepackets."""

import zlib

import numpy as np
import pytest
from spacepackets.cfdp import ConditionCode, TransmissionMode
from spacepackets.cfdp.pdu import AckPdu, EofPdu, FileDataPdu, FinishedPdu, MetadataPdu, NakPdu, PduFactory

from flightsw.services.cfdp.entity import Entity
from hil.data_link import DataLink
from hil.lockstep import Lockstep
from hil.world import build

PAYLOAD = np.random.default_rng(4).bytes(1_234_567)


@pytest.fixture
def arrived(scenario, tmp_path, monkeypatch):
    """Run with a payload; the PDUs that arrived at the receiver, those at the sender, and the summary."""

    def run(changes):
        heard = {}
        receive = Entity.receive

        def tapped(entity, pdu):
            heard.setdefault(entity, []).append(PduFactory.from_raw(pdu))
            receive(entity, pdu)

        monkeypatch.setattr(Entity, "receive", tapped)
        s = scenario("leo_crosslink", {"/data.carried_rate_mbps": 20.0, **changes})
        world = build(s, 1, 8, tmp_path)
        link = DataLink(s, world, PAYLOAD, 1)
        Lockstep(s, world).run(data=link)
        (receiver, to_receiver), (sender, to_sender) = heard.items()
        assert receiver is not sender and link.arrived
        return to_receiver, to_sender, link.summary()

    return run


def kinds(pdus, kind):
    return [pdu for pdu in pdus if isinstance(pdu, kind)]


def test_a_clear_link_carries_each_pdu_once(arrived):
    to_receiver, to_sender, summary = arrived({})
    assert [type(pdu) for pdu in to_receiver] == [MetadataPdu] + [FileDataPdu] * 1235 + [EofPdu, AckPdu]
    assert [type(pdu) for pdu in to_sender] == [AckPdu, FinishedPdu]
    assert all(pdu.transmission_mode == TransmissionMode.ACKNOWLEDGED for pdu in to_receiver)
    assert to_receiver[0].file_size == len(PAYLOAD)
    assert b"".join(pdu.file_data for pdu in kinds(to_receiver, FileDataPdu)) == PAYLOAD
    (eof,) = kinds(to_receiver, EofPdu)
    assert eof.file_checksum == zlib.crc32(PAYLOAD).to_bytes(4, "big")
    assert to_sender[-1].condition_code == ConditionCode.NO_ERROR
    assert summary["segments_sent"] == 1235 and summary["segments_resent"] == 0


def test_what_a_blockage_takes_is_asked_for_and_comes_again(arrived):
    blockage = {"at_s": 4.7, "fault": "blockage", "duration_s": 0.05}
    to_receiver, to_sender, summary = arrived({"/timeline": [blockage]})
    asked = {gap for nak in kinds(to_sender, NakPdu) for gap in nak.segment_requests}
    missing, at = set(), 0
    for pdu in kinds(to_receiver, FileDataPdu):
        if pdu.offset > at:
            missing.add((at, pdu.offset))
        at = max(at, pdu.offset + len(pdu.file_data))
    assert missing and missing <= asked
    lost = sum(-(-(end - begin) // 1000) for begin, end in missing)
    assert lost <= summary["segments_resent"] <= 2 * lost + 5
