"""The dictionary as XTCE 1.2 (CCSDS 660.0-B-2, OMG XTCE 1.2), which ground systems load.

```
 CCSDSPacket --> PUSTelemetry --+--> structures_25, _26 --> a container for each structure
                                +--> events ------------> a container for each event
                                +--> a container for each other report
 Telecommand --> a command for each of the dictionary
```

Packets with a number of groups that only they know have those as octets, whose layout the description gives: not every
ground system repeats a container. A command that takes a list takes one entry of it. Sequence count, length and
checksum of a command are for the ground system to fill in; they are zero here. SCHEDULE_INSERT, which carries whole
packets, is left out: ground systems have their own way to wrap a command up.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from flightsw.ccsds.space_packet import CRC_OCTETS, HEADER, HEADER_OCTETS, PacketHeader, build_packet_header
from flightsw.services.declarations import SID_OCTETS, TIME, TIME_OCTETS, CommandKind, Item, PacketKind
from flightsw.services.dictionary import COMMANDS, EVENTS, PACKETS
from flightsw.services.events import EventKind
from flightsw.services.pus import event_reporting
from flightsw.services.pus.packet import (
    TELEMETRY_DATA_AT,
    TELEMETRY_HEADER,
    TERMINAL_APID,
    VERSION,
    Acknowledge,
)

_NAMESPACE = "http://www.omg.org/spec/XTCE/20180204"
ROOT = "CCSDSPacket"
_TELEMETRY, _COMMAND = "PUSTelemetry", "Telecommand"
#: Fields of the primary header by the names that XTCE's own examples give them.
_PRIMARY = ("VERSION", "TYPE", "SEC_HDR_FLG", "PKT_APID", "SEQ_FLGS", "SRC_SEQ_CTR", "PKT_LEN")
_SERVICE, _SUBTYPE, _LENGTH = "service", "subtype", "PKT_LEN"
_CHECKSUM = "packet_error_control"
_LONGEST_TEXT_BITS = 8 * 0xFFFF
_OCTETS = {"u1": 1, "u2": 2, "u4": 4, "f4": 4, "f8": 8, "time": TIME_OCTETS}

_Restrictions = Sequence[tuple[str, str, int]]


def xtce() -> str:
    """The document."""
    ElementTree.register_namespace("", _NAMESPACE)
    root = _element("SpaceSystem", name="beamlock", shortDescription="One terminal's flight software")
    _add(root, "Header", validationStatus="Working", version="1")
    _Telemetry(_add(root, "TelemetryMetaData")).write()
    _Commands(_add(root, "CommandMetaData")).write()
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


class _Types:
    """The types of parameters, or of arguments: one for each form that is asked for."""

    def __init__(self, parent: Element, what: str) -> None:
        self._set = _add(parent, f"{what}TypeSet")
        self._what = what
        self._known: dict[tuple[str, Item], str] = {}

    def of(self, name: str, item: Item, preceding: int = 0) -> str:
        """Name of the type of an item; `preceding` octets of the packet stand ahead of it."""
        own = bool(item.states) or item.kind in ("text", "octets") or item.lowest is not None
        key = (name if own else "", replace(item, name="", meaning=""))
        if key not in self._known:
            self._known[key] = _xml_name(f"{name}_type" if own else f"{item.kind}_{item.unit}".rstrip("_"))
            self._write(self._known[key], name, item, preceding)
        return self._known[key]

    def bits(self, bits: int) -> str:
        """Name of the type of an unsigned number of so many bits."""
        name = f"unsigned_{bits}"
        if not any(element.get("name") == name for element in self._set):
            element = _add(self._set, f"Integer{self._what}Type", name=name, signed="false", sizeInBits=str(bits))
            _add(element, "UnitSet")
            _integer(element, bits)
        return name

    def _write(self, type_name: str, name: str, item: Item, preceding: int) -> None:
        bits = 8 * _OCTETS.get(item.kind, 0)
        if item.kind == "time":
            element = self._start("AbsoluteTime", type_name)
            encoding = _add(element, "Encoding", units="seconds", scale=repr(2.0 ** (-8 * TIME.fractional_octets)))
            _integer(encoding, bits)
            return
        if item.kind == "text":
            element = self._start("String", type_name, item.unit)
            variable = _add(_add(element, "StringDataEncoding"), "Variable", maxSizeInBits=str(_LONGEST_TEXT_BITS))
            if self._what == "Argument":
                _dynamic(variable, _length_name(item.name), 8, 0, "Argument")
            else:
                _dynamic(variable, _length_name(name), 8, 0)
        elif item.kind == "octets":
            element = self._start("Binary", type_name, item.unit)
            # PKT_LEN is one less than the octets behind the primary header
            rest = 1 + HEADER_OCTETS - preceding - CRC_OCTETS
            _dynamic(_add(_add(element, "BinaryDataEncoding"), "SizeInBits"), _LENGTH, 8, 8 * rest)
        elif item.states:
            element = self._start("Enumerated", type_name, item.unit)
            _integer(element, bits)
            states = _add(element, "EnumerationList")
            for value, label in enumerate(item.states):
                _add(states, "Enumeration", value=str(value), label=label)
        elif item.kind.startswith("f"):
            element = self._start("Float", type_name, item.unit, sizeInBits=str(bits))
            _add(element, "FloatDataEncoding", sizeInBits=str(bits), encoding="IEEE754_1985")
            self._range(element, item)
        else:
            element = self._start("Integer", type_name, item.unit, signed="false", sizeInBits=str(bits))
            _integer(element, bits)
            self._range(element, item)

    def _start(self, kind: str, name: str, unit: str | None = None, **attributes: str) -> Element:
        element = _add(self._set, f"{kind}{self._what}Type", name=name, **attributes)
        if unit is not None:
            units = _add(element, "UnitSet")
            if unit:
                _add(units, "Unit").text = unit
        return element

    def _range(self, element: Element, item: Item) -> None:
        bounds = {"minInclusive": item.lowest, "maxInclusive": item.highest}
        whole = not item.kind.startswith("f")
        given = {k: str(int(v)) if whole else repr(float(v)) for k, v in bounds.items() if v is not None}
        if given:
            parent = _add(element, "ValidRangeSet") if self._what == "Argument" else element
            _add(parent, "ValidRange", **given)


class _Telemetry:
    def __init__(self, parent: Element) -> None:
        self._types = _Types(parent, "Parameter")
        self._parameters = _add(parent, "ParameterSet")
        self._containers = _add(parent, "ContainerSet")

    def write(self) -> None:
        entries = self._container(ROOT, "A space packet, CCSDS 133.0-B-2", abstract=True)
        for name, field in zip(_PRIMARY, HEADER.subcon.subcons, strict=True):
            self._header_field(entries, name, field.sizeof())
        restrictions: _Restrictions = (("TYPE", "==", 0), ("SEC_HDR_FLG", "==", 1), ("PKT_APID", "==", TERMINAL_APID))
        about = "A telemetry packet, ECSS-E-ST-70-41C"
        entries = self._container(_TELEMETRY, about, ROOT, restrictions, abstract=True)
        for field in TELEMETRY_HEADER.subcon.subcons:
            self._header_field(entries, field.name if field.name != "version" else "pus_version", field.sizeof())
        time = Item("time", "time", "s", "when, since the epoch of the run")
        self._parameter(entries, "time", time, 0)
        self._header_field(None, _CHECKSUM, 8 * CRC_OCTETS)
        for subtype in sorted({kind.subtype for kind in PACKETS if kind.number is not None}):
            restrictions = ((_SERVICE, "==", 3), (_SUBTYPE, "==", subtype))
            self._numbered(f"structures_{subtype}", f"structure_{subtype}", "Values of a structure", restrictions)
        restrictions = ((_SERVICE, "==", event_reporting.SERVICE), (_SUBTYPE, "<=", 4))
        self._numbered("events", "event", "An event; the subtype is its severity, 1 to 4", restrictions)
        for kind in PACKETS:
            self._packet(kind)
        for event in EVENTS.values():
            self._event(event)

    def _numbered(self, name: str, number: str, about: str, restrictions: _Restrictions) -> None:
        entries = self._container(name, about, _TELEMETRY, restrictions, abstract=True)
        self._parameter(entries, number, Item(number, "u2", "", "its number"), TELEMETRY_DATA_AT)

    def _packet(self, kind: PacketKind) -> None:
        base = _TELEMETRY
        at = TELEMETRY_DATA_AT
        restrictions: _Restrictions = ((_SERVICE, "==", kind.service), (_SUBTYPE, "==", kind.subtype))
        if kind.number is not None:
            base = f"structures_{kind.subtype}"
            restrictions = ((f"structure_{kind.subtype}", "==", kind.number),)
            at += SID_OCTETS
        items = kind.items
        if kind.repeat != 1:
            layout = ", ".join(f"{item.name} ({item.kind}, {item.unit})" for item in items)
            items = (Item("groups", "octets", "", f"groups of {layout}, big-endian"),)
        self._leaf(kind.name, kind.meaning, base, restrictions, items, at)

    def _event(self, kind: EventKind) -> None:
        about = f"{kind.severity.name}: {kind.template}"
        restrictions = (("event", "==", kind.number),)
        self._leaf(kind.name, about, "events", restrictions, kind.arguments, TELEMETRY_DATA_AT + SID_OCTETS)

    def _leaf(
        self, name: str, about: str, base: str, restrictions: _Restrictions, items: Sequence[Item], at: int
    ) -> None:
        entries = self._container(name, about, base, restrictions)
        for item in items:
            self._parameter(entries, f"{name}_{item.name}", item, at)
            at += _OCTETS.get(item.kind, 0)
        _add(entries, "ParameterRefEntry", parameterRef=_CHECKSUM)

    def _container(
        self, name: str, about: str, base: str = "", restrictions: _Restrictions = (), abstract: bool = False
    ) -> Element:
        """A new container; its list of entries."""
        container = _add(self._containers, "SequenceContainer", name=name, shortDescription=about)
        if abstract:
            container.set("abstract", "true")
        entries = _add(container, "EntryList")
        if base:
            criteria = _add(_add(container, "BaseContainer", containerRef=base), "RestrictionCriteria")
            comparisons = _add(criteria, "ComparisonList")
            for parameter, operator, value in restrictions:
                _add(
                    comparisons,
                    "Comparison",
                    parameterRef=parameter,
                    comparisonOperator=operator,
                    value=str(value),
                    useCalibratedValue="false",
                )
        return entries

    def _parameter(self, entries: Element, name: str, item: Item, preceding: int) -> None:
        if item.kind == "text":
            self._parameter(entries, _length_name(name), Item("", "u2", "", f"octets of {item.name}"), preceding)
        reference = self._types.of(name, item, preceding)
        _add(self._parameters, "Parameter", name=name, parameterTypeRef=reference, shortDescription=item.meaning)
        _add(entries, "ParameterRefEntry", parameterRef=name)

    def _header_field(self, entries: Element | None, name: str, bits: int) -> None:
        _add(self._parameters, "Parameter", name=name, parameterTypeRef=self._types.bits(bits))
        if entries is not None:
            _add(entries, "ParameterRefEntry", parameterRef=name)


class _Commands:
    def __init__(self, parent: Element) -> None:
        self._types = _Types(parent, "Argument")
        self._commands = _add(parent, "MetaCommandSet")

    def write(self) -> None:
        command = _add(self._commands, "MetaCommand", name=_COMMAND, abstract="true")
        entries = _add(_add(command, "CommandContainer", name=_COMMAND), "EntryList")
        _fixed(entries, "primary_header", build_packet_header(PacketHeader(TERMINAL_APID, 0, 1, telecommand=True)))
        _fixed(entries, "pus_version_and_acknowledge", bytes([VERSION << 4 | Acknowledge.ALL]))
        for kind in COMMANDS.values():
            if all(item.kind != "octets" for item in kind.arguments):
                self._command(kind)

    def _command(self, kind: CommandKind) -> None:
        command = _add(self._commands, "MetaCommand", name=kind.name, shortDescription=kind.meaning)
        _add(command, "BaseMetaCommand", metaCommandRef=_COMMAND)
        if kind.asked:
            arguments = _add(command, "ArgumentList")
            for item in _with_lengths(kind.asked):
                reference = self._types.of(f"{kind.name}_{item.name}", item)
                _add(
                    arguments,
                    "Argument",
                    name=item.name,
                    argumentTypeRef=reference,
                    shortDescription=item.meaning,
                )
        container = _add(command, "CommandContainer", name=kind.name)
        entries = _add(container, "EntryList")
        _fixed(entries, "service_and_subtype", bytes([kind.service, kind.subtype]))
        _fixed(entries, "source", bytes(2))
        for item in _with_lengths(kind.arguments):
            if item.fixed is None:
                _add(entries, "ArgumentRefEntry", argumentRef=item.name)
            else:
                _fixed(entries, item.name, item.encode(item.fixed))
        _fixed(entries, _CHECKSUM, bytes(CRC_OCTETS))
        _add(container, "BaseContainer", containerRef=_COMMAND)


def _element(tag: str, **attributes: str) -> Element:
    return Element(f"{{{_NAMESPACE}}}{tag}", {k: v for k, v in attributes.items() if v})


def _add(parent: Element, tag: str, **attributes: str) -> Element:
    return SubElement(parent, f"{{{_NAMESPACE}}}{tag}", {k: v for k, v in attributes.items() if v})


def _fixed(entries: Element, name: str, octets: bytes) -> None:
    _add(entries, "FixedValueEntry", name=name, binaryValue=octets.hex().upper(), sizeInBits=str(8 * len(octets)))


def _integer(parent: Element, bits: int) -> None:
    _add(parent, "IntegerDataEncoding", sizeInBits=str(bits), encoding="unsigned")


def _with_lengths(arguments: tuple[Item, ...]) -> Iterator[Item]:
    """Arguments, with the length of each text ahead of it: XTCE wants it by name."""
    for item in arguments:
        if item.kind == "text":
            yield Item(_length_name(item.name), "u2", "", f"octets of {item.name}")
        yield item


def _dynamic(parent: Element, name: str, slope: int, intercept: int, what: str = "Parameter") -> None:
    value = _add(parent, "DynamicValue")
    reference = _add(value, f"{what}InstanceRef", useCalibratedValue="false")
    reference.set(f"{what.lower()}Ref", name)
    _add(value, "LinearAdjustment", slope=str(slope), intercept=str(intercept))


def _length_name(name: str) -> str:
    return f"{name}_octets"


def _xml_name(name: str) -> str:
    return name.replace("/", "_per_").replace(" ", "_")
