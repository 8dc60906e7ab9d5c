// Input buffer of frames that come in packets: what a packet brings is undone if the packet turns out bad, and m_axis sees
// whole frames only.
//
//   write --> block RAM -----------------------------> m_axis
//               |   read <= committed <= accepted <= written
//               v
//   written: behind the packet that comes in;  accepted: behind the last good packet;  committed: behind the last frame
//
// `keep` accepts the packet, `keep_last` ends the frame with it, `drop` takes its octets back, `restart` those of the
// whole frame that has begun. A write that does not fit is left out and noted in `overflow` until the packet is kept or
// dropped.
//
// Parameters   OCTETS   a power of two
// Latency      3 cycles from `keep_last` to the frame's first octet on m_axis, then an octet every third cycle: the block
//              RAM's output is slow enough to be worth a flip-flop of its own, and what is ahead far slower
`default_nettype none

module frame_buffer #(
    parameter OCTETS = 4096
) (
    input wire clk,
    input wire rst,

    input  wire                    write,
    input  wire [             7:0] octet,
    input  wire                    last,       // the frame's last octet
    input  wire                    keep,
    input  wire                    keep_last,
    input  wire                    drop,
    input  wire                    restart,
    output reg                     overflow,
    output wire                    in_frame,   // a frame has begun and not ended, as far as accepted
    output wire [$clog2(OCTETS):0] room,       // free octets beyond what is accepted

    output reg  [7:0] m_axis_tdata,
    output reg        m_axis_tvalid,
    input  wire       m_axis_tready,
    output reg        m_axis_tlast
);

  localparam BITS = $clog2(OCTETS);
  localparam [BITS:0] ALL = {1'b1, {BITS{1'b0}}};

  generate
    if (OCTETS < 2 || OCTETS != 1 << BITS) begin : g_bad_octets
      initial begin
        $display("%m: OCTETS: expected a power of two, found %0d", OCTETS);
        $finish;
      end
    end
  endgenerate

  reg [8:0] memory[0:OCTETS-1];
  reg [BITS:0] read, committed, accepted, written;

  wire full = written == (read ^ ALL);
  wire put = write && !full;
  reg [8:0] fetched;
  reg fetching;
  wire get = !m_axis_tvalid && !fetching && read != committed;

  assign in_frame = accepted != committed;
  assign room = ALL - (accepted - read);

  always @(posedge clk) if (put) memory[written[BITS-1:0]] <= {last, octet};
  always @(posedge clk) if (get) fetched <= memory[read[BITS-1:0]];

  always @(posedge clk) begin
    if (put) written <= written + 1'b1;
    if (write && full) overflow <= 1'b1;
    if (keep) begin
      accepted <= written;
      if (keep_last) committed <= written;
    end
    if (drop) written <= accepted;
    if (restart) begin
      written  <= committed;
      accepted <= committed;
    end
    if (keep || drop || restart) overflow <= 1'b0;

    fetching <= get;
    if (get) read <= read + 1'b1;
    if (fetching) begin
      {m_axis_tlast, m_axis_tdata} <= fetched;
      m_axis_tvalid <= 1'b1;
    end
    if (m_axis_tvalid && m_axis_tready) m_axis_tvalid <= 1'b0;

    if (rst) begin
      read <= {BITS + 1{1'b0}};
      committed <= {BITS + 1{1'b0}};
      accepted <= {BITS + 1{1'b0}};
      written <= {BITS + 1{1'b0}};
      overflow <= 1'b0;
      fetching <= 1'b0;
      m_axis_tvalid <= 1'b0;
    end
  end

endmodule

`default_nettype wire
