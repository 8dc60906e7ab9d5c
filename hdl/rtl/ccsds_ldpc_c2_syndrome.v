// Syndrome of the information of LDPC C2: its product with the sparse circulants of the parity-check matrix.
//
//   octets --> lanes of each block --> two taps per block and row --> (+) --> accumulators, 2 x 511 --> syndrome
//                  ^                                                   ^           |
//     beat --> which blocks                                            +-- turned by a beat
//
// CCSDS 131.0-B-5, 7.3: H has 2 x 14 circulants of 511 for the information, with two ones in each row. Horner's rule: the
// accumulators turn by a beat, so a bit of block j in lane n always goes to the same four places, whatever its place in
// the block. A block begins inside a beat, each at a lane of its own: lanes go to a block as long as it lasts. As 14 blocks
// are whole turns, the syndrome is in place at the end, and the 18 zeros ahead of the information need no cycle.
// Beside it, the number of ones of some blocks decides whether a parity block is inverted (`hdl/ldpc_tables.py`).
//
// Parameters   DATA_WIDTH  8, 16, 32 or 64 bits
// Latency      3 cycles from the last beat to `take` and the syndrome, which lasts for that cycle; longer while `busy`
// The beat of the next frame may come from the second cycle after the last one on, and not before the cycle of `take`
// where that is later than the third.
`default_nettype none

module ccsds_ldpc_c2_syndrome #(
    parameter DATA_WIDTH = 8
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire [DATA_WIDTH-1:0] octets,    // line order: the first octet in the high bits; the frame ends with a beat
    input  wire                  load,      // take `octets` in
    input  wire                  last,      // ... the last of the frame
    input  wire                  invert,    // ... whose parity is to be inverted
    input  wire                  busy,      // the syndrome before has not been used up
    output reg                   take,      // the syndrome is complete
    output wire [        1021:0] syndrome,  // row 0 in the low bits
    output wire [           1:0] inverted   // whether a parity block is inverted
);

  `include "ccsds_ldpc_c2_taps.vh"

  localparam BLOCKS = 14;
  localparam BEATS = (7136 + DATA_WIDTH - 1) / DATA_WIDTH;
  localparam COUNT_BITS = $clog2(BEATS);
  // Bits from the start of the first beat to that of block 0, less than none: the zeros that are not sent.
  localparam OFFSET = BEATS * DATA_WIDTH - 7136 - 18;

  wire [DATA_WIDTH-1:0] lane;  // by place on the line
  genvar n, j, r;
  generate
    for (n = 0; n < DATA_WIDTH; n = n + 1) begin : g_lane
      assign lane[n] = octets[DATA_WIDTH-1-n];
    end
  endgenerate

  // ---- the blocks of the beat: that of its first lane, that of its last lane
  reg [COUNT_BITS-1:0] count;
  reg [BLOCKS-1:0] front, back, either;
  wire [BLOCKS-1:1] turns_next;  // the next beat brings the start of a block
  wire [BLOCKS-1:0] back_next = |turns_next ? back << 1 : back;
  generate
    for (j = 1; j < BLOCKS; j = j + 1) begin : g_turn
      localparam BEAT_BEFORE = (511 * j + OFFSET) / DATA_WIDTH - 1;
      assign turns_next[j] = count == BEAT_BEFORE[COUNT_BITS-1:0];
    end
  endgenerate

  always @(posedge clk) begin
    if (rst || (load && last)) begin
      count  <= {COUNT_BITS{1'b0}};
      front  <= {{BLOCKS - 1{1'b0}}, 1'b1};
      back   <= {{BLOCKS - 1{1'b0}}, 1'b1};
      either <= {{BLOCKS - 1{1'b0}}, 1'b1};
    end else if (load) begin
      count  <= count + 1'b1;
      front  <= back;
      back   <= back_next;
      either <= back | back_next;
    end
  end

  // ---- lanes, block by block, and the taps that they lead to
  reg loaded, loaded_last, loaded_invert;
  // The sum so far, block by block: only ever of those before.
  // verilator lint_off UNOPTFLAT
  wire [510:0] sum[0:2*BLOCKS+1];
  // verilator lint_on UNOPTFLAT
  generate
    for (r = 0; r < 2; r = r + 1) begin : g_row
      reg [510:0] accumulator;
      assign sum[r] = {accumulator[DATA_WIDTH-1:0], accumulator[510:DATA_WIDTH]};
      assign syndrome[511*r+:511] = accumulator;
      always @(posedge clk)
        if (rst || take) accumulator <= 511'd0;
        else if (loaded) accumulator <= sum[2*BLOCKS+r];
    end

    for (j = 0; j < BLOCKS; j = j + 1) begin : g_block
      localparam FIRST_LANE = j == 0 ? 0 : (511 * j + OFFSET) % DATA_WIDTH;
      localparam END_LANE = j == BLOCKS - 1 ? DATA_WIDTH : (511 * j + 511 + OFFSET) % DATA_WIDTH;
      localparam [DATA_WIDTH-1:0] FROM_FIRST = {DATA_WIDTH{1'b1}} << FIRST_LANE;
      localparam [DATA_WIDTH-1:0] TO_END = ~({DATA_WIDTH{1'b1}} << END_LANE);
      wire [DATA_WIDTH-1:0] inside = (FROM_FIRST & TO_END & {DATA_WIDTH{either[j]}})
                                   | (FROM_FIRST & ~TO_END & {DATA_WIDTH{back[j]}})
                                   | (~FROM_FIRST & TO_END & {DATA_WIDTH{front[j]}})
                                   | (~FROM_FIRST & ~TO_END & {DATA_WIDTH{front[j] && back[j]}});
      reg [DATA_WIDTH-1:0] taken;
      integer i;
      always @(posedge clk) begin
        for (i = 0; i < DATA_WIDTH; i = i + 1) begin
          if (!inside[i]) taken[i] <= 1'b0;
          else taken[i] <= lane[i];
        end
      end
      // Written twice in a row, a turn is a plain slice; none begins at the very first bits.
      wire [510:0] once = {{511 - DATA_WIDTH{1'b0}}, taken};
      // verilator lint_off UNUSEDSIGNAL
      wire [1021:0] twice = {once, once};
      // verilator lint_on UNUSEDSIGNAL
      for (r = 0; r < 2; r = r + 1) begin : g_row
        localparam [31:0] TAP_0 = {23'd0, C2_TAPS[9*(BLOCKS*(2*r+0)+j)+:9]};
        localparam [31:0] TAP_1 = {23'd0, C2_TAPS[9*(BLOCKS*(2*r+1)+j)+:9]};
        localparam TURN_0 = (TAP_0 + DATA_WIDTH) % 511;
        localparam TURN_1 = (TAP_1 + DATA_WIDTH) % 511;
        assign sum[2*(j+1)+r] = sum[2*j+r] ^ twice[TURN_0+:511] ^ twice[TURN_1+:511];
      end
    end
  endgenerate

  // ---- ones, counted modulo 2: all those of the beat, less those ahead of the block that begins in it
  reg ones;
  reg [1:0] counted, ahead, odd;
  generate
    for (r = 0; r < 2; r = r + 1) begin : g_odd
      localparam [BLOCKS-1:0] ODD = C2_ODD[BLOCKS*r+:BLOCKS];
      wire [BLOCKS-1:1] ones_ahead;
      for (j = 1; j < BLOCKS; j = j + 1) begin : g_block
        localparam FIRST_LANE = (511 * j + OFFSET) % DATA_WIDTH;
        if (ODD[j] == ODD[j-1] || FIRST_LANE == 0) begin : g_none
          assign ones_ahead[j] = 1'b0;
        end else begin : g_some
          assign ones_ahead[j] = front[j-1] && back[j] && ^lane[FIRST_LANE-1:0];
        end
      end
      always @(posedge clk) begin
        counted[r] <= |(back & ODD);
        ahead[r] <= |ones_ahead;
        if (rst || take) odd[r] <= 1'b0;
        else if (loaded) odd[r] <= odd[r] ^ (counted[r] && ones) ^ ahead[r] ^ (loaded_last && loaded_invert);
      end
    end
  endgenerate
  assign inverted = odd;

  reg waiting;
  always @(posedge clk) begin
    ones <= ^lane;
    loaded <= load;
    loaded_last <= load && last;
    loaded_invert <= invert;
    take <= (loaded_last || waiting) && !busy;
    waiting <= (loaded_last || waiting) && busy;
    if (rst) begin
      loaded <= 1'b0;
      loaded_last <= 1'b0;
      take <= 1'b0;
      waiting <= 1'b0;
    end
  end

endmodule

`default_nettype wire
