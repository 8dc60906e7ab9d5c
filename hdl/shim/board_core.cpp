// C interface of a Verilated board_core at its pins: octets go in and out as the bits of its UART.
#include "model.h"
#include "uart.h"

#include "Vboard_core.h"

namespace {

class Board : public Model<Vboard_core> {
 public:
  Board(uint64_t clock_hz, uint64_t baud) : transmitter(clock_hz, baud), receiver(clock_hz, baud) {
    top.rx = 1;
    reset();
  }

  void run(uint64_t count) {
    while (count-- > 0) {
      top.rx = transmitter.level();
      cycle();
      receiver.level(top.tx);
    }
  }

  UartTransmitter transmitter;
  UartReceiver receiver;
};

}  // namespace

EXPORT Board* board_new(uint64_t clock_hz, uint64_t baud) {
  Board* const board = new Board(clock_hz, baud);
  if (!board->stopped()) return board;
  delete board;
  return nullptr;
}

EXPORT void board_delete(Board* board) { delete board; }

EXPORT void board_reset(Board* board) { board->reset(); }

EXPORT uint64_t board_cycles(const Board* board) { return board->cycles; }

EXPORT uint64_t board_framing_errors(const Board* board) { return board->receiver.framing_errors; }

// Bits 0, 1, 2: heartbeat, activity, error.
EXPORT uint32_t board_lamps(const Board* board) {
  return board->top.heartbeat | board->top.activity << 1 | board->top.error << 2;
}

// Queue octets behind those that still wait to be sent to the board.
EXPORT void board_put(Board* board, const uint8_t* octets, uint64_t count) { board->transmitter.put(octets, count); }

EXPORT uint64_t board_waiting(const Board* board) { return board->transmitter.waiting(); }

// Clock the board, and return how many octets from it wait to be taken.
EXPORT uint64_t board_run(Board* board, uint64_t cycles) {
  board->run(cycles);
  return board->receiver.octets.size();
}

// Take all octets that have come from the board.
EXPORT void board_take(Board* board, uint8_t* octets) {
  std::vector<uint8_t>& come = board->receiver.octets;
  for (size_t n = 0; n < come.size(); ++n) octets[n] = come[n];
  come.clear();
}
