// axis_width_converter to a wider stream passes every octet on, once and in order, holds what it offers, and offers a
// cycle after the beat is full or the frame has ended.
module axis_width_converter_wider_proof #(
    parameter S_LANES = 1,
    parameter M_LANES = 2
) (
    input wire                 clk,
    input wire                 rst,
    input wire [8*S_LANES-1:0] s_tdata,
    input wire [  S_LANES-1:0] s_tkeep,
    input wire                 s_tvalid,
    input wire                 s_tlast,
    input wire                 m_tready
);

  localparam RATIO = M_LANES / S_LANES;
  localparam PUSH = S_LANES;
  localparam BITS = 5;
  localparam LIMIT = RATIO;
  `include "stream_proof.vh"

  assign push = s_octets;
  assign push_octets = s_tdata;
  assign push_last = s_tlast;

  reg ended;  // the last octet inside ends a frame
  always @(posedge clk) begin
    if (m_tvalid && m_tready) ended <= 1'b0;
    if (s_beat) ended <= s_tlast;
    if (rst) ended <= 1'b0;
  end
  assign due = s_tvalid || ended || inside >= M_LANES;

  axis_width_converter #(
      .S_WIDTH(8 * S_LANES),
      .M_WIDTH(8 * M_LANES)
  ) dut (
      .clk          (clk),
      .rst          (rst),
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
  (* hierconn *) wire \dut.genblk3.g_wider.valid ;
  (* hierconn *) wire \dut.genblk3.g_wider.ends ;
  (* hierconn *) wire [8*M_LANES-1:0] \dut.genblk3.g_wider.data ;
  (* hierconn *) wire [M_LANES-1:0] \dut.genblk3.g_wider.keep ;
  (* hierconn *) wire [RATIO-1:0] \dut.genblk3.g_wider.place ;

  wire [BITS-1:0] after;
  wire begun = m_tvalid || !\dut.genblk3.g_wider.place [0];
  octet_place #(
      .LANES(M_LANES),
      .BITS (BITS)
  ) beat (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  ({BITS{1'b0}}),
      .valid   (begun),
      .data    (\dut.genblk3.g_wider.data ),
      .keep    (\dut.genblk3.g_wider.keep ),
      .ends    (\dut.genblk3.g_wider.ends ),
      .after   (after)
  );

  integer n;
  always @(*) begin
    if (!rst) begin
      assert (inside == after);
      assert (\dut.genblk3.g_wider.place != 0 && (\dut.genblk3.g_wider.place & (\dut.genblk3.g_wider.place - 1'b1)) == 0);
      if (m_tvalid) assert (\dut.genblk3.g_wider.place [0]);
      assert (ended == (m_tvalid && m_tlast));
      if (begun && !m_tvalid) assert (!\dut.genblk3.g_wider.ends );
      for (n = 0; n < RATIO; n = n + 1) begin
        if (begun && !m_tvalid && \dut.genblk3.g_wider.place [n]) assert (after == n * S_LANES);
      end
    end
  end

endmodule
