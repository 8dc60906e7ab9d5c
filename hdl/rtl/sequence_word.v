// A linear recurring sequence over GF(2), a beat of bits at a time, in a register.
//
//   first bits --restart--> word <--step-- rows of x^n mod p(x) <-- last DEGREE bits of word
//
// With p(x) = x^DEGREE + TAPS(x), bit n + DEGREE of the sequence is the sum of the bits n + i for all i with
// TAPS[i] = 1, and so bit n + k is the sum of those that x^k mod p(x) has. The next beat follows from the last bits of
// this one.
//
// Parameters   DATA_WIDTH  bits of a beat
//              DEGREE      of the polynomial
//              TAPS        the polynomial without its leading term
//              SEED        the first DEGREE bits of the sequence, the first in bit 0
// Latency      `word` holds the first beat of the sequence a cycle after `restart`, the next one a cycle after `step`
`default_nettype none

module sequence_word #(
    parameter              DATA_WIDTH = 8,
    parameter              DEGREE     = 8,
    parameter [DEGREE-1:0] TAPS       = 8'hA9,
    parameter [DEGREE-1:0] SEED       = 8'hFF
) (
    input  wire                  clk,
    input  wire                  step,
    input  wire                  restart,  // before `step`
    output wire [DATA_WIDTH-1:0] word      // the first bit in bit 0
);

  // The recurrence needs DEGREE bits, also where a beat has less.
  localparam BITS = DATA_WIDTH < DEGREE ? DEGREE : DATA_WIDTH;

  // x^n mod p(x)
  function [DEGREE-1:0] power;
    input integer n;
    integer i;
    begin
      power = {{DEGREE - 1{1'b0}}, 1'b1};
      for (i = 0; i < n; i = i + 1) power = (power << 1) ^ (power[DEGREE-1] ? TAPS : {DEGREE{1'b0}});
    end
  endfunction

  reg [BITS-1:0] state;
  wire [BITS-1:0] first, next;
  genvar n;
  generate
    for (n = 0; n < BITS; n = n + 1) begin : g_bit
      localparam [DEGREE-1:0] FROM_SEED = power(n);
      localparam [DEGREE-1:0] FROM_STATE = power(n + DATA_WIDTH + DEGREE - BITS);
      assign first[n] = ^(FROM_SEED & SEED);
      assign next[n]  = ^(FROM_STATE & state[BITS-1-:DEGREE]);
    end
  endgenerate

  always @(posedge clk) begin
    if (restart) state <= first;
    else if (step) state <= next;
  end

  assign word = state[DATA_WIDTH-1:0];

endmodule

`default_nettype wire
