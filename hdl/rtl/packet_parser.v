// Takes the packets of the wire protocol apart: one space packet (CCSDS 133.0-B-2, 4.1) is one message to the device.
//
//   octet --> position --> header checks, message id, first octets of the body --> request
//     |                        ^                                                      |
//     +--> CRC-16 -------------+---- good or bad <-- packet_end                       v  dropped if not ready
//     |
//     +--> the last 3 octets wait --> octets of DATA --> write, then keep or drop
//
//   octets  0..5   header: version 0, type 1, secondary header, APID; sequence flags 3, count; length - 1
//           6..13  time, not looked at
//           14     message id
//           15..   body, big-endian; then the CRC-16 of all
//
// A packet that is coded wrong, has another header, length or CRC, or is not for this device, is bad: counted and not
// answered. HELLO is for every device. What is good becomes a request with its `error`, the code that its answer has to
// carry, or 0. Octets of DATA go out as they come, two octets late as the last two are the CRC, and one more so that
// `last` can go with the frame's last octet; `keep` or `drop` follows when the CRC is known.
//
// Parameters   APID     of this device
// Latency      3 cycles from packet_end to `request`, 2 to `keep` or `drop`. Octets are at least 4 cycles apart from
//              packet_end, as they are behind a UART.
`default_nettype none

module packet_parser #(
    parameter [10:0] APID = 11'h106
) (
    input wire clk,
    input wire rst,

    input wire [7:0] octet,
    input wire       octet_valid,
    input wire       packet_end,
    input wire       packet_good,

    output reg         request,
    input  wire        request_ready,
    output reg  [ 7:0] request_id,
    output reg  [13:0] request_count,
    output reg  [47:0] request_body,
    output reg  [ 3:0] request_error,

    output wire       data_write,
    output wire [7:0] data_octet,
    output wire       data_last,
    output wire       data_keep,
    output wire       data_keep_last,
    output wire       data_drop,
    output wire       data_restart,
    input  wire       data_overflow,
    input  wire       data_in_frame,

    output wire good,
    output wire bad,
    output wire dropped
);

  localparam [7:0] HELLO = 8'h01, READ = 8'h02, WRITE = 8'h03, DATA = 8'h04, HEARTBEAT = 8'h05, STREAM = 8'h06;
  localparam [3:0] NONE = 4'd0, UNKNOWN_MESSAGE = 4'd1, BAD_LENGTH = 4'd2, OUT_OF_RANGE = 4'd5, BUSY = 4'd6;
  localparam [10:0] FULL = 11'h7FF;

  reg [10:0] position;  // octets so far
  reg [15:0] length;
  reg [15:0] crc;
  reg header_good, apid_good;
  reg [1:0] flags;
  reg [23:0] waiting;  // the last three octets, the newest in the low bits

  wire [15:0] crc_next;
  crc16_octet crc_step (
      .crc  (crc),
      .octet(octet),
      .next (crc_next)
  );

  wire ours = header_good && apid_good;
  wire is_data = request_id == DATA && ours;
  wire has_data = position >= 11'd19;

  assign data_write = (octet_valid || packet_end) && is_data && has_data;
  assign data_octet = waiting[23:16];
  assign data_last = packet_end && flags[1];
  assign data_restart = octet_valid && is_data && position == 11'd15 && octet[0];

  // ---- the verdict, two cycles after the packet's end
  reg ending, ended, decoded, passed;
  reg [3:0] error;
  wire data_error = data_overflow || !(flags[0] || data_in_frame);

  assign good = ended && passed;
  assign bad = ended && !passed;
  assign dropped = good && !request_ready;
  assign data_keep = good && request_ready && is_data && error == NONE;
  assign data_keep_last = flags[1];
  assign data_drop = ended && !data_keep;

  always @(posedge clk) begin
    if (octet_valid) begin
      crc <= crc_next;
      waiting <= {waiting[15:0], octet};
      if (position != FULL) position <= position + 1'b1;
      case (position)
        11'd0: begin
          header_good <= octet[7:3] == 5'b000_1_1;
          apid_good   <= octet[2:0] == APID[10:8];
        end
        11'd1: apid_good <= apid_good && octet == APID[7:0];
        11'd2: begin
          header_good <= header_good && octet[7:6] == 2'b11;
          request_count[13:8] <= octet[5:0];
        end
        11'd3: request_count[7:0] <= octet;
        11'd4: length[15:8] <= octet;
        11'd5: length[7:0] <= octet;
        11'd14: request_id <= octet;
        11'd15: begin
          request_body[47:40] <= octet;
          flags <= octet[1:0];
        end
        11'd16: request_body[39:32] <= octet;
        11'd17: request_body[31:24] <= octet;
        11'd18: request_body[23:16] <= octet;
        11'd19: request_body[15:8] <= octet;
        11'd20: request_body[7:0] <= octet;
        default: ;
      endcase
    end

    ending  <= packet_end;
    decoded <= packet_good;
    ended   <= ending;
    passed  <= decoded && header_good && (apid_good || request_id == HELLO) && crc == 16'd0
               && position >= 11'd17 && position != FULL && length == {5'd0, position} - 16'd7;
    case (request_id)
      HELLO: error <= position == 11'd18 ? NONE : BAD_LENGTH;
      READ: error <= position == 11'd19 ? NONE : BAD_LENGTH;
      WRITE: error <= position == 11'd23 ? NONE : BAD_LENGTH;
      DATA: error <= !has_data ? BAD_LENGTH : data_overflow ? BUSY : data_error ? OUT_OF_RANGE : NONE;
      HEARTBEAT: error <= position == 11'd17 ? NONE : BAD_LENGTH;
      STREAM: error <= position == 11'd20 ? NONE : BAD_LENGTH;
      default: error <= UNKNOWN_MESSAGE;
    endcase
    request <= good && request_ready;
    request_error <= error;

    if (rst || ended) begin
      position <= 11'd0;
      crc <= 16'hFFFF;
      header_good <= 1'b0;
      apid_good <= 1'b0;
    end
    if (rst) begin
      ending  <= 1'b0;
      ended   <= 1'b0;
      request <= 1'b0;
    end
  end

endmodule

`default_nettype wire
