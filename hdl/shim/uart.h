// The far end of a UART, a clock cycle at a time: octets to the bits of a pin, and the bits of a pin to octets.
//
// 8 data bits, no parity, one stop bit. A bit lasts clock_hz / baud cycles, which need not be a whole number: phases
// count in units of 1 / baud of a cycle, so no error adds up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <vector>

class UartTransmitter {
 public:
  UartTransmitter(uint64_t clock_hz, uint64_t baud) : clock_hz_(clock_hz), baud_(baud) {}

  void put(const uint8_t* octets, size_t count) { queue_.insert(queue_.end(), octets, octets + count); }

  // Octets that have not begun to leave.
  size_t waiting() const { return queue_.size(); }

  // Level of the pin in the next cycle.
  bool level() {
    if (bits_ == 0) {
      if (queue_.empty()) return true;
      word_ = 0x200u | queue_.front() << 1;
      queue_.pop_front();
      bits_ = 10;
    }
    const bool level = word_ & 1;
    phase_ += baud_;
    if (phase_ >= clock_hz_) {
      phase_ -= clock_hz_;
      word_ >>= 1;
      --bits_;
    }
    return level;
  }

 private:
  uint64_t clock_hz_, baud_, phase_ = 0;
  std::deque<uint8_t> queue_;
  unsigned word_ = 0, bits_ = 0;
};

class UartReceiver {
 public:
  UartReceiver(uint64_t clock_hz, uint64_t baud) : clock_hz_(clock_hz), baud_(baud) {}

  // Take in the level of the pin in this cycle.
  void level(bool high) {
    if (bits_ == 0) {
      if (previous_ && !high) {
        bits_ = 10;
        phase_ = clock_hz_ / 2;  // the middle of the start bit is half a bit away
      }
    } else {
      phase_ += baud_;
      if (phase_ >= clock_hz_) {
        phase_ -= clock_hz_;
        sample(high);
      }
    }
    previous_ = high;
  }

  // Octets that have come; whoever takes them clears it.
  std::vector<uint8_t> octets;
  // Octets lost because their stop bit was low.
  uint64_t framing_errors = 0;

 private:
  void sample(bool high) {
    --bits_;
    if (bits_ == 9) {
      if (high) bits_ = 0;  // a glitch, no start bit
    } else if (bits_ > 0) {
      octet_ = static_cast<uint8_t>(octet_ >> 1 | high << 7);
    } else if (high) {
      octets.push_back(octet_);
    } else {
      ++framing_errors;
    }
  }

  uint64_t clock_hz_, baud_, phase_ = 0;
  bool previous_ = true;
  unsigned bits_ = 0;
  uint8_t octet_ = 0;
};
