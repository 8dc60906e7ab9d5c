// Check register of a systematic cyclic code, interleaved or not, that takes in a whole beat per cycle.
//
//               +--------- first beat of the next state --------+
//               v                                               |
//   octets --> (+) --> feedback --> rows of the generator --> (+) --> register --> check
//                                   matrix                     ^          |
//                                                              +-- moved up by a beat
//
// Interleaving to depth I is division by g(x^I): one long register in which the codewords take turns, so a beat of any
// width steps it by a plain shift and no lane is ever routed. ROWS are written by `hdl/tables.py`: row 8 p + b is the
// check of bit b of a symbol that p symbols of its codeword follow in the beat. `feedback` is a register, one beat ahead of
// the state: a beat waits in it until the next one of the frame comes, so the loop is as short as one row sum.
//
// Parameters   DATA_WIDTH  8, 16, 32 or 64 bits
//              SYMBOLS     check symbols (octets) of a codeword
//              INTERLEAVE  codewords that take turns
//              ROWS        64 rows of SYMBOLS octets
//              START       what the register begins with
// Latency      2 advances from `load` to `check`. Everything moves with `advance`, as the beats in `axis_append` do.
`default_nettype none

module systematic_check #(
    parameter                              DATA_WIDTH = 8,
    parameter                              SYMBOLS    = 2,
    parameter                              INTERLEAVE = 1,
    parameter [          512*SYMBOLS-1:0]  ROWS       = {512 * SYMBOLS{1'b0}},
    parameter [8*SYMBOLS*INTERLEAVE-1:0]   START      = {8 * SYMBOLS * INTERLEAVE{1'b0}}
) (
    input  wire                    clk,
    input  wire                    advance,
    input  wire [  DATA_WIDTH-1:0] octets,   // line order: the first octet in the high bits
    input  wire                    load,     // take `octets` in
    input  wire                    first,    // ... and begin from START
    input  wire                    last,     // ... and end with it
    input  wire                    shift,    // move up by a beat
    output wire [2*DATA_WIDTH-9:0] check     // the register's first octets
);

  localparam LANES = DATA_WIDTH / 8;
  localparam ROW_BITS = 8 * SYMBOLS;
  localparam BITS = INTERLEAVE * ROW_BITS;

  reg [BITS-1:0] register;
  reg [DATA_WIDTH-1:0] feedback;
  reg pending, pending_first, pending_last;

  // Turn q holds the symbols q, q + I, q + 2I, ... from the register's end; the lanes of the beat that belong to it are
  // those with as many octets behind them in the beat.
  wire [BITS-1:0] sums;
  genvar q, k, p, b;
  generate
    for (q = 0; q < INTERLEAVE; q = q + 1) begin : g_turn
      localparam TURNS = (LANES - q + INTERLEAVE - 1) / INTERLEAVE;
      if (TURNS == 0) begin : g_absent
        for (k = 0; k < SYMBOLS; k = k + 1) begin : g_symbol
          assign sums[8*(k*INTERLEAVE+q)+:8] = 8'd0;
        end
      end else begin : g_present
        localparam BITS_IN = 8 * TURNS;
        // A balanced tree, its root first and its leaves last: synthesis does not balance a chain of exclusive-ors.
        wire [ROW_BITS-1:0] sum[0:2*BITS_IN-2];
        for (b = 0; b < BITS_IN - 1; b = b + 1) begin : g_node
          assign sum[b] = sum[2*b+1] ^ sum[2*b+2];
        end
        for (p = 0; p < TURNS; p = p + 1) begin : g_lane
          for (b = 0; b < 8; b = b + 1) begin : g_bit
            localparam [ROW_BITS-1:0] ROW = ROWS[(8*p+b)*ROW_BITS+:ROW_BITS];
            assign sum[BITS_IN-1+8*p+b] = ROW & {ROW_BITS{feedback[8*(p*INTERLEAVE+q)+b]}};
          end
        end
        for (k = 0; k < SYMBOLS; k = k + 1) begin : g_symbol
          assign sums[8*(k*INTERLEAVE+q)+:8] = sum[0][8*k+:8];
        end
      end
    end
  endgenerate

  // The state as it will be, and its front, to which the next octets are added.
  wire [BITS-1:0] next = ((pending_first ? START : register) << DATA_WIDTH) ^ sums;
  wire [DATA_WIDTH-1:0] front;
  // Of these two only the front is looked at.
  // verilator lint_off UNUSEDSIGNAL
  wire [BITS-1:0] ahead = first ? START : next;
  wire [BITS+2*DATA_WIDTH-1:0] wide = {register, {2 * DATA_WIDTH{1'b0}}};
  // verilator lint_on UNUSEDSIGNAL
  generate
    if (BITS < DATA_WIDTH) begin : g_short
      assign front = {ahead, {DATA_WIDTH - BITS{1'b0}}};
    end else begin : g_long
      assign front = ahead[BITS-1-:DATA_WIDTH];
    end
  endgenerate

  always @(posedge clk) begin
    if (advance) begin
      if (load || pending_last) begin
        pending <= load;
        pending_first <= load && first;
        pending_last <= load && last;
        feedback <= load ? octets ^ front : {DATA_WIDTH{1'b0}};
      end
      // A shift while the next frame's first beat waits spoils what nobody needs any more.
      if ((pending && (load || pending_last)) || shift) register <= next;
    end
  end

  assign check = wide[BITS+2*DATA_WIDTH-1-:2*DATA_WIDTH-8];

endmodule

`default_nettype wire
