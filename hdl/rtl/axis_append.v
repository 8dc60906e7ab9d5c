// Appends a systematic code's check octets to each frame, without a bubble at any alignment of frame and beat.
//
//   s_axis --> length guard --> beat --> beat --> beat --> merge --> axis_register --> m_axis
//                                    |                       ^
//                                    +-- octets, load, ----> check register of the code
//                                        first, last, shift
//
// The check register lives outside, as every code has its own (`systematic_check`). It sees the frame moved to the end of
// the beat: with SPARE lanes free in the last beat of data, the first beat has SPARE zero octets ahead. So its step is
// always by a whole beat, and the check fills the free lanes of the last beat of data. While the check leaves, s_axis
// waits; m_axis is valid in every cycle as long as data is there. All beats move together, whenever the
// register at the end has room, which a flip-flop says.
//
// A frame that is too short is filled with zeros, what a frame has too much is dropped, `length_error` is up for one
// cycle, and the check of that frame is inverted, so that no receiver takes it for good. The next frame is clean.
//
// Parameters   DATA_WIDTH    8, 16, 32 or 64 bits; lane 0, the first octet of a beat, in the low bits (AXI4-Stream)
//              FRAME_OCTETS  octets of a frame, check not included
//              CHECK_OCTETS  octets of the check
// Latency      4 cycles
// With `enable` low, seen at the first beat of a frame, frames of any length pass as they are.
`default_nettype none

module axis_append #(
    parameter DATA_WIDTH   = 8,
    parameter FRAME_OCTETS = 223,
    parameter CHECK_OCTETS = 32
) (
    input  wire                    clk,
    input  wire                    rst,
    input  wire                    enable,
    output reg                     length_error,

    input  wire [  DATA_WIDTH-1:0] s_axis_tdata,
    input  wire [DATA_WIDTH/8-1:0] s_axis_tkeep,
    input  wire                    s_axis_tvalid,
    output wire                    s_axis_tready,
    input  wire                    s_axis_tlast,

    output wire [  DATA_WIDTH-1:0] m_axis_tdata,
    output wire [DATA_WIDTH/8-1:0] m_axis_tkeep,
    output wire                    m_axis_tvalid,
    input  wire                    m_axis_tready,
    output wire                    m_axis_tlast,

    // The check register, which moves with `advance`. Octets are in the order of the line: the first in the high bits.
    output wire                    advance,
    output wire [  DATA_WIDTH-1:0] octets,   // to take in
    output wire                    load,     // take `octets` in
    output wire                    first,    // ... and begin anew
    output wire                    last,     // ... and end with it
    output wire                    shift,    // move up by a beat
    input  wire [2*DATA_WIDTH-9:0] check     // its first octets
);

  localparam LANES = DATA_WIDTH / 8;
  localparam DATA_BEATS = (FRAME_OCTETS + LANES - 1) / LANES;
  localparam BEATS = (FRAME_OCTETS + CHECK_OCTETS + LANES - 1) / LANES;
  localparam SPARE = DATA_BEATS * LANES - FRAME_OCTETS;
  localparam UNUSED = BEATS * LANES - FRAME_OCTETS - CHECK_OCTETS;
  localparam COUNT_BITS = $clog2(BEATS + 1);
  localparam [COUNT_BITS-1:0] LAST_DATA = DATA_BEATS[COUNT_BITS-1:0] - 1'b1;
  localparam [COUNT_BITS-1:0] LAST = BEATS[COUNT_BITS-1:0] - 1'b1;
  localparam [LANES-1:0] ALL = {LANES{1'b1}};
  localparam [LANES-1:0] DATA_KEEP = ALL >> SPARE;
  localparam [LANES-1:0] LAST_KEEP = ALL >> UNUSED;

  generate
    if (DATA_WIDTH != 8 && DATA_WIDTH != 16 && DATA_WIDTH != 32 && DATA_WIDTH != 64) begin : g_bad_width
      initial begin
        $display("%m: DATA_WIDTH: expected 8, 16, 32 or 64, found %0d", DATA_WIDTH);
        $finish;
      end
    end
    if (FRAME_OCTETS < 1 || CHECK_OCTETS < 1) begin : g_bad_length
      initial begin
        $display("%m: FRAME_OCTETS, CHECK_OCTETS: expected at least 1, found %0d, %0d", FRAME_OCTETS, CHECK_OCTETS);
        $finish;
      end
    end
  endgenerate

  reg [COUNT_BITS-1:0] count;  // of the beat to be loaded next
  reg in_data, last_data, last_beat;  // what that beat is
  reg in_frame, enabled;  // in the middle of a frame; what `enable` was at its start
  reg filling, dropping;  // the input ended early; it goes on too long
  reg wrong_length, b_wrong;

  // The beats on their way: seen by the check register, taken in, then waiting for what the check adds.
  reg a_valid, a_load, a_first, a_last, a_merge, a_check;
  reg b_valid, b_last, b_merge, b_check;
  reg c_valid, c_last, c_merge, c_check, c_wrong;
  reg [LANES-1:0] a_keep, b_keep, c_keep;
  reg [DATA_WIDTH-1:0] a_line, b_line, c_line;

  wire append = in_frame ? enabled : enable;
  wire load_input = advance && in_data && !filling && !dropping && s_axis_tvalid;
  wire load_data = load_input || (advance && in_data && filling);
  wire load_check = advance && !in_data;

  assign s_axis_tready = dropping || (advance && in_data && !filling);

  // Line order, and zeros in lanes that bring nothing.
  wire [DATA_WIDTH-1:0] line;
  wire [DATA_WIDTH-1:0] m_tdata;
  genvar n;
  generate
    for (n = 0; n < LANES; n = n + 1) begin : g_lane
      wire taken = !filling && (s_axis_tkeep[n] || !s_axis_tlast);
      assign line[(LANES-1-n)*8+:8] = s_axis_tdata[n*8+:8] & {8{taken}};
      assign m_tdata[n*8+:8] = merged[(LANES-1-n)*8+:8];
    end
  endgenerate

  // ---- the check register's view: the frame ends with the beat
  assign load  = a_load;
  assign first = a_first;
  assign last  = a_merge;
  assign shift = c_check;
  generate
    if (SPARE == 0) begin : g_aligned
      assign octets = a_line;
    end else begin : g_moved
      reg [SPARE*8-1:0] behind;
      always @(posedge clk) if (advance && a_load) behind <= a_line[SPARE*8-1:0];
      assign octets[DATA_WIDTH-1-:SPARE*8] = a_first ? {SPARE * 8{1'b0}} : behind;
      if (SPARE < LANES) begin : g_rest
        assign octets[DATA_WIDTH-SPARE*8-1:0] = a_line[DATA_WIDTH-1:SPARE*8];
      end
    end
  endgenerate

  // ---- merge: data, then the check from the first free lane on
  // How far into `check` a beat of it reaches depends on the alignment: the rest is left unused.
  // verilator lint_off UNUSEDSIGNAL
  wire [2*DATA_WIDTH-9:0] marked = check ^ {2 * DATA_WIDTH - 8{c_wrong}};
  // verilator lint_on UNUSEDSIGNAL
  wire [DATA_WIDTH-1:0] merge_line;
  generate
    if (SPARE == 0) begin : g_no_merge
      assign merge_line = c_line;
    end else begin : g_merge
      assign merge_line = {c_line[DATA_WIDTH-1:SPARE*8], marked[2*DATA_WIDTH-9-:SPARE*8]};
    end
  endgenerate
  wire [DATA_WIDTH-1:0] merged = c_check ? marked[2*DATA_WIDTH-SPARE*8-9-:DATA_WIDTH] : c_merge ? merge_line : c_line;

  axis_register #(
      .DATA_WIDTH(DATA_WIDTH)
  ) out (
      .clk          (clk),
      .rst          (rst),
      .s_axis_tdata (m_tdata),
      .s_axis_tkeep (c_keep),
      .s_axis_tvalid(c_valid),
      .s_axis_tready(advance),
      .s_axis_tlast (c_last),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tkeep (m_axis_tkeep),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast (m_axis_tlast)
  );

  wire early = s_axis_tlast && (!last_data || (s_axis_tkeep & DATA_KEEP) != DATA_KEEP);
  wire late = last_data && (!s_axis_tlast || (s_axis_tkeep & ~DATA_KEEP) != {LANES{1'b0}});

  always @(posedge clk) begin
    length_error <= load_input && append && (early || late);
    if (load_input && append) begin
      filling  <= s_axis_tlast && !last_data;
      dropping <= last_data && !s_axis_tlast;
      if (early || late) wrong_length <= 1'b1;
      else if (!in_frame) wrong_length <= 1'b0;
    end else begin
      if (load_data && last_data) filling <= 1'b0;
      if (dropping && s_axis_tvalid && s_axis_tlast) dropping <= 1'b0;
    end

    if (advance) begin
      a_valid <= load_data || load_check;
      a_load  <= load_data && append;
      a_first <= !in_frame;
      a_line  <= line;
      a_merge <= append && last_data;
      a_check <= !in_data;
      a_last  <= append ? last_beat : s_axis_tlast;
      a_keep  <= append ? (last_beat ? LAST_KEEP : ALL) : (s_axis_tlast ? s_axis_tkeep : ALL);
      b_valid <= a_valid;
      b_line  <= a_line;
      b_merge <= a_merge;
      b_check <= a_check;
      b_last  <= a_last;
      b_keep  <= a_keep;
      b_wrong <= wrong_length;
      c_valid <= b_valid;
      c_line  <= b_line;
      c_merge <= b_merge;
      c_check <= b_check;
      c_last  <= b_last;
      c_keep  <= b_keep;
      c_wrong <= b_wrong;
    end

    if (load_data || load_check) begin
      enabled <= append;
      if (append) begin
        count <= last_beat ? {COUNT_BITS{1'b0}} : count + 1'b1;
        in_data <= last_beat || (in_data && !last_data);
        last_data <= last_beat ? DATA_BEATS == 1 : count == LAST_DATA - 1'b1;
        last_beat <= last_beat ? BEATS == 1 : count == LAST - 1'b1;
        in_frame <= !last_beat;
      end else begin
        in_frame <= !s_axis_tlast;
      end
    end

    if (rst) begin
      count <= {COUNT_BITS{1'b0}};
      in_data <= 1'b1;
      last_data <= DATA_BEATS == 1;
      last_beat <= BEATS == 1;
      in_frame <= 1'b0;
      enabled <= 1'b0;
      filling <= 1'b0;
      dropping <= 1'b0;
      wrong_length <= 1'b0;
      length_error <= 1'b0;
      a_valid <= 1'b0;
      b_valid <= 1'b0;
      c_valid <= 1'b0;
      a_load <= 1'b0;
    end
  end

endmodule

`default_nettype wire
