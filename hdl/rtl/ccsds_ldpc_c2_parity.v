// Parity of LDPC C2: the product of a syndrome with the inverse of the parity part of H, four dense circulants.
//
//   syndrome --> s, 2 x 511 --> K bits of each half --> all their sums --> (+) --> p, 2 x 511 --> window --> beat
//                 ^        |                                                ^          |
//                 +-- by 1 +                                                +----------+-- turned by a beat
//
// Horner's rule again: p turns by a beat of DATA_WIDTH places in each step, and s is in the order in which that asks for its
// bits. Every bit of p takes one sum of each half of s, of which there are 2^K: a single look-up table. When all is
// multiplied, p turns on and passes the window; as both halves have 511 bits, the window is in the right place of the
// second when the first ends.
//
// CCSDS 131.0-B-5, 7.3.4; the inverse is made by `hdl/ldpc_tables.py`. Two zero bits follow the parity (7.3.5).
//
// Parameters   DATA_WIDTH  8, 16, 32 or 64 bits
//              K           bits of each half of the syndrome per step
//              AHEAD       parity bits that go out beside the beats, ahead of them: less than 511
// Latency      ceil(511 / K) + 3 cycles from `take` to `ready`
`default_nettype none

module ccsds_ldpc_c2_parity #(
    parameter DATA_WIDTH = 8,
    parameter K          = 1,
    parameter AHEAD      = 0
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  take,      // take a syndrome, not while `busy`
    input  wire [        1021:0] syndrome,
    input  wire [           1:0] inverted,  // parity blocks to be inverted
    output reg                   busy,      // a syndrome has not been used up
    output reg                   ready,     // the parity is there
    input  wire                  next,      // the beat has been used
    output wire [         510:0] first,     // the first block, for the bits ahead, until the first `next`
    output wire [DATA_WIDTH-1:0] beat,      // line order: the first octet in the high bits
    output reg                   last       // it is the last beat
);

  `include "ccsds_ldpc_c2_inverse.vh"

  localparam STEPS = (511 + K - 1) / K;
  localparam BITS = STEPS * K;
  localparam STEP_BITS = $clog2(STEPS);
  localparam [STEP_BITS-1:0] LAST_STEP = STEPS[STEP_BITS-1:0] - 1'b1;
  localparam BEATS = (1024 - AHEAD + DATA_WIDTH - 1) / DATA_WIDTH;
  localparam BEAT_BITS = $clog2(BEATS);
  localparam [BEAT_BITS-1:0] LAST_BEAT = BEATS[BEAT_BITS-1:0] - 1'b1;
  // Where the second block begins.
  localparam TURN_BEAT = (511 - AHEAD) / DATA_WIDTH;
  localparam [BEAT_BITS-1:0] BEFORE_TURN = TURN_BEAT[BEAT_BITS-1:0] - 1'b1;
  localparam TURN_LANE = (511 - AHEAD) % DATA_WIDTH;
  localparam END_LANE = (1022 - AHEAD) % DATA_WIDTH;

  reg idle, run, step;
  reg [STEP_BITS-1:0] step_count;
  reg [BEAT_BITS-1:0] beat_count;
  reg [1:0] invert, flip;
  wire run_ends = run && step_count == LAST_STEP;
  wire turn = step || next;

  always @(posedge clk) begin
    busy <= take || (busy && !run_ends);
    run <= run ? !run_ends : idle && (take || busy);
    step <= run;
    step_count <= run ? step_count + 1'b1 : {STEP_BITS{1'b0}};
    if (take) invert <= inverted;
    flip <= run && !step ? invert : 2'b00;
    if (idle && (take || busy)) idle <= 1'b0;
    if (step && !run) ready <= 1'b1;
    if (next) begin
      beat_count <= beat_count + 1'b1;
      last <= beat_count == LAST_BEAT - 1'b1;
      if (last) begin
        ready <= 1'b0;
        idle  <= 1'b1;
      end
    end
    if (idle) begin
      beat_count <= {BEAT_BITS{1'b0}};
      last <= 1'b0;
    end
    if (rst) begin
      busy <= 1'b0;
      idle <= 1'b1;
      run <= 1'b0;
      step <= 1'b0;
      ready <= 1'b0;
    end
  end

  // ---- s, and the sums of the bits that are next
  genvar q, r, i, k;
  generate
    for (q = 0; q < 2; q = q + 1) begin : g_half
      reg [BITS-1:0] s;
      integer n, v;
      always @(posedge clk) begin
        if (take || run) s <= s << 1;
        if (take) for (n = 0; n < 511; n = n + 1) s[n] <= syndrome[511*q+(511-n)*DATA_WIDTH%511];
        if (take) for (n = 511; n < BITS; n = n + 1) s[n] <= 1'b0;
      end

      wire [K-1:0] bits;
      for (k = 0; k < K; k = k + 1) begin : g_bits
        assign bits[k] = s[STEPS*k+STEPS-1];
      end
      reg [(1<<K)-1:0] sums;
      always @(posedge clk) begin
        for (v = 0; v < 1 << K; v = v + 1) begin
          if (!run) sums[v] <= 1'b0;
          else sums[v] <= ^(bits & v[K-1:0]);
        end
      end
    end
  endgenerate

  // Which bits of s make up the sum for a bit of p.
  function [K-1:0] bits_of;
    input [510:0] row;
    input integer place;
    integer n;
    begin
      for (n = 0; n < K; n = n + 1) bits_of[n] = row[(place+DATA_WIDTH*STEPS*n)%511];
    end
  endfunction

  // ---- p
  reg [1021:0] p;
  generate
    for (r = 0; r < 2; r = r + 1) begin : g_block
      wire [510:0] sum;
      for (i = 0; i < 511; i = i + 1) begin : g_bit
        localparam [K-1:0] BITS_0 = bits_of(C2_INVERSE[511*(2*r+0)+:511], i);
        localparam [K-1:0] BITS_1 = bits_of(C2_INVERSE[511*(2*r+1)+:511], i);
        assign sum[i] = g_half[0].sums[BITS_0] ^ g_half[1].sums[BITS_1];
      end
      wire [510:0] turned = {p[511*r+:DATA_WIDTH], p[511*r+DATA_WIDTH+:511-DATA_WIDTH]};
      always @(posedge clk)
        if (idle) p[511*r+:511] <= 511'd0;
        else if (turn) p[511*r+:511] <= turned ^ sum ^ {511{flip[r]}};
    end
  endgenerate
  assign first = p[510:0];

  // ---- the window: the first block, then the second one, then two zeros
  reg second, second_begins;  // lanes from TURN_LANE on are ahead by a beat
  always @(posedge clk) begin
    second_begins <= !idle && (second_begins || (next && beat_count == BEFORE_TURN));
    second <= !idle && (second || (next && second_begins));
  end
  generate
    for (i = 0; i < DATA_WIDTH; i = i + 1) begin : g_lane
      localparam PLACE = (i + AHEAD) % 511;
      wire of_second = i < TURN_LANE ? second : second_begins;
      wire window = of_second ? p[511+PLACE] : p[PLACE];
      assign beat[DATA_WIDTH-1-i] = i < END_LANE ? window : window && !last;
    end
  endgenerate

endmodule

`default_nettype wire
