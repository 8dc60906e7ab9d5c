"""Data over the link that the pointing loop holds: a file one way by CFDP class 2, what it is answered the other.

```
 file --> PDUs --> packets --> frames --> code --> [ channel: the light of this very run ] --> decoder --> file
 resend <-- NAK <-- packets <-- frames <-- decoder <-- [ channel ] <-- code <-- frames <-- NAK, ACK, Finished
```

Every frame of 10 ms in which a terminal is in COMM it fills the line; what arrives one light time later has the errors
that the received power of that moment makes. Photons per bit are those of the full line rate; the bits that a run
carries are fewer, by `rate_scale`: as many as the scenario says, or as the terminal's encoder can make.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flightsw.ccsds import profile as profiles
from flightsw.ccsds.demultiplexer import Demultiplexer
from flightsw.ccsds.link import LinkDecoder
from flightsw.ccsds.multiplexer import Multiplexer
from flightsw.ccsds.space_packet import Packet, read
from flightsw.errors import ConfigError
from flightsw.hal import FRAME_S
from flightsw.services.cfdp.entity import CFDP_APID, Entity
from flightsw.services.cfdp.filestore import MemoryFilestore
from flightsw.services.cfdp.handlers import Timing
from hil.encoders import PYTHON, EncoderKind
from hil.scenario import Scenario
from hil.world import World
from sim.channel import OpticalChannel
from sim.sun import SUN_TEMPERATURE

# beyond the light's two ways: a frame of 10 ms at each of four hands, and decoding
_REACTION_S = 0.06
_SENDER, _RECEIVER = 0, 1
_NAME = "payload"
# a link that fades is asked again for as long as the run lasts
_LIMIT = 1 << 30

#: One frame of 10 ms of the way that the file takes: good and lost transfer frames, light on the receiver (W).
STRIP = np.dtype([("time_s", "f8"), ("good", "u4"), ("lost", "u4"), ("power_w", "f4")])


class _Way:
    """One way of the link: from the packets of one terminal to the packets at the other, which is `receiver`."""

    def __init__(
        self, scenario: Scenario, world: World, receiver: int, rng: np.random.Generator, encoder: EncoderKind
    ) -> None:
        data = scenario.data
        models = list(scenario.terminals.values())
        profile = profiles.load(data.profile)
        asked_mbps = data.carried_rate_mbps
        self.carried_mbps = asked_mbps if encoder.rate_mbps is None else min(asked_mbps, encoder.rate_mbps)
        carried_hz, line_hz = self.carried_mbps * 1e6, data.line_rate_mbps * 1e6
        self._wavelength_m = models[1 - receiver].hardware.laser.wavelength_nm * 1e-9
        self._share = models[receiver].hardware.optics.split.communication
        self._sky = world.sky[receiver]
        slips = data.bit_slips_per_s * line_hz / carried_hz
        self._channel = OpticalChannel(models[receiver].hardware.receiver, self._wavelength_m, line_hz, rng, slips)
        coding = profile.coding
        self._soft = data.bit_slips_per_s == 0.0 and (
            coding.block not in ("none", "rs") or coding.convolutional != "none"
        )
        frame_format = profile.frame.format()
        self._zone_octets = frame_format.zone_octets
        self._virtual_channel = profile.frame.virtual_channel
        self._multiplexer = Multiplexer(frame_format, [self._virtual_channel])
        self._demultiplexer = Demultiplexer(frame_format, [self._virtual_channel])
        self._encoder = encoder.make(profile, carried_hz)
        self.decoder = LinkDecoder(profile, "llrs" if self._soft else "octets", carried_hz)
        self._octets_a_frame = carried_hz * FRAME_S / 8.0
        if self._octets_a_frame < self._encoder.line_octets_per_frame / 50.0:
            limited = self.carried_mbps < asked_mbps
            key = f"rate of encoder {encoder.name} in Mb/s" if limited else "data.carried_rate_mbps"
            raise ConfigError(
                f"{key}: expected at least a transfer frame in half a second, found {self.carried_mbps:g}; raise it"
            )
        self._credit = 0.0
        self._under_way: deque[tuple[float, NDArray[np.uint8]]] = deque()
        self.frames_sent = 0
        self.power_w = 0.0

    @property
    def room(self) -> int:
        """Octets of packets that the frames of the next 10 ms have room for."""
        frames = int((self._credit + self._octets_a_frame) // self._encoder.line_octets_per_frame)
        return frames * self._zone_octets - self._multiplexer.waiting_octets

    def send(self, packets: list[bytes], now_s: float, light_time_s: float) -> None:
        """Fill the line for the next 10 ms with packets, and with idle data behind them."""
        if packets:
            self._multiplexer.put(self._virtual_channel, b"".join(packets))
        self._credit += self._octets_a_frame
        frames = int(self._credit // self._encoder.line_octets_per_frame)
        self._credit -= frames * self._encoder.line_octets_per_frame
        if frames:
            line = self._encoder.encode(self._multiplexer.frames(frames))
            self.frames_sent += frames
            self._under_way.append((now_s + FRAME_S + light_time_s, line))

    def receive(self, now_s: float, power_w: NDArray[np.float32]) -> list[Packet]:
        """Packets out of what has arrived by now, by the light in the aperture in the last 10 ms, (samples,) in W."""
        light = power_w * self._share
        self.power_w = float(light.mean())
        background = self._sky.noise_photons(now_s, self._wavelength_m, SUN_TEMPERATURE)
        packets: list[Packet] = []
        while self._under_way and self._under_way[0][0] <= now_s + 1e-9:
            _, line = self._under_way.popleft()
            through = self._channel.soft if self._soft else self._channel.hard
            frames = self.decoder.push(through(line, light, background))
            for found in self._demultiplexer.push(frames).values():
                packets.extend(read(found)[0])
        return packets


class DataLink:
    """Sends a file from the first terminal of a scenario to the second while both are in COMM."""

    def __init__(
        self,
        scenario: Scenario,
        world: World,
        payload: bytes,
        seed: int,
        encoders: Sequence[EncoderKind] = (PYTHON, PYTHON),
    ) -> None:
        """`encoders`: one a terminal. Raise ConfigError for profile or rate that cannot be used, or an empty file."""
        if not payload:
            raise ConfigError("payload: expected a file with at least one octet, found an empty one")
        there, back = np.random.SeedSequence([seed, 0xDA7A]).spawn(2)
        self._there = _Way(scenario, world, _RECEIVER, np.random.default_rng(there), encoders[_SENDER])
        self._back = _Way(scenario, world, _SENDER, np.random.default_rng(back), encoders[_RECEIVER])
        self._scale = scenario.data.line_rate_mbps / self._there.carried_mbps
        depth_s = 2.0 * profiles.load(scenario.data.profile).coding.interleaver_ms * 1e-3
        slowest_s = 2.0 * float(world.frames["light_time_s"].max())
        timing = Timing(slowest_s + depth_s + _REACTION_S, limit=_LIMIT, inactivity_s=float(_LIMIT))
        self._store = MemoryFilestore()
        self._sender = Entity(_SENDER, _RECEIVER, MemoryFilestore(), timing)
        self._receiver = Entity(_RECEIVER, _SENDER, self._store, timing)
        self._sender.put(payload, _NAME)
        self._payload = payload
        self._encoder = ", ".join(dict.fromkeys(kind.name for kind in encoders))
        self._latency_s = 0.0
        self._arrived = 0
        self._first_s: float | None = None
        self._complete_s: float | None = None
        self._before = (0, 0)
        self.strip: list[tuple[float, int, int, float]] = []

    def frame(self, now_s: float, power_w: NDArray[np.float32], in_comm: list[bool], light_time_s: float) -> None:
        """One frame of 10 ms. power_w: light in both apertures, float32 (2, samples)."""
        self._sender.tick(now_s)
        self._receiver.tick(now_s)
        for packet in self._there.receive(now_s, power_w[_RECEIVER]):
            if packet.apid == CFDP_APID:
                self._arrived += 1
                self._latency_s += now_s - packet.time_us * 1e-6
                self._receiver.receive(packet.data)
        for packet in self._back.receive(now_s, power_w[_SENDER]):
            if packet.apid == CFDP_APID:
                self._sender.receive(packet.data)
        if self._complete_s is None and _NAME in self._store.files:
            self._complete_s = now_s
        if not self._sender.busy and not self._receiver.busy:
            in_comm = [False, False]
        if in_comm[_SENDER]:
            self._first_s = now_s if self._first_s is None else self._first_s
            self._there.send(self._sender.packets(self._there.room), now_s, light_time_s)
        if in_comm[_RECEIVER]:
            self._back.send(self._receiver.packets(self._back.room), now_s, light_time_s)
        counts = self._there.decoder.statistics
        good, lost = counts.frames, counts.lost
        self.strip.append((now_s, good - self._before[0], max(lost - self._before[1], 0), self._there.power_w))
        self._before = (good, lost)

    @property
    def arrived(self) -> bool:
        """The whole file is there, octet for octet."""
        return self._store.files.get(_NAME) == self._payload

    def summary(self) -> dict[str, Any]:
        """Figures of the transfer. Rates are those of the file's way; the line itself is `rate_scale` times as fast."""
        counts = self._there.decoder.statistics
        took_s = None if self._complete_s is None or self._first_s is None else self._complete_s - self._first_s
        return {
            "encoder": self._encoder,
            "sha256_match": self.arrived,
            "octets": len(self._payload),
            "frames_sent": self._there.frames_sent,
            "frames_lost": counts.lost,
            "frames_corrected": counts.corrected_frames,
            "symbols_corrected": counts.corrected_symbols,
            "bit_slips": counts.bit_slips,
            "segments_sent": self._sender.counts.segments_sent,
            "segments_resent": self._sender.counts.segments_resent,
            "goodput_mbps": None if not took_s else round(len(self._payload) * 8e-6 / took_s, 3),
            "latency_ms": None if self._arrived == 0 else round(self._latency_s / self._arrived * 1e3, 2),
            "transfer_s": None if took_s is None else round(took_s, 3),
            "rate_scale": self._scale,
        }
