// COBS decoder (Cheshire and Baker, IEEE/ACM Transactions on Networking 7, 1999): finds packets in a stream of octets.
//
//   octet --> is it zero? --yes--> packet_end, packet_good
//                |
//                no --> a code? --yes--> its zero, if one is due --> m_octet
//                            |                                        ^
//                            no, data --------------------------------+
//
// A code octet n says that n - 1 octets without a zero follow, and a zero after them unless n is FF or the packet ends. A
// delimiter ends every packet, so the decoder is in step again after any garbage. A packet is good if its last block is
// whole and no octet of it was lost on the line (`s_lost`). Delimiters that follow each other bring no packet.
//
// Latency      1 cycle. An octet in gives at most one octet out; nothing waits.
`default_nettype none

module cobs_decoder (
    input  wire       clk,
    input  wire       rst,
    input  wire [7:0] s_octet,
    input  wire       s_valid,
    input  wire       s_lost,
    output reg  [7:0] m_octet,
    output reg        m_valid,
    output reg        packet_end,
    output reg        packet_good
);

  reg [7:0] left;  // octets of the block that are to come
  reg zero_due, begun, lost;

  wire delimiter = s_octet == 8'd0;
  wire code = left == 8'd0;

  always @(posedge clk) begin
    m_octet <= code ? 8'd0 : s_octet;
    m_valid <= s_valid && !delimiter && (!code || zero_due);
    packet_end <= s_valid && delimiter && (begun || lost);
    packet_good <= code && !lost;
    if (s_lost) lost <= 1'b1;
    if (s_valid) begin
      begun <= !delimiter;
      if (delimiter) begin
        left <= 8'd0;
        zero_due <= 1'b0;
        lost <= 1'b0;
      end else if (code) begin
        left <= s_octet - 1'b1;
        zero_due <= s_octet != 8'hFF;
      end else begin
        left <= left - 1'b1;
      end
    end
    if (rst) begin
      left <= 8'd0;
      zero_due <= 1'b0;
      begun <= 1'b0;
      lost <= 1'b0;
      m_valid <= 1'b0;
      packet_end <= 1'b0;
    end
  end

endmodule

`default_nettype wire
