// Register slice: cuts every path between two streams, valid and ready included, and loses no cycle.
//
//                  +--> spare --+
//                  |            v
//   s_axis --------+---------> (or) --> beat on offer --> m_axis
//
// A beat that comes while the one on offer has not been taken waits in `spare`, and s_axis_tready goes down a cycle
// later.
//
// Parameters   DATA_WIDTH  8, 16, 32 or 64 bits
// Latency      1 cycle
`default_nettype none

module axis_register #(
    parameter DATA_WIDTH = 8
) (
    input wire clk,
    input wire rst,

    input  wire [  DATA_WIDTH-1:0] s_axis_tdata,
    input  wire [DATA_WIDTH/8-1:0] s_axis_tkeep,
    input  wire                    s_axis_tvalid,
    output reg                     s_axis_tready,
    input  wire                    s_axis_tlast,

    output reg  [  DATA_WIDTH-1:0] m_axis_tdata,
    output reg  [DATA_WIDTH/8-1:0] m_axis_tkeep,
    output reg                     m_axis_tvalid,
    input  wire                    m_axis_tready,
    output reg                     m_axis_tlast
);

  generate
    if (DATA_WIDTH != 8 && DATA_WIDTH != 16 && DATA_WIDTH != 32 && DATA_WIDTH != 64) begin : g_bad_width
      initial begin
        $display("%m: DATA_WIDTH: expected 8, 16, 32 or 64, found %0d", DATA_WIDTH);
        $finish;
      end
    end
  endgenerate

  reg [  DATA_WIDTH-1:0] spare_tdata;
  reg [DATA_WIDTH/8-1:0] spare_tkeep;
  reg                    spare_tlast;

  // `spare` is in use exactly while s_axis_tready is down.
  wire leaves = m_axis_tready || !m_axis_tvalid;

  always @(posedge clk) begin
    if (s_axis_tready) begin
      spare_tdata <= s_axis_tdata;
      spare_tkeep <= s_axis_tkeep;
      spare_tlast <= s_axis_tlast;
    end
    if (leaves) begin
      m_axis_tvalid <= s_axis_tvalid || !s_axis_tready;
      m_axis_tdata  <= s_axis_tready ? s_axis_tdata : spare_tdata;
      m_axis_tkeep  <= s_axis_tready ? s_axis_tkeep : spare_tkeep;
      m_axis_tlast  <= s_axis_tready ? s_axis_tlast : spare_tlast;
    end
    s_axis_tready <= leaves || (s_axis_tready && !s_axis_tvalid);
    if (rst) begin
      m_axis_tvalid <= 1'b0;
      s_axis_tready <= 1'b1;
    end
  end

endmodule

`default_nettype wire
