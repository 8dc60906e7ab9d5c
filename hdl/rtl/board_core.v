// Everything of a board but its vendor's primitives: the encoder behind a UART that speaks the wire protocol.
//
//   rx --> uart_rx --> cobs_decoder --> packet_parser --> request_handler --APB--> registers
//                                            | octets of DATA     |
//                                            v                    | replies
//                                      frame_buffer               |
//                                            v                    v
//                       [8 -> wide] --> ccsds_tm_encoder --> packet_writer --> cobs_encoder --> uart_tx --> tx
//                                            v                    ^
//                                      [wide -> 8] --> sample_packer
//
// Octets reach the encoder when the packets of their whole frame have come with the right CRC. SAMPLES fill two of the
// eight packet slots in front of the UART, so that a reply never waits for more than these and the line never idles; the
// other slots hold replies. The UART being slower than the encoder, the encoder waits for it, not the host for an answer.
//
// Parameters   CLOCK_HZ       frequency of clk, a whole number of MHz
//              BAUD           of the UART, at most CLOCK_HZ / 8
//              BUFFER_OCTETS  of the input, a power of two
//              UNIQUE_ID      8 octets that HELLO tells
//              FIRMWARE       major, minor, patch, an octet each
//              DATA_WIDTH ... CONVOLUTIONAL  as in ccsds_tm_encoder
`default_nettype none

module board_core #(
    parameter        CLOCK_HZ      = 24_000_000,
    parameter        BAUD          = 3_000_000,
    parameter        BUFFER_OCTETS = 4096,
    parameter [63:0] UNIQUE_ID     = 64'd0,
    parameter [23:0] FIRMWARE      = 24'h00_01_00,
    parameter        DATA_WIDTH    = 8,
    parameter        CODE          = 0,
    parameter        E             = 16,
    parameter        INTERLEAVE    = 5,
    parameter        FILL          = 0,
    parameter        DUAL_BASIS    = 1,
    parameter        CONVOLUTIONAL = 0
) (
    input  wire clk,
    input  wire rst,
    input  wire rx,
    output wire tx,
    output wire heartbeat,  // about once a second
    output wire activity,   // a quarter of a second after each good packet
    output wire error       // ... after each bad one, framing error or lost request
);

  localparam PACKETS = 8;
  localparam SLOT_BITS = $clog2(PACKETS);
  localparam ROOM_BITS = $clog2(BUFFER_OCTETS) + 1;

  // ---- time
  wire [47:0] time_us;
  wire [31:0] uptime_ms;
  board_clock #(
      .CLOCK_HZ(CLOCK_HZ)
  ) clock (
      .clk      (clk),
      .rst      (rst),
      .time_us  (time_us),
      .uptime_ms(uptime_ms)
  );

  // ---- from the line to requests
  wire [7:0] line_octet, packet_octet;
  wire line_valid, framing_error, packet_valid, packet_end, packet_good;
  uart_rx #(
      .CLOCK_HZ(CLOCK_HZ),
      .BAUD    (BAUD)
  ) receiver (
      .clk          (clk),
      .rst          (rst),
      .rx           (rx),
      .octet        (line_octet),
      .octet_valid  (line_valid),
      .framing_error(framing_error)
  );

  cobs_decoder decoder (
      .clk        (clk),
      .rst        (rst),
      .s_octet    (line_octet),
      .s_valid    (line_valid),
      .s_lost     (framing_error),
      .m_octet    (packet_octet),
      .m_valid    (packet_valid),
      .packet_end (packet_end),
      .packet_good(packet_good)
  );

  wire request, request_ready;
  wire [7:0] request_id;
  wire [13:0] request_count;
  wire [47:0] request_body;
  wire [3:0] request_error;
  wire data_write, data_last, data_keep, data_keep_last, data_drop, data_restart, data_overflow, data_in_frame;
  wire [7:0] data_octet;
  wire good_packet, bad_packet, dropped_request;
  packet_parser parser (
      .clk           (clk),
      .rst           (rst),
      .octet         (packet_octet),
      .octet_valid   (packet_valid),
      .packet_end    (packet_end),
      .packet_good   (packet_good),
      .request       (request),
      .request_ready (request_ready),
      .request_id    (request_id),
      .request_count (request_count),
      .request_body  (request_body),
      .request_error (request_error),
      .data_write    (data_write),
      .data_octet    (data_octet),
      .data_last     (data_last),
      .data_keep     (data_keep),
      .data_keep_last(data_keep_last),
      .data_drop     (data_drop),
      .data_restart  (data_restart),
      .data_overflow (data_overflow),
      .data_in_frame (data_in_frame),
      .good          (good_packet),
      .bad           (bad_packet),
      .dropped       (dropped_request)
  );

  // ---- frames
  wire [ROOM_BITS-1:0] room;
  wire [7:0] frame_tdata;
  wire frame_tvalid, frame_tready, frame_tlast;
  frame_buffer #(
      .OCTETS(BUFFER_OCTETS)
  ) frames (
      .clk          (clk),
      .rst          (rst),
      .write        (data_write),
      .octet        (data_octet),
      .last         (data_last),
      .keep         (data_keep),
      .keep_last    (data_keep_last),
      .drop         (data_drop),
      .restart      (data_restart),
      .overflow     (data_overflow),
      .in_frame     (data_in_frame),
      .room         (room),
      .m_axis_tdata (frame_tdata),
      .m_axis_tvalid(frame_tvalid),
      .m_axis_tready(frame_tready),
      .m_axis_tlast (frame_tlast)
  );

  // ---- the encoder, in its width
  wire [DATA_WIDTH-1:0] in_tdata, out_tdata;
  wire [DATA_WIDTH/8-1:0] in_tkeep;
  // One octet wide, it is always kept.
  // verilator lint_off UNUSEDSIGNAL
  wire [DATA_WIDTH/8-1:0] out_tkeep;
  // verilator lint_on UNUSEDSIGNAL
  wire in_tvalid, in_tready, in_tlast, out_tvalid, out_tready, out_tlast;
  wire [7:0] code_tdata;
  wire code_tvalid, code_tready, code_tlast;

  wire psel, penable, pwrite, pready, pslverr;
  wire [7:0] paddr;
  wire [31:0] pwdata, prdata;
  wire encoder_pready, encoder_pslverr, board_pready, board_pslverr;
  wire [31:0] encoder_prdata, board_prdata;

  generate
    if (DATA_WIDTH == 8) begin : g_octets
      assign in_tdata = frame_tdata;
      assign in_tkeep = 1'b1;
      assign in_tvalid = frame_tvalid;
      assign in_tlast = frame_tlast;
      assign frame_tready = in_tready;
      assign code_tdata = out_tdata;
      assign code_tvalid = out_tvalid;
      assign code_tlast = out_tlast;
      assign out_tready = code_tready;
    end else begin : g_wide
      axis_width_converter #(
          .S_WIDTH(8),
          .M_WIDTH(DATA_WIDTH)
      ) widen (
          .clk          (clk),
          .rst          (rst),
          .s_axis_tdata (frame_tdata),
          .s_axis_tkeep (1'b1),
          .s_axis_tvalid(frame_tvalid),
          .s_axis_tready(frame_tready),
          .s_axis_tlast (frame_tlast),
          .m_axis_tdata (in_tdata),
          .m_axis_tkeep (in_tkeep),
          .m_axis_tvalid(in_tvalid),
          .m_axis_tready(in_tready),
          .m_axis_tlast (in_tlast)
      );
      // verilator lint_off UNUSEDSIGNAL
      wire code_tkeep;
      // verilator lint_on UNUSEDSIGNAL
      axis_width_converter #(
          .S_WIDTH(DATA_WIDTH),
          .M_WIDTH(8)
      ) narrow (
          .clk          (clk),
          .rst          (rst),
          .s_axis_tdata (out_tdata),
          .s_axis_tkeep (out_tkeep),
          .s_axis_tvalid(out_tvalid),
          .s_axis_tready(out_tready),
          .s_axis_tlast (out_tlast),
          .m_axis_tdata (code_tdata),
          .m_axis_tkeep (code_tkeep),
          .m_axis_tvalid(code_tvalid),
          .m_axis_tready(code_tready),
          .m_axis_tlast (code_tlast)
      );
    end
  endgenerate

  ccsds_tm_encoder #(
      .DATA_WIDTH   (DATA_WIDTH),
      .CODE         (CODE),
      .E            (E),
      .INTERLEAVE   (INTERLEAVE),
      .FILL         (FILL),
      .DUAL_BASIS   (DUAL_BASIS),
      .CONVOLUTIONAL(CONVOLUTIONAL)
  ) encoder (
      .clk          (clk),
      .rst          (rst),
      .psel         (psel && !paddr[7]),
      .penable      (penable),
      .pwrite       (pwrite),
      .paddr        (paddr),
      .pwdata       (pwdata),
      .prdata       (encoder_prdata),
      .pready       (encoder_pready),
      .pslverr      (encoder_pslverr),
      .s_axis_tdata (in_tdata),
      .s_axis_tkeep (in_tkeep),
      .s_axis_tvalid(in_tvalid),
      .s_axis_tready(in_tready),
      .s_axis_tlast (in_tlast),
      .m_axis_tdata (out_tdata),
      .m_axis_tkeep (out_tkeep),
      .m_axis_tvalid(out_tvalid),
      .m_axis_tready(out_tready),
      .m_axis_tlast (out_tlast)
  );

  // ---- requests, their replies, and the registers
  board_registers registers (
      .clk            (clk),
      .rst            (rst),
      .psel           (psel && paddr[7]),
      .penable        (penable),
      .pwrite         (pwrite),
      .paddr          (paddr),
      .pwdata         (pwdata),
      .prdata         (board_prdata),
      .pready         (board_pready),
      .pslverr        (board_pslverr),
      .bad_packet     (bad_packet),
      .good_packet    (good_packet),
      .framing_error  (framing_error),
      .dropped_request(dropped_request)
  );

  assign prdata  = paddr[7] ? board_prdata : encoder_prdata;
  assign pready  = paddr[7] ? board_pready : encoder_pready;
  assign pslverr = paddr[7] ? board_pslverr : encoder_pslverr;

  // Status of a heartbeat: bit 1 samples are switched on, bit 2 input was lost since the last one.
  reg lost;
  wire status_told;
  always @(posedge clk) begin
    if (status_told) lost <= 1'b0;
    if (data_overflow || dropped_request) lost <= 1'b1;
    if (rst) lost <= 1'b0;
  end

  wire [13:0] reply_count, sample_count;
  wire [7:0] reply_octets, sample_octets, reply_tdata, sample_tdata;
  wire reply_tvalid, reply_tready, reply_tlast, sample_tvalid, sample_tready, sample_tlast;
  request_handler #(
      .FIRMWARE (FIRMWARE),
      .UNIQUE_ID(UNIQUE_ID)
  ) handler (
      .clk          (clk),
      .rst          (rst),
      .request      (request),
      .request_ready(request_ready),
      .request_id   (request_id),
      .request_count(request_count),
      .request_body (request_body),
      .request_error(request_error),
      .room         ({{16 - ROOM_BITS{1'b0}}, room}),
      .status       ({5'd0, lost, 2'b10}),
      .uptime_ms    (uptime_ms),
      .status_told  (status_told),
      .psel         (psel),
      .penable      (penable),
      .pwrite       (pwrite),
      .paddr        (paddr),
      .pwdata       (pwdata),
      .prdata       (prdata),
      .pready       (pready),
      .pslverr      (pslverr),
      .count        (reply_count),
      .octets       (reply_octets),
      .m_axis_tdata (reply_tdata),
      .m_axis_tvalid(reply_tvalid),
      .m_axis_tready(reply_tready),
      .m_axis_tlast (reply_tlast)
  );

  sample_packer packer (
      .clk          (clk),
      .rst          (rst),
      .s_axis_tdata (code_tdata),
      .s_axis_tvalid(code_tvalid),
      .s_axis_tready(code_tready),
      .s_axis_tlast (code_tlast),
      .count        (sample_count),
      .octets       (sample_octets),
      .m_axis_tdata (sample_tdata),
      .m_axis_tvalid(sample_tvalid),
      .m_axis_tready(sample_tready),
      .m_axis_tlast (sample_tlast)
  );

  // ---- from messages to the line
  wire [SLOT_BITS:0] used;
  wire [7:0] writer_tdata, cobs_tdata;
  wire writer_tvalid, writer_tready, writer_tlast, cobs_tvalid, cobs_tready;
  // The UART takes octets as they come.
  // verilator lint_off UNUSEDSIGNAL
  wire cobs_tlast;
  // verilator lint_on UNUSEDSIGNAL
  packet_writer writer (
      .clk            (clk),
      .rst            (rst),
      .time_us        (time_us),
      .reply_room     (!used[SLOT_BITS]),
      .reply_count    (reply_count),
      .reply_octets   (reply_octets),
      .s_reply_tdata  (reply_tdata),
      .s_reply_tvalid (reply_tvalid),
      .s_reply_tready (reply_tready),
      .s_reply_tlast  (reply_tlast),
      .sample_room    (used < 2),
      .sample_count   (sample_count),
      .sample_octets  (sample_octets),
      .s_sample_tdata (sample_tdata),
      .s_sample_tvalid(sample_tvalid),
      .s_sample_tready(sample_tready),
      .s_sample_tlast (sample_tlast),
      .m_axis_tdata   (writer_tdata),
      .m_axis_tvalid  (writer_tvalid),
      .m_axis_tready  (writer_tready),
      .m_axis_tlast   (writer_tlast)
  );

  cobs_encoder #(
      .PACKETS(PACKETS)
  ) cobs (
      .clk          (clk),
      .rst          (rst),
      .s_axis_tdata (writer_tdata),
      .s_axis_tvalid(writer_tvalid),
      .s_axis_tready(writer_tready),
      .s_axis_tlast (writer_tlast),
      .m_axis_tdata (cobs_tdata),
      .m_axis_tvalid(cobs_tvalid),
      .m_axis_tready(cobs_tready),
      .m_axis_tlast (cobs_tlast),
      .used         (used)
  );

  uart_tx #(
      .CLOCK_HZ(CLOCK_HZ),
      .BAUD    (BAUD)
  ) transmitter (
      .clk          (clk),
      .rst          (rst),
      .s_axis_tdata (cobs_tdata),
      .s_axis_tvalid(cobs_tvalid),
      .s_axis_tready(cobs_tready),
      .tx           (tx)
  );

  // ---- lamps, by the milliseconds of the uptime
  reg [1:0] active, failing;
  reg tick, was_high;
  always @(posedge clk) begin
    was_high <= uptime_ms[6];
    tick <= was_high && !uptime_ms[6];  // each 128 ms
    if (good_packet) active <= 2'd3;
    else if (tick && active != 2'd0) active <= active - 1'b1;
    if (bad_packet || framing_error || dropped_request) failing <= 2'd3;
    else if (tick && failing != 2'd0) failing <= failing - 1'b1;
    if (rst) begin
      active <= 2'd0;
      failing <= 2'd0;
      was_high <= 1'b0;
      tick <= 1'b0;
    end
  end
  assign heartbeat = uptime_ms[9];
  assign activity = active != 2'd0;
  assign error = failing != 2'd0;

endmodule

`default_nettype wire
