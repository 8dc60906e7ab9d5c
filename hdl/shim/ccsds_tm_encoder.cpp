// C interface of a Verilated ccsds_tm_encoder: reset, registers, and frames in and out.
#include "model.h"

#include "Vccsds_tm_encoder.h"

namespace {

enum Status { DONE = 0, STUCK = 1, NO_ROOM = 2 };

// Stops a beat with the probability threshold / 2^32, by xorshift64* (Vigna, 2016) from a seed.
class Stalls {
 public:
  Stalls(uint64_t threshold, uint64_t seed) : threshold_(threshold), state_(seed * 2 + 1) {}

  bool stop() {
    if (threshold_ == 0) return false;
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return (state_ * 0x2545F4914F6CDD1DULL) >> 32 < threshold_;
  }

 private:
  uint64_t threshold_, state_;
};

class Encoder : public Model<Vccsds_tm_encoder> {
 public:
  static constexpr unsigned LANES = sizeof(Vccsds_tm_encoder::s_axis_tdata);

  Encoder() {
    top.psel = top.penable = top.pwrite = 0;
    top.s_axis_tvalid = top.m_axis_tready = 0;
    reset();
  }

  // One APB transfer; true if the device answers with an error.
  bool transfer(uint8_t address, bool write, uint32_t* value) {
    top.paddr = address;
    top.pwrite = write;
    top.pwdata = *value;
    top.psel = 1;
    top.penable = 0;
    cycle();
    top.penable = 1;
    bool ready, error;
    do {
      settle();
      ready = top.pready;
      error = top.pslverr;
      if (!write) *value = top.prdata;
      rise();
    } while (!ready);
    top.psel = top.penable = 0;
    return error;
  }

  Status encode(const uint8_t* in, const uint32_t* lengths, uint64_t frames, uint8_t* out, uint64_t capacity,
                uint32_t* out_lengths, Stalls idle, Stalls back_pressure, uint64_t patience, uint64_t* octets) {
    const uint8_t* const begin = out;
    const uint8_t* const end = out + capacity;
    const uint8_t* frame = out;
    uint64_t sent = 0, received = 0, last_moved = cycles;
    uint32_t at = 0;
    bool offered = false;
    Status status = DONE;
    while (received < frames) {
      if (!offered && sent < frames && !idle.stop()) {
        offered = true;
        load(in + at, lengths[sent] - at);
      }
      top.s_axis_tvalid = offered;
      top.m_axis_tready = !back_pressure.stop();
      settle();
      const bool taken = offered && top.s_axis_tready;
      if (top.m_axis_tvalid && top.m_axis_tready) {
        last_moved = cycles;
        if (static_cast<uint64_t>(end - out) < LANES) {
          status = NO_ROOM;
          break;
        }
        uint64_t data = top.m_axis_tdata;
        for (unsigned n = 0; n < LANES; ++n, data >>= 8) out[n] = static_cast<uint8_t>(data);
        unsigned kept = LANES;
        if (top.m_axis_tlast) {
          for (kept = 0; kept < LANES && (top.m_axis_tkeep >> kept & 1); ++kept) {}
        }
        out += kept;
        if (top.m_axis_tlast) {
          out_lengths[received++] = static_cast<uint32_t>(out - frame);
          frame = out;
        }
      }
      rise();
      if (taken) {
        last_moved = cycles;
        offered = false;
        at += LANES;
        if (at >= lengths[sent]) {
          in += lengths[sent++];
          at = 0;
        }
      }
      if (cycles - last_moved > patience) {
        status = STUCK;
        break;
      }
    }
    top.s_axis_tvalid = top.m_axis_tready = 0;
    *octets = out - begin;
    return status;
  }

 private:
  // Offer the next beat of a frame of which `left` octets are left.
  void load(const uint8_t* in, uint32_t left) {
    const unsigned kept = left < LANES ? left : LANES;
    uint64_t data = 0;
    for (unsigned n = kept; n-- > 0;) data = data << 8 | in[n];
    top.s_axis_tdata = data;
    top.s_axis_tkeep = (1u << kept) - 1;
    top.s_axis_tlast = left <= LANES;
  }
};

}  // namespace

EXPORT Encoder* encoder_new() {
  Encoder* const encoder = new Encoder;
  if (!encoder->stopped()) return encoder;
  delete encoder;
  return nullptr;
}

EXPORT void encoder_delete(Encoder* encoder) { delete encoder; }

EXPORT void encoder_reset(Encoder* encoder) { encoder->reset(); }

EXPORT uint64_t encoder_cycles(const Encoder* encoder) { return encoder->cycles; }

EXPORT int encoder_read(Encoder* encoder, uint8_t address, uint32_t* value) {
  return encoder->transfer(address, false, value);
}

EXPORT int encoder_write(Encoder* encoder, uint8_t address, uint32_t value) {
  return encoder->transfer(address, true, &value);
}

// Passes frames that lie behind each other in `in`, and ends with the last beat of the last of them. A probability is in
// units of 2^-32. `patience`: cycles without a beat on either side until the model counts as stuck. `out` needs room for
// a beat beyond its octets. Returns a Status.
EXPORT int encoder_encode(Encoder* encoder, const uint8_t* in, const uint32_t* lengths, uint64_t frames, uint8_t* out,
                          uint64_t capacity, uint32_t* out_lengths, uint64_t idle, uint64_t idle_seed,
                          uint64_t back_pressure, uint64_t back_pressure_seed, uint64_t patience, uint64_t* octets) {
  return encoder->encode(in, lengths, frames, out, capacity, out_lengths, Stalls(idle, idle_seed),
                         Stalls(back_pressure, back_pressure_seed), patience, octets);
}
