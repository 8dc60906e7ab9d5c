"""The XTCE against the schema of the OMG, packets decoded by `space_packet_parser`, commands put together from it."""

import struct
from pathlib import Path

import numpy as np
import pytest
import space_packet_parser
from fastcrc import crc16
from lxml import etree
from space_packet_parser.xtce.definitions import XtcePacketDefinition
from spacepackets.ecss.tc import PusTc

from flightsw.operations import MODE_CHANGE
from flightsw.services.declarations import encode, time_octets
from flightsw.services.dictionary import COMMANDS, EVENTS, FINE_SAMPLES, HOUSEKEEPING, PACKETS
from flightsw.services.events import Severity
from flightsw.services.pus.event_reporting import report
from flightsw.services.pus.packet import Report, TelemetryCounter
from hil.cli import main
from hil.recorder import read
from hil.run_data import load

XTCE = "{http://www.omg.org/spec/XTCE/20180204}"


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    path = tmp_path_factory.mktemp("xtce") / "beamlock.xml"
    assert main(["dictionary", "--xtce", str(path)]) == 0
    return path


@pytest.fixture(scope="module")
def definition(document):
    return XtcePacketDefinition.from_xtce(document)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run that acquires and identifies tones, so that it has events of many kinds."""
    out = tmp_path_factory.mktemp("run")
    assert main(["run", "leo_crosslink", "--duration-s", "8", "--seed", "3", "--out", str(out), "--no-report"]) == 0
    return out


def test_the_document_is_one_of_xtce_1_2(document):
    schema = Path(space_packet_parser.__file__).parent / "xtce" / "schemas" / "SpaceSystem.xsd"
    # the schema of 2018 has a circular definition, which lxml does not take; the package knows how to mend it
    from space_packet_parser.xtce.validation import _fix_known_schema_issues

    mended = etree.XMLSchema(etree.fromstring(_fix_known_schema_issues(schema.read_bytes())))
    mended.assertValid(etree.parse(document))


def value_of(found, item):
    """States by number; texts and all else as they are read."""
    return found.raw_value if item.states else found


def test_every_packet_of_a_run_decodes_to_what_we_decode(definition, folder):
    run = load(folder)
    for terminal in run.terminals:
        housekeeping = iter(zip(terminal.housekeeping_time_s, terminal.housekeeping, strict=True))
        samples = iter(zip(terminal.samples.start_us / 1e6, terminal.samples.rows, strict=True))
        events = iter(terminal.events)
        for message in read(folder / "record.mcap"):
            if message.topic != f"{terminal.name}/telemetry":
                continue
            packet = definition.parse_bytes(message.data)
            form = packet["service"].raw_value, packet["subtype"].raw_value
            if form == (3, 25):
                time_s, row = next(housekeeping)
                for item in HOUSEKEEPING.items:
                    found = packet[f"housekeeping_{item.name}"]
                    assert found.raw_value == row[item.name], item.name
                    assert not item.states or found == item.states[row[item.name]]
            elif form == (3, 26):
                time_s, rows = next(samples)
                groups = np.frombuffer(packet["fine_samples_groups"], ">f4").reshape(-1, 5)
                for k, item in enumerate(FINE_SAMPLES.items):
                    assert np.array_equal(groups[:, k], rows[item.name])
            else:
                event = next(events)
                time_s, kind = event.time_s, EVENTS[event.name]
                assert form == (5, event.severity) and packet["event"] == kind.number
                for item, value in zip(kind.arguments, event.values, strict=True):
                    assert value_of(packet[f"{kind.name}_{item.name}"], item) == value
            assert float(packet["time"]) == pytest.approx(time_s, abs=1e-7)
        # nothing of ours is left over
        assert not any(next(rest, None) for rest in (housekeeping, events)) and next(samples, None) is None
    assert {event.name for event in run.terminals[0].events} >= {"MODE_CHANGE", "TONES_IDENTIFIED", "TONE"}


VALUES = {
    "u1": 1,
    "u2": 515,
    "u4": 66000,
    "f4": 0.5,
    "f8": -0.25,
    "time": 12_500_000,
    "text": "größer",
    "octets": b"rest",
}


def test_events_of_every_kind_decode(definition):
    counter = TelemetryCounter()
    for kind in EVENTS.values():
        values = [VALUES[item.kind] for item in kind.arguments]
        for severity in Severity:
            event = kind.at(0.0, *values, severity=severity)
            packet = definition.parse_bytes(counter.packet(report(kind, event), 0))
            assert [value_of(packet[f"{kind.name}_{item.name}"], item) for item in kind.arguments] == values


def test_reports_of_every_kind_decode(definition):
    counter = TelemetryCounter()
    for kind in PACKETS:
        values = [VALUES[item.kind] for item in kind.items]
        data = kind.head + encode(kind.items, values)
        packet = definition.parse_bytes(counter.packet(Report(kind.service, kind.subtype, data), 0))
        if kind.repeat != 1:
            assert packet[f"{kind.name}_groups"] == data[2:]
            continue
        for item, value in zip(kind.items, values, strict=True):
            found = packet[f"{kind.name}_{item.name}"]
            assert value_of(found, item) == (12.5 if item.kind == "time" else value)


def test_a_mode_change_is_read_by_name(definition):
    event = MODE_CHANGE.at(1.25, 2, 4, 0)
    packet = definition.parse_bytes(TelemetryCounter().packet(report(MODE_CHANGE, event), 1_250_000))
    assert packet["MODE_CHANGE_source"] == "SCAN" and packet["MODE_CHANGE_target"] == "COARSE_TRACK"
    assert float(packet["time"]) == 1.25


def put_together(root, name, values):
    """Octets of a command as its containers have them, the base's first."""

    def octets_of(command, values):
        types = {a.get("name"): a.get("argumentTypeRef") for a in command.iter(f"{XTCE}Argument")}
        base = command.find(f"{XTCE}BaseMetaCommand")
        octets = b"" if base is None else octets_of(commands[base.get("metaCommandRef")], {})
        for entry in command.find(f"{XTCE}CommandContainer/{XTCE}EntryList"):
            if entry.tag == f"{XTCE}FixedValueEntry":
                value = bytes.fromhex(entry.get("binaryValue"))
                assert 8 * len(value) == int(entry.get("sizeInBits"))
                octets += value
            else:
                octets += pack(root, types[entry.get("argumentRef")], values[entry.get("argumentRef")])
        return octets

    commands = {command.get("name"): command for command in root.iter(f"{XTCE}MetaCommand")}
    return octets_of(commands[name], values)


