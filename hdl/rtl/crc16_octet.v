// One octet's step of the CRC-16 of CCSDS 133.0-B-2 packets: x^16 + x^12 + x^5 + 1, most significant bit first.
//
//   crc --+--> (+) --> 8 bit steps --> next
//              ^
//   octet -----+
//
// The packet error control of ECSS-E-ST-70-41C, 7.4.4.1: it starts with FFFF, has no final inversion, and over a whole
// packet, CRC included, gives 0.
//
// Latency      none, combinational
`default_nettype none

module crc16_octet (
    input  wire [15:0] crc,
    input  wire [ 7:0] octet,
    output reg  [15:0] next
);

  integer i;
  always @* begin
    next = crc ^ {octet, 8'd0};
    for (i = 0; i < 8; i = i + 1) next = {next[14:0], 1'b0} ^ (next[15] ? 16'h1021 : 16'h0000);
  end

endmodule

`default_nettype wire
