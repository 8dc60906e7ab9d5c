// Stream FIFO in block RAM.
//
//   s_axis --> memory --> read register --> beat --> m_axis
//
// The memory reads synchronously, and its slow output goes through a register of its own before it is offered. Both are
// filled ahead, so a beat can leave in every cycle. An octet takes nine bits, as block RAM has them: tlast is stored in
// the place of lane 0's tkeep, as a beat without any octet is none. A write and a read never meet at one address.
//
// Parameters   DATA_WIDTH  8, 16, 32 or 64 bits
//              DEPTH       beats, a power of two from 4 on
// Status       level       beats inside
// Latency      3 cycles
`default_nettype none

module axis_fifo #(
    parameter DATA_WIDTH = 8,
    parameter DEPTH      = 512
) (
    input  wire                     clk,
    input  wire                     rst,
    output reg  [$clog2(DEPTH+1)-1:0] level,

    input  wire [  DATA_WIDTH-1:0] s_axis_tdata,
    // Lane 0 is there in every beat.
    // verilator lint_off UNUSEDSIGNAL
    input  wire [DATA_WIDTH/8-1:0] s_axis_tkeep,
    // verilator lint_on UNUSEDSIGNAL
    input  wire                    s_axis_tvalid,
    output reg                     s_axis_tready,
    input  wire                    s_axis_tlast,

    output wire [  DATA_WIDTH-1:0] m_axis_tdata,
    output wire [DATA_WIDTH/8-1:0] m_axis_tkeep,
    output reg                     m_axis_tvalid,
    input  wire                    m_axis_tready,
    output wire                    m_axis_tlast
);

  localparam LANES = DATA_WIDTH / 8;
  localparam ADDRESS_BITS = $clog2(DEPTH);
  localparam LEVEL_BITS = $clog2(DEPTH + 1);
  localparam [LEVEL_BITS-1:0] FULL = DEPTH[LEVEL_BITS-1:0];

  generate
    if (DATA_WIDTH != 8 && DATA_WIDTH != 16 && DATA_WIDTH != 32 && DATA_WIDTH != 64) begin : g_bad_width
      initial begin
        $display("%m: DATA_WIDTH: expected 8, 16, 32 or 64, found %0d", DATA_WIDTH);
        $finish;
      end
    end
    if (DEPTH < 4 || DEPTH != 1 << ADDRESS_BITS) begin : g_bad_depth
      initial begin
        $display("%m: DEPTH: expected a power of two from 4 on, found %0d", DEPTH);
        $finish;
      end
    end
  endgenerate

  // Each lane with a ninth bit: tlast beside lane 0, tkeep beside the others.
  wire [9*LANES-1:0] entry;
  genvar n;
  generate
    for (n = 0; n < LANES; n = n + 1) begin : g_lane
      assign entry[9*n+:8] = s_axis_tdata[8*n+:8];
      assign m_axis_tdata[8*n+:8] = beat[9*n+:8];
      if (n > 0) begin : g_keep
        assign entry[9*n+8] = s_axis_tkeep[n];
        assign m_axis_tkeep[n] = beat[9*n+8];
      end
    end
  endgenerate
  assign entry[8] = s_axis_tlast;
  assign m_axis_tlast = beat[8];
  assign m_axis_tkeep[0] = 1'b1;

  (* ram_style = "block", no_rw_check *)
  reg [9*LANES-1:0] memory[0:DEPTH-1];
  reg [9*LANES-1:0] read;  // the memory's output
  reg [9*LANES-1:0] beat;
  reg read_valid;
  // One bit more than an address, so that a full memory is not taken for an empty one.
  reg [ADDRESS_BITS:0] write_at, read_at;

  wire write = s_axis_tvalid && s_axis_tready;
  wire leave = m_axis_tvalid && m_axis_tready;
  wire offer = read_valid && (m_axis_tready || !m_axis_tvalid);
  wire fetch = read_at != write_at && (offer || !read_valid);

  always @(posedge clk) if (write) memory[write_at[ADDRESS_BITS-1:0]] <= entry;

  always @(posedge clk) if (fetch) read <= memory[read_at[ADDRESS_BITS-1:0]];

  always @(posedge clk) begin
    if (write) write_at <= write_at + 1'b1;
    if (fetch) read_at <= read_at + 1'b1;
    read_valid <= fetch || (read_valid && !offer);
    if (offer) beat <= read;
    m_axis_tvalid <= offer || (m_axis_tvalid && !m_axis_tready);
    if (write && !leave) begin
      level <= level + 1'b1;
      s_axis_tready <= level != FULL - 1'b1;
    end else if (leave && !write) begin
      level <= level - 1'b1;
      s_axis_tready <= 1'b1;
    end
    if (rst) begin
      write_at <= {ADDRESS_BITS + 1{1'b0}};
      read_at <= {ADDRESS_BITS + 1{1'b0}};
      read_valid <= 1'b0;
      m_axis_tvalid <= 1'b0;
      level <= {LEVEL_BITS{1'b0}};
      s_axis_tready <= 1'b1;
    end
  end

endmodule

`default_nettype wire
