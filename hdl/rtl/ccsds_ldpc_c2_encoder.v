// LDPC encoder of CCSDS 131.0-B-5, section 7.3: the code (8160,7136) of rate 223/255, "C2", systematic, any width.
//
//   s_axis --> length guard --> beat --> word_fifo ---------------------------> merge --> axis_register --> m_axis
//                                |                                               ^
//                                +--> ccsds_ldpc_c2_syndrome --> ccsds_ldpc_c2_parity
//
// One frame of 892 octets in, one codeblock of 1020 octets out: information, 1022 parity bits, two zero bits.
//
// The parity takes two steps, so that the area does not grow with the dense generator matrix: the syndrome of the
// information while it comes in, and from that the parity, some bits of the syndrome a cycle, while the end of the frame is
// still in the FIFO and the next frame comes in. A frame leaves as soon as so much of it is in the FIFO that its parity
// will be there in time: m_axis is valid in every cycle as long as data comes in fast enough. s_axis waits for one cycle
// after each frame and while the FIFO is full.
//
// A frame that is too short is filled with zeros, what a frame has too much is dropped, `length_error` is up for one
// cycle, and the 1022 parity bits of that frame are inverted, so that no receiver takes it for good. The next frame is
// clean.
//
// Parameters   DATA_WIDTH  8, 16, 32 or 64 bits; lane 0, the first octet of a beat, in the low bits (AXI4-Stream)
// Latency      for DATA_WIDTH 8, 16, 32, 64: 518, 263, 178, 93 cycles through an empty FIFO, 1273, 633, 313, 153 behind
//              frames that came as fast as they could; 6 for a frame that is not encoded, through an empty FIFO
// With `enable` low, seen at the first beat of a frame, frames of any length pass as they are.
`default_nettype none

module ccsds_ldpc_c2_encoder #(
    parameter DATA_WIDTH = 8
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
    output wire                    m_axis_tlast
);

  localparam LANES = DATA_WIDTH / 8;
  localparam FRAME_OCTETS = 892;
  localparam CODEBLOCK_OCTETS = 1020;
  localparam DATA_BEATS = (FRAME_OCTETS + LANES - 1) / LANES;
  localparam SPARE = DATA_BEATS * LANES - FRAME_OCTETS;  // octets of parity in the last beat of data
  localparam UNUSED = (CODEBLOCK_OCTETS + LANES - 1) / LANES * LANES - CODEBLOCK_OCTETS;
  localparam COUNT_BITS = $clog2(DATA_BEATS);
  localparam [COUNT_BITS-1:0] LAST_DATA = DATA_BEATS[COUNT_BITS-1:0] - 1'b1;
  localparam [LANES-1:0] ALL = {LANES{1'b1}};
  localparam [LANES-1:0] DATA_KEEP = ALL >> SPARE;
  localparam [LANES-1:0] LAST_KEEP = ALL >> UNUSED;

  // Bits of each half of the syndrome per cycle: as few as let the parity be done in less time than the data of a frame
  // takes to leave.
  localparam K = DATA_WIDTH == 64 ? 6 : DATA_WIDTH == 32 ? 3 : DATA_WIDTH == 16 ? 2 : 1;
  // Beats of a frame that are in the FIFO when it begins to leave: the cycles by which its parity takes longer than a beat.
  localparam LEAD = (511 + K - 1) / K + 2;
  localparam BEFORE_LEAD = LEAD - 2;
  localparam DEPTH = DATA_WIDTH == 64 ? 128 : DATA_WIDTH == 32 ? 256 : DATA_WIDTH == 16 ? 512 : 1024;
  localparam LEVEL_BITS = $clog2(DEPTH + 1);
  // What is on its way when the FIFO is found full still fits in.
  localparam FILL = DEPTH - 4;
  localparam [LEVEL_BITS-1:0] FULL = FILL[LEVEL_BITS-1:0];

  generate
    if (DATA_WIDTH != 8 && DATA_WIDTH != 16 && DATA_WIDTH != 32 && DATA_WIDTH != 64) begin : g_bad_width
      initial begin
        $display("%m: DATA_WIDTH: expected 8, 16, 32 or 64, found %0d", DATA_WIDTH);
        $finish;
      end
    end
  endgenerate

  // ---- length guard
  reg [COUNT_BITS-1:0] count;  // of the beat to be loaded next
  reg last_data;  // it is the last one of data
  reg leads;  // with it, the frame may begin to leave
  reg in_frame, enabled;  // in the middle of a frame; what `enable` was at its start
  reg filling, dropping;  // the input ended early; it goes on too long
  reg wrong_length;
  reg room, open, hold;
  wire busy;

  wire encode = in_frame ? enabled : enable;
  wire load_input = open && !filling && !dropping && s_axis_tvalid;
  wire load = load_input || (open && filling);
  wire load_last = load && encode && last_data;
  wire early = s_axis_tlast && (!last_data || (s_axis_tkeep & DATA_KEEP) != DATA_KEEP);
  wire late = last_data && (!s_axis_tlast || (s_axis_tkeep & ~DATA_KEEP) != {LANES{1'b0}});
  wire wrong = (in_frame && wrong_length) || (!filling && (early || late));

  assign s_axis_tready = dropping || (open && !filling);

  always @(posedge clk) begin
    length_error <= load_input && encode && (early || late);
    if (load_input && encode) begin
      filling  <= s_axis_tlast && !last_data;
      dropping <= last_data && !s_axis_tlast;
    end else begin
      if (load_last) filling <= 1'b0;
      if (dropping && s_axis_tvalid && s_axis_tlast) dropping <= 1'b0;
    end
    if (load) begin
      enabled <= encode;
      wrong_length <= wrong;
      if (encode) begin
        count <= last_data ? {COUNT_BITS{1'b0}} : count + 1'b1;
        last_data <= count == LAST_DATA - 1'b1;
        leads <= !last_data && (leads || count == BEFORE_LEAD[COUNT_BITS-1:0]);
        in_frame <= !last_data;
      end else begin
        in_frame <= !s_axis_tlast;
      end
    end
    // After a frame the syndrome needs a cycle for itself, and has to be taken before the next one is complete.
    hold <= load_last || (hold && busy);
    open <= room && !load_last && !(hold && busy);
    if (rst) begin
      count <= {COUNT_BITS{1'b0}};
      last_data <= 1'b0;
      leads <= 1'b0;
      in_frame <= 1'b0;
      filling <= 1'b0;
      dropping <= 1'b0;
      length_error <= 1'b0;
      hold <= 1'b0;
      open <= 1'b0;
    end
  end

  // ---- the beat, in line order, zeros in lanes that bring nothing
  localparam SIZE_BITS = LANES == 1 ? 1 : $clog2(LANES);
  wire [DATA_WIDTH-1:0] line;
  wire [DATA_WIDTH-1:0] m_tdata;
  reg [DATA_WIDTH-1:0] out_line;
  genvar n;
  generate
    for (n = 0; n < LANES; n = n + 1) begin : g_lane
      wire taken = !filling && (s_axis_tkeep[n] || !s_axis_tlast);
      assign line[(LANES-1-n)*8+:8] = s_axis_tdata[n*8+:8] & {8{taken}};
      assign m_tdata[n*8+:8] = out_line[(LANES-1-n)*8+:8];
    end
  endgenerate

  // The place of the last octet in a beat.
  function [SIZE_BITS-1:0] last_lane;
    input [LANES-1:0] keep;
    integer i;
    begin
      last_lane = {SIZE_BITS{1'b0}};
      for (i = 1; i < LANES; i = i + 1) if (keep[i]) last_lane = i[SIZE_BITS-1:0];
    end
  endfunction

  reg a_valid, a_encode, a_first, a_last, a_invert, a_leads;
  reg [SIZE_BITS-1:0] a_lane;
  reg [DATA_WIDTH-1:0] a_line;
  always @(posedge clk) begin
    a_valid <= load && !rst;
    a_encode <= encode;
    a_first <= !in_frame;
    a_last <= encode ? last_data : s_axis_tlast;
    a_invert <= wrong;
    a_leads <= !encode || leads;
    a_lane <= last_lane(encode || !s_axis_tlast ? ALL : s_axis_tkeep);
    a_line <= line;
  end

  // ---- syndrome and parity; the syndrome sees the frame moved to the end of the beat
  wire [DATA_WIDTH-1:0] octets;
  generate
    if (SPARE == 0) begin : g_aligned
      // verilator lint_off UNUSEDSIGNAL
      wire unused = a_first;
      // verilator lint_on UNUSEDSIGNAL
      assign octets = a_line;
    end else begin : g_moved
      reg [SPARE*8-1:0] behind;
      always @(posedge clk) if (a_valid) behind <= a_line[SPARE*8-1:0];
      assign octets = {a_first ? {SPARE * 8{1'b0}} : behind, a_line[DATA_WIDTH-1:SPARE*8]};
    end
  endgenerate

  wire take, ready, parity_last;
  wire go_data, go_parity;  // beats that leave
  wire [1021:0] syndrome;
  wire [1:0] inverted;
  // Only the bits that fit beside the last data are looked at.
  // verilator lint_off UNUSEDSIGNAL
  wire [510:0] parity_first;
  // verilator lint_on UNUSEDSIGNAL
  wire [DATA_WIDTH-1:0] parity_line;

  ccsds_ldpc_c2_syndrome #(
      .DATA_WIDTH(DATA_WIDTH)
  ) accumulators (
      .clk     (clk),
      .rst     (rst),
      .octets  (octets),
      .load    (a_valid && a_encode),
      .last    (a_last),
      .invert  (a_invert),
      .busy    (busy),
      .take    (take),
      .syndrome(syndrome),
      .inverted(inverted)
  );

  ccsds_ldpc_c2_parity #(
      .DATA_WIDTH(DATA_WIDTH),
      .K         (K),
      .AHEAD     (8 * SPARE)
  ) parity (
      .clk     (clk),
      .rst     (rst),
      .take    (take),
      .syndrome(syndrome),
      .inverted(inverted),
      .busy    (busy),
      .ready   (ready),
      .next    (go_parity),
      .first   (parity_first),
      .beat    (parity_line),
      .last    (parity_last)
  );

  // ---- the data waits for its parity
  wire [LEVEL_BITS-1:0] level;
  wire head_valid;
  wire head_last;  // the last beat of a frame that passes as it is
  wire head_ends;  // the last data of one that is encoded
  wire [SIZE_BITS-1:0] head_lane;
  wire [DATA_WIDTH-1:0] head_line;

  word_fifo #(
      .WIDTH(DATA_WIDTH + SIZE_BITS + 2),
      .DEPTH(DEPTH)
  ) fifo (
      .clk        (clk),
      .rst        (rst),
      .level      (level),
      .write      (a_valid),
      .release_all(a_leads),
      .data       ({a_encode && a_last, !a_encode && a_last, a_lane, a_line}),
      .valid      (head_valid),
      .word       ({head_ends, head_last, head_lane, head_line}),
      .pop        (go_data)
  );

  // ---- merge: data, then parity from the first free lane on
  reg sending_parity;
  reg out_valid, out_last;
  reg [LANES-1:0] out_keep;
  wire advance;
  assign go_data = advance && !sending_parity && head_valid && (SPARE == 0 || !head_ends || ready);
  assign go_parity = advance && sending_parity && ready;

  wire [DATA_WIDTH-1:0] data_line;
  generate
    if (SPARE == 0) begin : g_no_merge
      assign data_line = head_line;
    end else begin : g_merge
      assign data_line[DATA_WIDTH-1:SPARE*8] = head_line[DATA_WIDTH-1:SPARE*8];
      for (n = 0; n < SPARE * 8; n = n + 1) begin : g_bit
        assign data_line[n] = head_ends ? parity_first[SPARE*8-1-n] : head_line[n];
      end
    end
  endgenerate

  always @(posedge clk) begin
    room <= level < FULL;
    if (go_data) sending_parity <= head_ends;
    if (go_parity && parity_last) sending_parity <= 1'b0;
    if (advance) begin
      out_valid <= go_data || go_parity;
      out_line  <= sending_parity ? parity_line : data_line;
      out_last  <= sending_parity ? parity_last : head_last;
      out_keep  <= sending_parity ? (parity_last ? LAST_KEEP : ALL) : ~({LANES{1'b1}} << 1 << head_lane);
    end
    if (rst) begin
      room <= 1'b0;
      sending_parity <= 1'b0;
      out_valid <= 1'b0;
    end
  end

  axis_register #(
      .DATA_WIDTH(DATA_WIDTH)
  ) out (
      .clk          (clk),
      .rst          (rst),
      .s_axis_tdata (m_tdata),
      .s_axis_tkeep (out_keep),
      .s_axis_tvalid(out_valid),
      .s_axis_tready(advance),
      .s_axis_tlast (out_last),
      .m_axis_tdata (m_axis_tdata),
      .m_axis_tkeep (m_axis_tkeep),
      .m_axis_tvalid(m_axis_tvalid),
      .m_axis_tready(m_axis_tready),
      .m_axis_tlast (m_axis_tlast)
  );

endmodule

`default_nettype wire
