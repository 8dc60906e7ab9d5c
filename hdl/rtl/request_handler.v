// Carries out one request at a time and has its reply ready for the packet writer.
//
//   request --> id, count, body --> APB accesses, if it takes any --> reply, octet by octet --> m_axis
//
//   0x01 HELLO      reads CAPABILITIES (0x08)       -> 0x81 protocol, kind, firmware, capabilities, unique id
//   0x02 READ       reads                           -> 0x82 address, value
//   0x03 WRITE      reads, writes, reads back       -> 0x83 address, value
//   0x04 DATA                                       -> 0x84 room
//   0x05 HEARTBEAT                                  -> 0x85 status, uptime in ms
//   0x06 STREAM                                     -> 0x86 as asked: samples go whenever there are any
//   an error                                        -> 0xFF code
//
// A register whose first read fails is not there (code 3); one that reads but does not write is read-only (code 4).
//
// Parameters   KIND       kind of device, the low octet of its APID
//              FIRMWARE   major, minor, patch, an octet each
//              UNIQUE_ID  8 octets
// Latency      2 cycles from `request` to m_axis_tvalid, and 2 more for each APB access without wait states
`default_nettype none

module request_handler #(
    parameter [ 7:0] KIND      = 8'h06,
    parameter [23:0] FIRMWARE  = 24'h00_01_00,
    parameter [63:0] UNIQUE_ID = 64'd0
) (
    input wire clk,
    input wire rst,

    input  wire        request,
    output wire        request_ready,
    input  wire [ 7:0] request_id,
    input  wire [13:0] request_count,
    input  wire [47:0] request_body,
    input  wire [ 3:0] request_error,

    input  wire [15:0] room,
    input  wire [ 7:0] status,
    input  wire [31:0] uptime_ms,
    output wire        status_told,

    output wire        psel,
    output wire        penable,
    output wire        pwrite,
    output wire [ 7:0] paddr,
    output wire [31:0] pwdata,
    input  wire [31:0] prdata,
    input  wire        pready,
    input  wire        pslverr,

    output reg  [13:0] count,
    output wire [ 7:0] octets,
    output wire [ 7:0] m_axis_tdata,
    output wire        m_axis_tvalid,
    input  wire        m_axis_tready,
    output wire        m_axis_tlast
);

  localparam [7:0] HELLO = 8'h01, READ = 8'h02, WRITE = 8'h03, DATA = 8'h04, HEARTBEAT = 8'h05;
  localparam [7:0] ERROR = 8'hFF, CAPABILITIES = 8'h08;
  localparam [3:0] NO_SUCH_REGISTER = 4'd3, READ_ONLY = 4'd4;
  localparam [1:0] IDLE = 2'd0, SETUP = 2'd1, ACCESS = 2'd2, REPLY = 2'd3;

  reg [1:0] state;
  reg [7:0] id;
  reg [47:0] body;  // of the request, then of the reply
  reg [31:0] value;
  reg [1:0] accesses;  // that follow the present one
  reg hello;
  reg [4:0] at, last;  // octets of the reply's user data

  wire refused = request_error != 4'd0;
  wire no_register = request_body[47:40] != 8'd0 && (request_id == READ || request_id == WRITE);

  assign request_ready = state == IDLE && !request;
  assign status_told = request && request_id == HEARTBEAT && !refused;

  assign psel = state == SETUP || state == ACCESS;
  assign penable = state == ACCESS;
  assign pwrite = accesses == 2'd1;
  assign paddr = hello ? CAPABILITIES : body[39:32];
  assign pwdata = body[31:0];

  // ---- the reply's octets
  reg [7:0] hello_octet;
  always @* begin
    case (at)
      5'd1: hello_octet = 8'd1;
      5'd2: hello_octet = KIND;
      5'd3: hello_octet = FIRMWARE[23:16];
      5'd4: hello_octet = FIRMWARE[15:8];
      5'd5: hello_octet = FIRMWARE[7:0];
      5'd6: hello_octet = value[31:24];
      5'd7: hello_octet = value[23:16];
      5'd8: hello_octet = value[15:8];
      5'd9: hello_octet = value[7:0];
      5'd10: hello_octet = UNIQUE_ID[63:56];
      5'd11: hello_octet = UNIQUE_ID[55:48];
      5'd12: hello_octet = UNIQUE_ID[47:40];
      5'd13: hello_octet = UNIQUE_ID[39:32];
      5'd14: hello_octet = UNIQUE_ID[31:24];
      5'd15: hello_octet = UNIQUE_ID[23:16];
      5'd16: hello_octet = UNIQUE_ID[15:8];
      default: hello_octet = UNIQUE_ID[7:0];
    endcase
  end

  assign m_axis_tdata = at == 5'd0 ? id : hello ? hello_octet : body[47:40];
  assign m_axis_tvalid = state == REPLY;
  assign m_axis_tlast = at == last;
  assign octets = {3'd0, last} + 8'd1;

  always @(posedge clk) begin
    case (state)
      IDLE: begin
        id <= request_id | 8'h80;
        count <= request_count;
        body <= request_body;
        at <= 5'd0;
        hello <= 1'b0;
        accesses <= 2'd0;
        if (request) begin
          state <= REPLY;
          if (refused || no_register) begin
            id <= ERROR;
            last <= 5'd1;
            body[47:40] <= {4'd0, refused ? request_error : NO_SUCH_REGISTER};
          end else begin
            case (request_id)
              HELLO: begin
                last  <= 5'd17;
                hello <= 1'b1;
                state <= SETUP;
              end
              READ: begin
                last  <= 5'd6;
                state <= SETUP;
              end
              WRITE: begin
                last <= 5'd6;
                accesses <= 2'd2;
                state <= SETUP;
              end
              DATA: begin
                last <= 5'd2;
                body[47:32] <= room;
              end
              HEARTBEAT: begin
                last <= 5'd5;
                body[47:8] <= {status, uptime_ms};
              end
              default: last <= 5'd3;
            endcase
          end
        end
      end
      SETUP: state <= ACCESS;
      ACCESS:
      if (pready) begin
        value <= prdata;
        accesses <= accesses - 1'b1;
        state <= SETUP;
        if (pslverr) begin
          id <= ERROR;
          last <= 5'd1;
          hello <= 1'b0;
          body[47:40] <= {4'd0, pwrite ? READ_ONLY : NO_SUCH_REGISTER};
          state <= REPLY;
        end else if (accesses == 2'd0) begin
          if (!hello) body[31:0] <= prdata;
          state <= REPLY;
        end
      end
      default:
      if (m_axis_tready) begin
        at <= at + 1'b1;
        if (at != 5'd0) body <= {body[39:0], 8'd0};
        if (m_axis_tlast) state <= IDLE;
      end
    endcase
    if (rst) state <= IDLE;
  end

endmodule

`default_nettype wire
