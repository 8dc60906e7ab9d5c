// The board's own registers on an APB3 bus (AMBA 3 APB, IHI 0024B), at 0x80 and beyond of the device's address space.
//
//   0x80 BAD_PACKETS         coded wrong, wrong CRC, header, length or APID     0x88 UART_FRAMING_ERRORS
//   0x84 GOOD_PACKETS                                                           0x8C SCRATCH             r/w
//   0x90 DROPPED_REQUESTS    good packets that came faster than replies leave
//
// Parameters   COUNTER_BITS  of each counter, at most 32; they wrap
// Latency      a read shows the counters as they were two cycles ago
`default_nettype none

module board_registers #(
    parameter COUNTER_BITS = 32
) (
    input wire clk,
    input wire rst,

    input  wire        psel,
    input  wire        penable,
    input  wire        pwrite,
    input  wire [ 7:0] paddr,
    input  wire [31:0] pwdata,
    output reg  [31:0] prdata,
    output wire        pready,
    output reg         pslverr,

    input wire bad_packet,
    input wire good_packet,
    input wire framing_error,
    input wire dropped_request
);

  reg [COUNTER_BITS-1:0] bad_packets, good_packets, framing_errors, dropped_requests;
  reg [31:0] scratch;

  assign pready = 1'b1;

  always @(posedge clk) begin
    prdata <= 32'd0;
    pslverr <= pwrite && paddr != 8'h8C;
    case (paddr)
      8'h80:   prdata[COUNTER_BITS-1:0] <= bad_packets;
      8'h84:   prdata[COUNTER_BITS-1:0] <= good_packets;
      8'h88:   prdata[COUNTER_BITS-1:0] <= framing_errors;
      8'h8C:   prdata <= scratch;
      8'h90:   prdata[COUNTER_BITS-1:0] <= dropped_requests;
      default: pslverr <= 1'b1;
    endcase

    if (bad_packet) bad_packets <= bad_packets + 1'b1;
    if (good_packet) good_packets <= good_packets + 1'b1;
    if (framing_error) framing_errors <= framing_errors + 1'b1;
    if (dropped_request) dropped_requests <= dropped_requests + 1'b1;
    if (psel && penable && pwrite && paddr == 8'h8C) scratch <= pwdata;

    if (rst) begin
      bad_packets <= {COUNTER_BITS{1'b0}};
      good_packets <= {COUNTER_BITS{1'b0}};
      framing_errors <= {COUNTER_BITS{1'b0}};
      dropped_requests <= {COUNTER_BITS{1'b0}};
      scratch <= 32'd0;
    end
  end

endmodule

`default_nettype wire
