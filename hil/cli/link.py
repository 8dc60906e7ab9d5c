"""`beamlock link encode|decode|simulate`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `beamlock link`."""
    parser.epilog = "example: beamlock link encode --profile aos_rs_i5 frames.bin line.bin"
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    encode = actions.add_parser("encode", help="transfer frames end to end to the octets of the line")
    decode = actions.add_parser("decode", help="octets or soft bits of the line to the good frames")
    simulate = actions.add_parser("simulate", help="frame error rate over a range of light levels")
    for sub in (encode, decode, simulate):
        sub.add_argument("--profile", required=True, metavar="P", help="a TOML file, or the name of a shipped profile")
    for sub in (encode, decode):
        sub.add_argument("--line-rate-mbps", type=float, metavar="R", help="needed with a channel interleaver")
        sub.add_argument("input", type=Path, metavar="IN")
        sub.add_argument("output", type=Path, metavar="OUT")
    encode.add_argument("--encoder", choices=("python", "rtl"), default="python", help="what encodes (default python)")
    decode.add_argument("--soft", action="store_true", help="IN is float32 log-likelihood ratios, positive for 0")
    decode.add_argument("--stats", type=Path, metavar="F", help="write the counts as JSON")
    simulate.epilog = "example: beamlock link simulate --profile aos_rs_i5 --photons-per-bit 10:40:5"
    simulate.add_argument("--photons-per-bit", required=True, metavar="A:B:STEP")
    receivers = ("preamplified_ook", "dpsk", "apd_ook", "photon_counting_ook")
    simulate.add_argument("--receiver", default="preamplified_ook", choices=receivers)
    simulate.add_argument("--soft", action="store_true", help="decode soft bits")
    simulate.add_argument("--frames", type=int, default=2000, metavar="N", help="per level at most (default 2000)")
    simulate.add_argument("--seed", type=int, default=1, metavar="N")
    simulate.add_argument("--plot", type=Path, metavar="FILE", help="write the curve as PNG or SVG")


def execute(arguments: argparse.Namespace) -> int:
    """Encode, decode or simulate. Returns 0."""
    from flightsw.ccsds.profile import load

    profile = load(arguments.profile)
    return {"encode": _encode, "decode": _decode, "simulate": _simulate}[arguments.action](profile, arguments)


def _encode(profile: Any, arguments: argparse.Namespace) -> int:
    import numpy as np

    from flightsw.errors import FrameError
    from hil.encoders import encoder_kind

    octets = np.frombuffer(_read(arguments.input), np.uint8)
    length = profile.frame.length_octets
    if len(octets) == 0 or len(octets) % length:
        raise FrameError(
            f"{arguments.input}", expected=f"whole frames of {length} octets", found=f"{len(octets)} octets"
        )
    encoder = encoder_kind(arguments.encoder, _say).make(profile, _rate(arguments))
    line = np.concatenate([encoder.encode(octets.reshape(-1, length)), encoder.flush()])
    _write(arguments.output, line.tobytes())
    print(f"{len(octets) // length} frames, {len(line)} octets on the line")
    return 0


def _decode(profile: Any, arguments: argparse.Namespace) -> int:
    import numpy as np

    from flightsw.ccsds.link import LinkDecoder
    from flightsw.errors import FrameError

    data = _read(arguments.input)
    if arguments.soft and len(data) % 4:
        raise FrameError(f"{arguments.input}", expected="float32 values, 4 octets each", found=f"{len(data)} octets")
    received = np.frombuffer(data, "<f4" if arguments.soft else np.uint8)
    decoder = LinkDecoder(profile, "llrs" if arguments.soft else "octets", _rate(arguments))
    frames = np.concatenate([decoder.push(received), decoder.flush()])
    _write(arguments.output, frames.tobytes())
    counts = decoder.statistics.as_dict()
    if arguments.stats is not None:
        _write(arguments.stats, (json.dumps(counts, indent=2) + "\n").encode())
    print(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items()))
    return 0


def _simulate(profile: Any, arguments: argparse.Namespace) -> int:
    from flightsw.errors import ConfigError
    from hil.link_simulation import levels, plot, simulate
    from sim.receiver import ReceiverModel

    if arguments.frames < 1:
        raise ConfigError(f"--frames: expected at least 1, found {arguments.frames}")
    receiver = ReceiverModel(kind=arguments.receiver, implementation_loss_db=0.0)
    print("photons/bit    frames  errors  frame error rate (95 % interval)    bit error rate")
    points = []
    levels_wanted = levels(arguments.photons_per_bit)
    for p in simulate(profile, levels_wanted, receiver, arguments.soft, arguments.frames, arguments.seed):
        points.append(p)
        print(
            f"{p.photons_per_bit:11.2f}  {p.frames:8d}  {p.errors:6d}  {p.frame_error_rate:10.3e} "
            f"({p.low:.1e} to {p.high:.1e})    {p.bit_error_rate:14.3e}",
            flush=True,
        )
    if arguments.plot is not None:
        plot(points, f"{arguments.profile}, {arguments.receiver}", arguments.plot)
        print(f"plot        {arguments.plot}")
    return 0


def _say(line: str) -> None:
    print(f"beamlock: {line}", file=sys.stderr, flush=True)


def _rate(arguments: argparse.Namespace) -> float | None:
    return None if arguments.line_rate_mbps is None else arguments.line_rate_mbps * 1e6


def _read(path: Path) -> bytes:
    from flightsw.errors import ConfigError

    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: expected a file that can be read, found: {error.strerror}") from None


def _write(path: Path, data: bytes) -> None:
    from flightsw.errors import ConfigError

    try:
        path.write_bytes(data)
    except OSError as error:
        raise ConfigError(f"{path}: expected a file that can be written, found: {error.strerror}") from None