def pack(root, type_name, value):
    (declared,) = [t for t in root.find(f"{XTCE}CommandMetaData/{XTCE}ArgumentTypeSet") if t.get("name") == type_name]
    number, real = (declared.find(f".//{XTCE}{kind}DataEncoding") for kind in ("Integer", "Float"))
    if declared.tag.endswith("StringArgumentType"):
        return value.encode()
    if real is not None:
        return struct.pack({"32": ">f", "64": ">d"}[real.get("sizeInBits")], value)
    if declared.tag.endswith("TimeArgumentType"):
        value = int(value / 1e6 / float(declared.find(f"{XTCE}Encoding").get("scale")))
    return value.to_bytes(int(number.get("sizeInBits")) // 8, "big")


def test_commands_are_those_of_the_dictionary(document):
    root = etree.parse(document).getroot()
    named = {command.get("name") for command in root.iter(f"{XTCE}MetaCommand")}
    assert named == set(COMMANDS) - {"SCHEDULE_INSERT"} | {"Telecommand"}
    for kind in COMMANDS.values():
        if kind.name not in named:
            continue
        values = {item.name: 1 if item.kind == "u1" else VALUES[item.kind] for item in kind.asked}
        values = {name: 1e-4 if name.startswith("pointing") else value for name, value in values.items()}
        lengths = {f"{name}_octets": len(value.encode()) for name, value in values.items() if isinstance(value, str)}
        octets = bytearray(put_together(root, kind.name, values | lengths))
        # what the ground system fills in
        octets[2:4] = (0xC000 | 44).to_bytes(2, "big")
        octets[4:6] = (len(octets) - 7).to_bytes(2, "big")
        octets[-2:] = crc16.ibm_3740(bytes(octets[:-2])).to_bytes(2, "big")
        data = kind.encode(*values.values())
        expected = PusTc(service=kind.service, message_subtype=kind.subtype, apid=1, app_data=data, seq_count=44)
        assert bytes(octets) == bytes(expected.pack()), kind.name


def test_ranges_and_states_are_in_it(document):
    text = document.read_text()
    assert '<ValidRange minInclusive="-0.001" maxInclusive="0.001" />' in text
    assert '<Enumeration value="1" label="INITIATOR" />' in text
    assert time_octets(0) == bytes(7)
