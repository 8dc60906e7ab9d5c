// axis_fifo passes every octet on, once and in order, holds what it offers, and offers after three cycles.
module axis_fifo_proof #(
    parameter S_LANES = 1,
    parameter M_LANES = S_LANES
) (
    input wire                 clk,
    input wire                 rst,
    input wire [8*S_LANES-1:0] s_tdata,
    input wire [  S_LANES-1:0] s_tkeep,
    input wire                 s_tvalid,
    input wire                 s_tlast,
    input wire                 m_tready
);

  localparam DEPTH = 4;
  localparam PUSH = S_LANES;
  localparam BITS = 4;
  localparam LIMIT = 3;
  `include "stream_proof.vh"

  assign push = s_octets;
  assign push_octets = s_tdata;
  assign push_last = s_tlast;
  assign due = s_tvalid || inside != 0;

  wire [2:0] level;
  axis_fifo #(
      .DATA_WIDTH(8 * S_LANES),
      .DEPTH(DEPTH)
  ) dut (
      .clk          (clk),
      .rst          (rst),
      .level        (level),
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
  (* hierconn *) wire \dut.read_valid ;
  (* hierconn *) wire [8:0] \dut.read ;
  (* hierconn *) wire [2:0] \dut.write_at ;
  (* hierconn *) wire [2:0] \dut.read_at ;
  (* hierconn *) wire [8:0] \dut.memory[0] ;
  (* hierconn *) wire [8:0] \dut.memory[1] ;
  (* hierconn *) wire [8:0] \dut.memory[2] ;
  (* hierconn *) wire [8:0] \dut.memory[3] ;

  wire [35:0] memory = {\dut.memory[3] , \dut.memory[2] , \dut.memory[1] , \dut.memory[0] };
  wire [2:0] stored = \dut.write_at - \dut.read_at ;
  wire [BITS-1:0] after_offer, after_read;
  octet_place #(
      .LANES(M_LANES),
      .BITS (BITS)
  ) offer (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  ({BITS{1'b0}}),
      .valid   (m_tvalid),
      .data    (m_tdata),
      .keep    (m_tkeep),
      .ends    (m_tlast),
      .after   (after_offer)
  );
  octet_place #(
      .LANES(M_LANES),
      .BITS (BITS)
  ) read (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  (after_offer),
      .valid   (\dut.read_valid ),
      .data    (\dut.read [7:0]),
      .keep    (1'b1),
      .ends    (\dut.read [8]),
      .after   (after_read)
  );

  // The word of the memory that holds the followed octet.
  wire [1:0] address = \dut.read_at [1:0] + ahead[1:0] - after_read[1:0];
  wire [8:0] word = memory[9*address+:9];

  always @(*) begin
    if (!rst) begin
      assert (stored <= DEPTH);
      assert (inside == after_read + stored);
      assert (level == inside && level <= DEPTH);
      assert (s_tready == (level != DEPTH));
      if (tracking && ahead >= after_read) assert (word == {last, octet});
    end
  end

endmodule
