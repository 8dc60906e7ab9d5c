// Check register of the interleaved Reed-Solomon codes of CCSDS 131.0-B-5, section 4, for a whole beat per cycle.
//
//   octets --> (+) --> rows of the generator matrix --> (+) --> register of INTERLEAVE x 2E symbols --> check
//               ^                                        ^                  |
//               +-- its first beat                       +--- moved up by a beat
//
// Interleaving to depth I (clause 4.4.1) is division by g(x^I): one long register in which the codewords take turns, so a
// beat of any width steps it by a plain shift, and no lane is ever routed. The rows are those of `hdl/tables.py`: the check
// of a single bit that p symbols of its codeword follow in the beat. They are in the basis of the wire (clause 4.4.2), so
// nothing is converted on the way. Virtual fill (clause 4.3.7) is zeros ahead of the frame: they change nothing here.
//
// Parameters   DATA_WIDTH  8, 16, 32 or 64 bits
//              E           16 or 8 correctable symbols per codeword
//              INTERLEAVE  1, 2, 3, 4, 5 or 8 codewords
//              DUAL_BASIS  1: symbols in the dual basis, as the standard has them; 0: conventional
// Latency      1 cycle
`default_nettype none

module ccsds_rs_check #(
    parameter DATA_WIDTH = 8,
    parameter E          = 16,
    parameter INTERLEAVE = 1,
    parameter DUAL_BASIS = 1
) (
    input  wire                    clk,
    input  wire [  DATA_WIDTH-1:0] octets,  // line order: the first octet in the high bits
    input  wire                    step,
    input  wire                    first,
    input  wire                    shift,
    output wire [2*DATA_WIDTH-9:0] check
);

  `include "ccsds_rs_rows.vh"

  localparam LANES = DATA_WIDTH / 8;
  localparam SYMBOLS = 2 * E;
  localparam ROW_BITS = 8 * SYMBOLS;
  localparam BITS = INTERLEAVE * ROW_BITS;
  localparam SET = (E == 16 ? 0 : 2) + (DUAL_BASIS != 0 ? 0 : 1);

  reg [BITS-1:0] register;
  wire [DATA_WIDTH-1:0] in = octets ^ (first ? {DATA_WIDTH{1'b0}} : register[BITS-1-:DATA_WIDTH]);

  // Turn q holds the symbols q, q + I, q + 2I, ... from the register's end; the lanes of the beat that belong to it are
  // those with as many octets behind them in the beat.
  wire [BITS-1:0] taken;
  genvar q, k, p, b;
  generate
    for (q = 0; q < INTERLEAVE; q = q + 1) begin : g_turn
      localparam TURNS = (LANES - q + INTERLEAVE - 1) / INTERLEAVE;
      wire [ROW_BITS-1:0] sum[0:8*TURNS];
      assign sum[0] = {ROW_BITS{1'b0}};
      for (p = 0; p < TURNS; p = p + 1) begin : g_lane
        for (b = 0; b < 8; b = b + 1) begin : g_bit
          localparam [ROW_BITS-1:0] ROW = RS_ROWS[(64*SET+8*p+b)*256+:ROW_BITS];
          assign sum[8*p+b+1] = sum[8*p+b] ^ (ROW & {ROW_BITS{in[8*(p*INTERLEAVE+q)+b]}});
        end
      end
      for (k = 0; k < SYMBOLS; k = k + 1) begin : g_symbol
        assign taken[8*(k*INTERLEAVE+q)+:8] = sum[8*TURNS][8*k+:8];
      end
    end
  endgenerate

  wire [BITS-1:0] moved = first ? {BITS{1'b0}} : register << DATA_WIDTH;

  always @(posedge clk) begin
    if (step) register <= moved ^ taken;
    else if (shift) register <= register << DATA_WIDTH;
  end

  assign check = register[BITS-1-:2*DATA_WIDTH-8];

endmodule

`default_nettype wire
