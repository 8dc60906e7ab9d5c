// What the C interface of every model is built on: a Verilated top of its own, its clock and its reset.
//
// A cycle is settle(), in which the inputs set before reach the outputs, and rise(), the clock edge.
#pragma once

#include <cstddef>
#include <cstdint>

#include "verilated.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

template <class Top>
class Model {
 public:
  Model() : top(&context_, "top") {}
  ~Model() { top.final(); }

  // True where the RTL has stopped the simulation, as it does for parameters that it cannot have.
  bool stopped() const { return context_.gotFinish(); }

  void settle() {
    top.clk = 0;
    top.eval();
  }

  void rise() {
    top.clk = 1;
    top.eval();
    ++cycles;
  }

  void cycle() {
    settle();
    rise();
  }

  void reset() {
    top.rst = 1;
    for (int n = 0; n < 4; ++n) cycle();
    top.rst = 0;
  }

 private:
  VerilatedContext context_;

 public:
  Top top;
  uint64_t cycles = 0;
};
