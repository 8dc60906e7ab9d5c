// COBS encoder (Cheshire and Baker, IEEE/ACM Transactions on Networking 7, 1999) and the queue of packets behind it.
//
//   s_axis --> octets, and each block's code into the place kept for it --> block RAM: PACKETS slots of 256 octets
//                                                                                          |
//                                                            m_axis <-- up to the zero ----+
//
// A code octet goes ahead of its block, when the block has ended: a zero of the packet leaves its place to the code of the
// next block and writes that of the last. The delimiter, the only zero of an encoded packet, is also what ends a slot.
// Packets have at most 254 octets, so there is no code for a block of 255 without a zero behind it.
//
// Parameters   PACKETS  slots, a power of two
// Latency      2 cycles from a packet's last octet to the slot's end; `used` counts slots that wait or leave. A packet is
//              taken without a stall if a slot is free at its start; m_axis has an octet every third cycle.
`default_nettype none

module cobs_encoder #(
    parameter PACKETS = 8
) (
    input wire clk,
    input wire rst,

    input  wire [7:0] s_axis_tdata,
    input  wire       s_axis_tvalid,
    output wire       s_axis_tready,
    input  wire       s_axis_tlast,

    output reg  [7:0] m_axis_tdata,
    output reg        m_axis_tvalid,
    input  wire       m_axis_tready,
    output wire       m_axis_tlast,

    output wire [$clog2(PACKETS):0] used
);

  localparam SLOT_BITS = $clog2(PACKETS);
  localparam [1:0] OCTETS = 2'd0, CODE = 2'd1, DELIMITER = 2'd2;

  generate
    if (PACKETS < 2 || PACKETS != 1 << SLOT_BITS) begin : g_bad_packets
      initial begin
        $display("%m: PACKETS: expected a power of two from 2 on, found %0d", PACKETS);
        $finish;
      end
    end
  endgenerate

  reg [7:0] memory[0:256*PACKETS-1];

  reg [1:0] state;
  reg [SLOT_BITS:0] write_slot, read_slot;
  reg [7:0] write_at, code_at, read_at;

  assign used = write_slot - read_slot;
  assign s_axis_tready = state == OCTETS && !used[SLOT_BITS];

  wire take = s_axis_tvalid && s_axis_tready;
  wire write_code = state == CODE || (state == OCTETS && s_axis_tdata == 8'd0);
  wire write = take || state != OCTETS;
  wire [7:0] write_octet = write_code ? write_at - code_at : state == DELIMITER ? 8'd0 : s_axis_tdata;

  always @(posedge clk)
    if (write) memory[{write_slot[SLOT_BITS-1:0], write_code ? code_at : write_at}] <= write_octet;

  always @(posedge clk) begin
    if (take) begin
      write_at <= write_at + 1'b1;
      if (write_code) code_at <= write_at;
    end
    case (state)
      OCTETS: if (take && s_axis_tlast) state <= CODE;
      CODE: state <= DELIMITER;
      default: begin
        state <= OCTETS;
        write_slot <= write_slot + 1'b1;
        write_at <= 8'd1;
        code_at <= 8'd0;
      end
    endcase
    if (rst) begin
      state <= OCTETS;
      write_slot <= {SLOT_BITS + 1{1'b0}};
      write_at <= 8'd1;
      code_at <= 8'd0;
    end
  end

  assign m_axis_tlast = m_axis_tdata == 8'd0;

  reg [7:0] fetched;
  reg fetching;
  wire fetch = !m_axis_tvalid && !fetching && used != {SLOT_BITS + 1{1'b0}};

  always @(posedge clk) if (fetch) fetched <= memory[{read_slot[SLOT_BITS-1:0], read_at}];

  always @(posedge clk) begin
    fetching <= fetch;
    if (fetch) read_at <= read_at + 1'b1;
    if (fetching) begin
      m_axis_tdata  <= fetched;
      m_axis_tvalid <= 1'b1;
    end
    if (m_axis_tvalid && m_axis_tready) begin
      m_axis_tvalid <= 1'b0;
      if (m_axis_tlast) begin
        read_slot <= read_slot + 1'b1;
        read_at   <= 8'd0;
      end
    end
    if (rst) begin
      m_axis_tvalid <= 1'b0;
      fetching <= 1'b0;
      read_slot <= {SLOT_BITS + 1{1'b0}};
      read_at <= 8'd0;
    end
  end

endmodule

`default_nettype wire
