// axis_append: frames of a right, a wrong and any length, enabled or not. Every octet comes out, once and in order, followed
// by the check, inverted after a wrong length; what is offered is held, and offered after four cycles; length_error
// tells of every frame of a wrong length.
module axis_append_proof #(
    parameter S_LANES      = 1,
    parameter M_LANES      = S_LANES,
    parameter FRAME_OCTETS = 3
) (
    input wire                 clk,
    input wire                 rst,
    input wire [8*S_LANES-1:0] s_tdata,
    input wire [  S_LANES-1:0] s_tkeep,
    input wire                 s_tvalid,
    input wire                 s_tlast,
    input wire                 m_tready,
    input wire                 enable
);

  localparam [15:0] CHECK = 16'hB7C3;
  localparam PUSH = FRAME_OCTETS + 2 > S_LANES ? FRAME_OCTETS + 2 : S_LANES;
  localparam BITS = 5;
  localparam LIMIT = 4;
  `include "stream_proof.vh"

  reg in_frame, enabled, dropping, expect_error;
  reg [3:0] count;  // octets of the frame so far
  wire appends = in_frame ? enabled : enable;

  reg [3:0] free, taken;
  reg [8*PUSH-1:0] frame;
  reg ends, wrong;
  integer n;
  always @(*) begin
    free = FRAME_OCTETS - (in_frame ? count : 4'd0);
    taken = s_octets < free ? s_octets : free;
    ends = taken == free || s_tlast;
    wrong = ends && !(taken == free && s_tlast && s_octets == free);
    frame = 0;
    for (n = 0; n < S_LANES; n = n + 1) if (n < taken) frame[8*n+:8] = s_tdata[8*n+:8];
    for (n = 0; n < FRAME_OCTETS + 1; n = n + 1) begin
      if (ends && n == free) frame[8*n+:16] = {CHECK[7:0], CHECK[15:8]} ^ {16{wrong}};
    end
  end

  always @(posedge clk) begin
    expect_error <= s_beat && appends && !dropping && wrong;
    if (s_beat) begin
      enabled  <= appends;
      in_frame <= !s_tlast;
      count    <= (in_frame ? count : 4'd0) + taken;
      dropping <= appends && !s_tlast && (dropping || ends);
    end
    if (rst) begin
      in_frame <= 1'b0;
      dropping <= 1'b0;
      expect_error <= 1'b0;
    end
  end

  assign push = !s_beat || dropping ? 0 : !appends ? s_octets : ends ? free + 2 : taken;
  assign push_octets = appends ? frame : s_tdata;
  assign push_last = appends ? ends : s_tlast;
  assign due = inside != 0 || (s_tvalid && !dropping);

  // A check register for which all frames have the same check: what it holds moves up while the check leaves.
  wire advance, shift;
  reg [15:0] register;
  always @(posedge clk) if (advance) register <= shift ? register << (8 * S_LANES) : CHECK;
  wire [16*S_LANES+15:0] wide = {register, {16 * S_LANES{1'b0}}};

  wire length_error;
  axis_append #(
      .DATA_WIDTH(8 * S_LANES),
      .FRAME_OCTETS(FRAME_OCTETS),
      .CHECK_OCTETS(2)
  ) dut (
      .clk          (clk),
      .rst          (rst),
      .enable       (enable),
      .length_error (length_error),
      .advance      (advance),
      .octets       (),
      .load         (),
      .first        (),
      .last         (),
      .shift        (shift),
      .check        (wide[16*S_LANES+15-:16*S_LANES-8]),
      .s_axis_tdata (s_tdata),
      .s_axis_tkeep (s_tkeep),
      .s_axis_tvalid(s_tvalid),
      .s_axis_tready(s_tready),
      .s_axis_tlast (s_tlast),
      .m_axis_tdata (m_tdata),
      .m_axis_tkeep (m_tkeep),
      .m_axis_tvalid(m_tvalid),
      .m_axis_tready(m_tready),
      .m_axis_tlast (m_tlast)
  );

  always @(*) begin
    if (!rst) begin
      assert (length_error == expect_error);
      cover (length_error && tracking);
    end
  end

endmodule
