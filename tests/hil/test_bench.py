"""Bench files: what ships loads and fits the shipped scenario, and what is wrong is named in one line."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightsw.errors import ConfigError
from hdl import boards
from hil.bench import (
    ALL_SIMULATED,
    Attached,
    Bench,
    Emulated,
    Replayed,
    Rtl,
    Simulated,
    TerminalBench,
    binding,
    check,
    load,
    shipped,
)
from hil.protocol import Kind
from hil.realtime import Policy, RealTimeModel
from hil.scenario import load as load_scenario
from hil.transports.address import SerialAddress, TcpAddress, UsbAddress

HEAD = 'name = "mine"\ndescription = "a bench of mine"\n'


def write(folder: Path, text: str) -> str:
    path = folder / "bench.toml"
    path.write_text(HEAD + text)
    return str(path)


def refused(folder: Path, text: str) -> str:
    path = write(folder, text)
    with pytest.raises(ConfigError) as error:
        load(path)
    message = str(error.value)
    assert "\n" not in message and message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def checked(**devices: dict[str, str]) -> None:
    check(
        Bench.model_validate({"name": "mine", "description": "mine", "terminals": devices}),
        load_scenario("leo_crosslink"),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sim:", Simulated()),
        ("rtl:", Rtl()),
        ("emulate:pty", Emulated("pty")),
        ("emulate:tcp", Emulated("tcp")),
        ("emulate:usb", Emulated("usb")),
        ("serial:/dev/ttyUSB0?baud=3000000", Attached(SerialAddress("/dev/ttyUSB0", 3_000_000))),
        ("usb:1209:0001?serial=quad-1", Attached(UsbAddress(0x1209, 1, "quad-1"))),
        ("tcp:mirror.lab:5000", Attached(TcpAddress("mirror.lab", 5000))),
        ("replay:/runs/a/record.mcap", Replayed(Path("/runs/a/record.mcap"))),
        ("replay:runs/a:b.mcap", Replayed(Path("runs/a:b.mcap"))),
    ],
)
def test_bindings(text, expected):
    assert binding(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("", "sim:, rtl:, emulate:, serial:, usb:, tcp: or replay:", "none of them"),
        ("sim", "sim:, rtl:, emulate:, serial:, usb:, tcp: or replay:", "none of them"),
        ("sim:1", "sim:, rtl:, emulate:, serial:, usb:, tcp: or replay:", "none of them"),
        ("serial", "sim:, rtl:, emulate:, serial:, usb:, tcp: or replay:", "none of them"),
        ("pty:/tmp/mirror", "sim:, rtl:, emulate:, serial:, usb:, tcp: or replay:", "none of them"),
        ("emulate:udp", "emulate:pty, emulate:tcp or emulate:usb", "'udp'"),
        ("emulate", "emulate:pty, emulate:tcp or emulate:usb", "''"),
        ("replay:", "a run's record, as in replay:record.mcap", "''"),
        ("replay", "sim:, rtl:, emulate:, serial:, usb:, tcp: or replay:", "none of them"),
        ("serial:/dev/ttyUSB0\0", "text without a zero octet", "one"),
        ("usb:1209", "vendor and product of 4 hexadecimal digits", "'1209'"),
    ],
)
def test_what_is_wrong_with_a_binding_is_said(text, expected, found):
    with pytest.raises(ConfigError) as error:
        binding(text)
    message = str(error.value)
    assert repr(text) in message and f"expected {expected}" in message and message.endswith(f"found {found}")


@given(
    st.text(max_size=30), st.sampled_from(["", "serial:", "usb:1209:0001", "tcp:a:", "emulate:", "replay:", "sim", "r"])
)
def test_arbitrary_text_is_a_binding_or_a_config_error(text, begin):
    try:
        found = binding(begin + text)
    except ConfigError as error:
        assert "\n" not in str(error)
        return
    assert binding(str(found)) == found


def test_every_kind_of_device_can_be_bound():
    assert set(TerminalBench.model_fields) == {kind.label for kind in Kind}


def test_the_shipped_benches_fit_the_shipped_scenario():
    scenario = load_scenario("leo_crosslink")
    assert {"simulated", "serial", "usb", "encoder_rtl", "fine_loop", "real_time", "dev_boards"} <= set(shipped())
    for name, description in shipped().items():
        found = load(name)
        assert (found.name, found.description) == (name, description)
        check(found, scenario)


def test_the_three_benches_of_one_scenario():
    mirror, cell = Kind.STEERING_MIRROR, Kind.QUAD_CELL
    assert load("serial").terminal("alpha").bound == {mirror: Emulated("pty"), cell: Emulated("pty")}
    usb = load("usb").terminal("alpha").bound
    assert usb == dict.fromkeys([mirror, cell, Kind.GIMBAL, Kind.CAMERA, Kind.LASER], Emulated("usb"))
    encoder = load("encoder_rtl")
    assert encoder.terminal("alpha").bound == {Kind.ENCODER: Emulated("pty")}
    assert encoder.encoder_rate_mbps == 0.5
    assert all(load(name).terminal("bravo").bound == {} for name in ("serial", "usb", "encoder_rtl"))


@pytest.mark.parametrize("board", boards.boards())
def test_each_board_has_a_bench_at_its_baud_rate(board):
    found = load(board)
    encoder = found.terminal("alpha").encoder
    assert isinstance(encoder, Attached) and isinstance(encoder.address, SerialAddress)
    top = (Path(boards.__file__).parent / board / f"{board}_top.v").read_text()
    assert f".BAUD         ({encoder.address.baud:_})" in top
    # a start and a stop bit with each octet
    assert found.encoder_rate_mbps <= 0.8e-6 * encoder.address.baud


def test_software_only_is_a_bench_like_any():
    assert load("simulated") == ALL_SIMULATED
    assert ALL_SIMULATED.terminal("alpha").bound == {}
    check(ALL_SIMULATED, load_scenario("leo_geo"))


def test_a_bench_with_all_its_keys(tmp_path):
    path = write(
        tmp_path,
        """
        sample_rate_hz = 2000
        encoder_rate_mbps = 1.5
        real_time = { policy = "skip", priority = 50 }
        [terminals.alpha]
        gimbal = "tcp:gimbal.lab:5000"
        camera = "replay:old/record.mcap"
        laser = "sim:"
        encoder = "rtl:"
        [terminals.bravo]
        fine_loop = "usb:1209:0001"
        """,
    )
    found = load(path)
    assert (found.sample_rate_hz, found.encoder_rate_mbps) == (2000, 1.5)
    assert found.real_time is not None and (found.real_time.policy, found.real_time.priority) == (Policy.SKIP, 50)
    assert found.terminal("alpha").bound == {
        Kind.GIMBAL: Attached(TcpAddress("gimbal.lab", 5000)),
        Kind.CAMERA: Replayed(tmp_path / "old" / "record.mcap"),
        Kind.ENCODER: Rtl(),
    }
    assert found.terminals["bravo"].fine_loop == Attached(UsbAddress(0x1209, 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[terminals.alpha]\nmirror = 'sim:'", "terminals.alpha.mirror: unknown key"),
        ("[terminals.alpha]\ngimbal = 5", "terminals.alpha.gimbal: expected a binding as text, as in sim:, found 5"),
        (
            "[terminals.alpha]\ngimbal = 'usb:1209'",
            "terminals.alpha.gimbal: device address 'usb:1209': expected vendor and product of 4 hexadecimal digits, "
            "as in usb:1209:0001, found 'usb:1209'",
        ),
        ("[terminals.alpha]\ngimbal = 'rtl:'", "terminals.alpha.gimbal: expected rtl: for an encoder only"),
        ("[terminals.alpha]\nencoder = 'emulate:usb'", "terminals.alpha.encoder: expected emulate:pty or emulate:tcp"),
        (
            "[terminals.a]\nfine_loop = 'emulate:pty'\nquad_cell = 'emulate:usb'\nsteering_mirror = 'replay:a'",
            "terminals.a: fine_loop: expected no other binding of the steering mirror and the quad cell, for the "
            "board that closes the loop has both, found steering_mirror and quad_cell bound",
        ),
        ("sample_rate_hz = 1050", "sample_rate_hz: Input should be a multiple of 100, found 1050"),
        ("sample_rate_hz = 900", "sample_rate_hz: Input should be greater than or equal to 1000, found 900"),
        ("sample_rate_hz = 30100", "sample_rate_hz: Input should be less than or equal to 30000, found 30100"),
        ("encoder_rate_mbps = 0", "encoder_rate_mbps: Input should be greater than 0, found 0"),
        ("[real_time]\npolicy = 'hurry'", "real_time.policy: Input should be 'slip', 'skip' or 'abort'"),
        ("terminals = 3", "terminals: Input should be a valid dictionary, found 3"),
        ("gimbal = = 3", "expected TOML, found"),
    ],
)
def test_what_is_wrong_is_named_with_its_key(tmp_path, text, said):
    assert refused(tmp_path, text).startswith(said)


def test_the_fine_loops_board_goes_with_a_simulated_mirror_and_other_devices(tmp_path):
    text = "[terminals.a]\nfine_loop = 'emulate:pty'\nquad_cell = 'sim:'\ngimbal = 'emulate:pty'"
    assert set(load(write(tmp_path, text)).terminal("a").bound) == {Kind.FINE_LOOP, Kind.GIMBAL}


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"expected a bench file, found none; those shipped: .*simulated"):
        load(str(tmp_path / "absent.toml"))
    with pytest.raises(ConfigError, match=r"bench seriel: expected a TOML file or one of .*serial"):
        load("seriel")
    with pytest.raises(ConfigError, match=r"expected a readable text file"):
        load(str(tmp_path))


def test_a_terminal_that_the_scenario_does_not_have():
    with pytest.raises(ConfigError) as error:
        checked(alpha={"gimbal": "tcp:a:1"}, charlie={"gimbal": "tcp:a:2"})
    assert str(error.value) == "bench mine: terminals: expected alpha or bravo of scenario leo_crosslink, found charlie"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("serial:/dev/ttyUSB0?baud=9600", "serial:/dev/ttyUSB0?baud=3000000"),
        ("serial:/dev/ttyUSB0", "serial:/dev/../dev/ttyUSB0"),
        ("serial:socket://h:1", "serial:socket://h:1"),
        ("tcp:h:1", "tcp:h:1"),
        ("usb:1209:0001", "usb:1209:0001"),
        ("usb:1209:0001?serial=a", "usb:1209:0001?serial=a"),
        ("usb:1209:0001", "usb:1209:0001?serial=a"),
    ],
)
def test_two_devices_at_one_port(one, other):
    expected = r"found alpha\.steering_mirror at .+ and bravo\.gimbal at .+, which are one"
    with pytest.raises(ConfigError, match=expected):
        checked(alpha={"steering_mirror": one}, bravo={"gimbal": other})
    with pytest.raises(ConfigError, match=expected):
        checked(alpha={"steering_mirror": other}, bravo={"gimbal": one})


def test_two_devices_at_one_port_by_a_link(tmp_path):
    (tmp_path / "mirror").symlink_to("/dev/ttyUSB7")
    with pytest.raises(ConfigError, match=r"alpha\.steering_mirror at .+ and alpha\.quad_cell at .+, which are one"):
        checked(alpha={"steering_mirror": f"serial:{tmp_path / 'mirror'}", "quad_cell": "serial:/dev/ttyUSB7"})


def test_devices_that_may_be_bound_alike():
    for one, other in (
        ("serial:/dev/ttyUSB0", "serial:/dev/ttyUSB1"),
        ("serial:socket://h:1", "serial:socket://h:2"),
        ("serial:/dev/ttyUSB0", "tcp:h:1"),
        ("tcp:h:1", "tcp:h:2"),
        ("usb:1209:0001?serial=a", "usb:1209:0001?serial=b"),
        ("usb:1209:0001", "usb:1209:0002"),
        ("emulate:pty", "emulate:pty"),
        ("replay:record.mcap", "replay:record.mcap"),
    ):
        checked(alpha={"steering_mirror": one, "quad_cell": other})


@pytest.mark.parametrize("model", [Bench, RealTimeModel])
def test_the_page_in_the_docs_has_every_key(model):
    page = (Path(__file__).parents[2] / "docs" / "bench.md").read_text().splitlines()
    for key, field in model.model_fields.items():
        row = next(line for line in page if line.startswith(f"| `{key}` |"))
        default, meaning = row.split("|")[3:5]
        if field.description:
            assert meaning.strip() == field.description
        if field.is_required():
            assert default.strip() == "required"
        elif field.default is None:
            assert default.strip() == "none"
        elif field.default_factory is None and field.default != ():
            assert default.strip() == f"`{str(field.default).lower()}`"


def test_the_page_in_the_docs_has_every_device_and_bench():
    page = (Path(__file__).parents[2] / "docs" / "bench.md").read_text()
    assert [name for name in [*shipped(), *TerminalBench.model_fields] if f"`{name}`" not in page] == []
