// Puts messages into packets of the wire protocol: one space packet (CCSDS 133.0-B-2, 4.1) is one message to the host.
//
//   replies ---+                     header, time --+
//              +--> one at a time --> user data ----+--> octet --+--> m_axis
//   samples ---+                        CRC-16 -----+            |
//                                          ^                     |
//                                          +---------------------+
//
// Replies go first. A source offers a message by its first octet, with the message's length and sequence count beside it.
// `reply_room` and `sample_room` say whether what is behind m_axis takes a whole packet of either kind.
//
// Parameters   APID     of this device
// Latency      2 cycles from an offer to the packet's first octet, then an octet in every cycle in which its source has
//              one, and a cycle's pause ahead of the CRC
`default_nettype none

module packet_writer #(
    parameter [10:0] APID = 11'h106
) (
    input wire clk,
    input wire rst,

    input wire [47:0] time_us,

    input  wire        reply_room,
    input  wire [13:0] reply_count,
    input  wire [ 7:0] reply_octets,
    input  wire [ 7:0] s_reply_tdata,
    input  wire        s_reply_tvalid,
    output wire        s_reply_tready,
    input  wire        s_reply_tlast,

    input  wire        sample_room,
    input  wire [13:0] sample_count,
    input  wire [ 7:0] sample_octets,
    input  wire [ 7:0] s_sample_tdata,
    input  wire        s_sample_tvalid,
    output wire        s_sample_tready,
    input  wire        s_sample_tlast,

    output reg  [7:0] m_axis_tdata,
    output reg        m_axis_tvalid,
    input  wire       m_axis_tready,
    output reg        m_axis_tlast
);

  localparam [2:0] IDLE = 3'd0, HEADER = 3'd1, USER_DATA = 3'd2, PAUSE = 3'd3, CHECK = 3'd4;

  reg [2:0] state;
  reg samples;  // which source it is
  reg [3:0] at;
  reg [47:0] time_left;
  reg [7:0] length;  // of the packet data field, less one
  reg [15:0] crc;
  reg crc_due;  // m_axis_tdata is new, and not in `crc` yet

  wire [13:0] count = samples ? sample_count : reply_count;
  wire [7:0] user_octet = samples ? s_sample_tdata : s_reply_tdata;
  wire user_valid = samples ? s_sample_tvalid : s_reply_tvalid;
  wire user_last = samples ? s_sample_tlast : s_reply_tlast;

  reg [7:0] octet;
  always @* begin
    case (at)
      4'd0: octet = {5'b000_0_1, APID[10:8]};
      4'd1: octet = APID[7:0];
      4'd2: octet = {2'b11, count[13:8]};
      4'd3: octet = count[7:0];
      4'd5: octet = length;
      4'd4, 4'd6, 4'd7: octet = 8'd0;
      default: octet = time_left[47:40];
    endcase
    if (state == USER_DATA) octet = user_octet;
    if (state == CHECK) octet = at[0] ? crc[7:0] : crc[15:8];
  end

  wire [15:0] crc_next;
  crc16_octet crc_step (
      .crc  (crc),
      .octet(m_axis_tdata),
      .next (crc_next)
  );

  wire advance = !m_axis_tvalid || m_axis_tready;
  wire put = advance && (state == HEADER || state == CHECK || (state == USER_DATA && user_valid));

  assign s_reply_tready  = advance && state == USER_DATA && !samples;
  assign s_sample_tready = advance && state == USER_DATA && samples;

  always @(posedge clk) begin
    if (advance) begin
      m_axis_tvalid <= put;
      m_axis_tdata  <= octet;
      m_axis_tlast  <= state == CHECK && at[0];
    end
    if (put) begin
      at <= at + 1'b1;
      if (at[3]) time_left <= {time_left[39:0], 8'd0};
    end
    crc_due <= put && state != CHECK;
    if (crc_due) crc <= crc_next;
    // besides the user data there are the time and the CRC
    length <= (samples ? sample_octets : reply_octets) + 8'd9;
    case (state)
      IDLE: begin
        at <= 4'd0;
        crc <= 16'hFFFF;
        time_left <= time_us;
        samples <= !(s_reply_tvalid && reply_room);
        if ((s_reply_tvalid && reply_room) || (s_sample_tvalid && sample_room)) state <= HEADER;
      end
      HEADER: if (put && at == 4'd13) state <= USER_DATA;
      USER_DATA: begin
        at <= 4'd0;
        if (put && user_last) state <= PAUSE;
      end
      PAUSE: state <= CHECK;
      default: if (put && at[0]) state <= IDLE;
    endcase
    if (rst) begin
      state <= IDLE;
      m_axis_tvalid <= 1'b0;
    end
  end

endmodule

`default_nettype wire
