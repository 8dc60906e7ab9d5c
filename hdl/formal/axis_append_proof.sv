// axis_append: frames of a right, a wrong and any length, enabled or not. Every octet comes out, once and in order, followed
// by the check, inverted after a wrong length; what is offered is held, and offered after four cycles; length_error
// tells of every frame of a wrong length.
module axis_append_proof #(
    parameter S_LANES      = 1,
    parameter M_LANES      = S_LANES,
    parameter FRAME_OCTETS = 3
) (
    input wire                 clk,
    input wire                 rst,
    input wire [8*S_LANES-1:0] s_tdata,
    input wire [  S_LANES-1:0] s_tkeep,
    input wire                 s_tvalid,
    input wire                 s_tlast,
    input wire                 m_tready,
    input wire                 enable
);

  localparam [15:0] CHECK = 16'hB7C3;
  localparam PUSH = FRAME_OCTETS + 2 > S_LANES ? FRAME_OCTETS + 2 : S_LANES;
  localparam BITS = 6;
  localparam LIMIT = 4;
  `include "stream_proof.vh"

  reg in_frame, enabled, dropping, expect_error;
  reg [3:0] count;  // octets of the frame so far
  wire appends = in_frame ? enabled : enable;

  reg [3:0] free, taken;
  reg [8*PUSH-1:0] frame;
  reg ends, wrong;
  integer n;
  always @(*) begin
    free = FRAME_OCTETS - (in_frame ? count : 4'd0);
    taken = s_octets < free ? s_octets : free;
    ends = taken == free || s_tlast;
    wrong = ends && !(taken == free && s_tlast && s_octets == free);
    frame = 0;
    for (n = 0; n < S_LANES; n = n + 1) if (n < taken) frame[8*n+:8] = s_tdata[8*n+:8];
    for (n = 0; n < FRAME_OCTETS + 1; n = n + 1) begin
      if (ends && n == free) frame[8*n+:16] = {CHECK[7:0], CHECK[15:8]} ^ {16{wrong}};
    end
  end

  always @(posedge clk) begin
    expect_error <= s_beat && appends && !dropping && wrong;
    if (s_beat) begin
      enabled  <= appends;
      in_frame <= !s_tlast;
      count    <= (in_frame ? count : 4'd0) + taken;
      dropping <= appends && !s_tlast && (dropping || ends);
    end
    if (rst) begin
      in_frame <= 1'b0;
      dropping <= 1'b0;
      expect_error <= 1'b0;
    end
  end

  assign push = !s_beat || dropping ? 0 : !appends ? s_octets : ends ? free + 2 : taken;
  assign push_octets = appends ? frame : s_tdata;
  assign push_last = appends ? ends : s_tlast;
  assign due = inside != 0 || (s_tvalid && !dropping);

  // A check register for which all frames have the same check: what it holds moves up while the check leaves.
  wire advance, shift;
  reg [15:0] register;
  always @(posedge clk) begin
    if (advance) register <= shift ? register << (8 * S_LANES) : CHECK;
    if (rst) register <= CHECK;
  end
  wire [16*S_LANES+15:0] wide = {register, {16 * S_LANES{1'b0}}};

  wire length_error;
  axis_append #(
      .DATA_WIDTH(8 * S_LANES),
      .FRAME_OCTETS(FRAME_OCTETS),
      .CHECK_OCTETS(2)
  ) dut (
      .clk          (clk),
      .rst          (rst),
      .enable       (enable),
      .length_error (length_error),
      .advance      (advance),
      .octets       (),
      .load         (),
      .first        (),
      .last         (),
      .shift        (shift),
      .check        (wide[16*S_LANES+15-:16*S_LANES-8]),
      .s_axis_tdata (s_tdata),
      .s_axis_tkeep (s_tkeep),
      .s_axis_tvalid(s_tvalid),
      .s_axis_tready(s_tready),
      .s_axis_tlast (s_tlast),
      .m_axis_tdata (m_tdata),
      .m_axis_tkeep (m_tkeep),
      .m_axis_tvalid(m_tvalid),
      .m_axis_tready(m_tready),
      .m_axis_tlast (m_tlast)
  );

  // ---- invariants: where every octet that is inside has its place
  localparam DATA_BEATS = (FRAME_OCTETS + S_LANES - 1) / S_LANES;
  localparam OCTETS = FRAME_OCTETS + 2;
  localparam BEATS = (OCTETS + S_LANES - 1) / S_LANES;
  localparam COUNT_BITS = $clog2(BEATS + 1);
  (* hierconn *) wire \dut.in_data ;
  (* hierconn *) wire \dut.last_data ;
  (* hierconn *) wire \dut.last_beat ;
  (* hierconn *) wire \dut.in_frame ;
  (* hierconn *) wire \dut.enabled ;
  (* hierconn *) wire \dut.filling ;
  (* hierconn *) wire \dut.dropping ;
  (* hierconn *) wire \dut.wrong_length ;
  (* hierconn *) wire [COUNT_BITS-1:0] \dut.count ;
  (* hierconn *) wire \dut.a_valid ;
  (* hierconn *) wire \dut.a_last ;
  (* hierconn *) wire \dut.a_merge ;
  (* hierconn *) wire \dut.a_check ;
  (* hierconn *) wire [S_LANES-1:0] \dut.a_keep ;
  (* hierconn *) wire [8*S_LANES-1:0] \dut.a_line ;
  (* hierconn *) wire \dut.b_valid ;
  (* hierconn *) wire \dut.b_last ;
  (* hierconn *) wire \dut.b_merge ;
  (* hierconn *) wire \dut.b_check ;
  (* hierconn *) wire [S_LANES-1:0] \dut.b_keep ;
  (* hierconn *) wire [8*S_LANES-1:0] \dut.b_line ;
  (* hierconn *) wire \dut.c_valid ;
  (* hierconn *) wire \dut.c_last ;
  (* hierconn *) wire \dut.c_merge ;
  (* hierconn *) wire \dut.c_check ;
  (* hierconn *) wire [S_LANES-1:0] \dut.c_keep ;
  (* hierconn *) wire [8*S_LANES-1:0] \dut.c_line ;
  (* hierconn *) wire \dut.b_wrong ;
  (* hierconn *) wire \dut.c_wrong ;
  (* hierconn *) wire [8*S_LANES-1:0] \dut.out.spare_tdata ;
  (* hierconn *) wire [S_LANES-1:0] \dut.out.spare_tkeep ;
  (* hierconn *) wire \dut.out.spare_tlast ;

  // How often the check register has moved up in a row.
  reg [1:0] moves;
  always @(posedge clk) begin
    if (advance) moves <= !shift ? 2'd0 : moves == 2'd3 ? 2'd3 : moves + 1'b1;
    if (rst) moves <= 2'd0;
  end

  wire [BITS-1:0] after_offer, after_spare, after_c, after_b, after_a;
  octet_place #(
      .LANES(S_LANES),
      .BITS (BITS)
  ) offer (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  ({BITS{1'b0}}),
      .valid   (m_tvalid),
      .data    (m_tdata),
      .keep    (m_tkeep),
      .ends    (m_tlast),
      .after   (after_offer)
  );
  octet_place #(
      .LANES(S_LANES),
      .BITS (BITS)
  ) spare (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  (after_offer),
      .valid   (!advance),
      .data    (\dut.out.spare_tdata ),
      .keep    (\dut.out.spare_tkeep ),
      .ends    (\dut.out.spare_tlast ),
      .after   (after_spare)
  );
  wire [8*S_LANES-1:0] c_octets;
  append_stage #(
      .LANES       (S_LANES),
      .FRAME_OCTETS(FRAME_OCTETS),
      .CHECK       (CHECK)
  ) c_stage (
      .rst   (rst),
      .valid (\dut.c_valid ),
      .last  (\dut.c_last ),
      .merge (\dut.c_merge ),
      .check (\dut.c_check ),
      .keep  (\dut.c_keep ),
      .line  (\dut.c_line ),
      .wrong (\dut.c_wrong ),
      .octets(c_octets)
  );
  octet_place #(
      .LANES(S_LANES),
      .BITS (BITS)
  ) in_c (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  (after_spare),
      .valid   (\dut.c_valid ),
      .data    (c_octets),
      .keep    (\dut.c_keep ),
      .ends    (\dut.c_last ),
      .after   (after_c)
  );
  wire [8*S_LANES-1:0] b_octets;
  append_stage #(
      .LANES       (S_LANES),
      .FRAME_OCTETS(FRAME_OCTETS),
      .CHECK       (CHECK)
  ) b_stage (
      .rst   (rst),
      .valid (\dut.b_valid ),
      .last  (\dut.b_last ),
      .merge (\dut.b_merge ),
      .check (\dut.b_check ),
      .keep  (\dut.b_keep ),
      .line  (\dut.b_line ),
      .wrong (\dut.b_wrong ),
      .octets(b_octets)
  );
  octet_place #(
      .LANES(S_LANES),
      .BITS (BITS)
  ) in_b (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  (after_c),
      .valid   (\dut.b_valid ),
      .data    (b_octets),
      .keep    (\dut.b_keep ),
      .ends    (\dut.b_last ),
      .after   (after_b)
  );
  wire [8*S_LANES-1:0] a_octets;
  append_stage #(
      .LANES       (S_LANES),
      .FRAME_OCTETS(FRAME_OCTETS),
      .CHECK       (CHECK)
  ) a_stage (
      .rst   (rst),
      .valid (\dut.a_valid ),
      .last  (\dut.a_last ),
      .merge (\dut.a_merge ),
      .check (\dut.a_check ),
      .keep  (\dut.a_keep ),
      .line  (\dut.a_line ),
      .wrong (\dut.wrong_length ),
      .octets(a_octets)
  );
  octet_place #(
      .LANES(S_LANES),
      .BITS (BITS)
  ) in_a (
      .rst     (rst),
      .tracking(tracking),
      .ahead   (ahead),
      .octet   (octet),
      .last    (last),
      .before  (after_b),
      .valid   (\dut.a_valid ),
      .data    (a_octets),
      .keep    (\dut.a_keep ),
      .ends    (\dut.a_last ),
      .after   (after_a)
  );

  // What is still to be loaded of a frame that has ended: zeros of one too short, then the check.
  wire closing = \dut.in_frame && \dut.enabled && (\dut.filling || !\dut.in_data );
  wire [BITS-1:0] index = S_LANES * \dut.count + ahead - after_a;
  wire [15:0] check_sent = CHECK ^ {16{\dut.wrong_length }};

  // The check follows the last beat of data at once.
  wire a_second = \dut.a_check && BEATS - DATA_BEATS == 2 && \dut.a_last ;
  wire b_second = \dut.b_check && BEATS - DATA_BEATS == 2 && \dut.b_last ;
  wire c_second = \dut.c_check && BEATS - DATA_BEATS == 2 && \dut.c_last ;

  always @(*) begin
    if (!rst) begin
      assert (inside == after_a + (closing ? OCTETS - S_LANES * \dut.count : 0));
      if (tracking && ahead >= after_a) begin
        assert (octet == (index < FRAME_OCTETS ? 8'h00 : index == FRAME_OCTETS ? check_sent[15:8] : check_sent[7:0]));
        assert (last == (index == OCTETS - 1));
      end

      assert (advance || m_tvalid);
      if (!advance) assert (\dut.out.spare_tlast || &\dut.out.spare_tkeep );

      assert (\dut.count < BEATS);
      assert (\dut.in_data == (\dut.count < DATA_BEATS));
      assert (\dut.last_data == (\dut.count == DATA_BEATS - 1));
      assert (\dut.last_beat == (\dut.count == BEATS - 1));
      assert ((\dut.in_frame && \dut.enabled ) == (\dut.count != 0));
      if (\dut.filling ) assert (\dut.count != 0 && \dut.in_data && \dut.wrong_length );
      if (\dut.count != 0 && \dut.in_data && !\dut.filling ) assert (!\dut.wrong_length );

      assert (\dut.dropping == dropping);
      if (dropping) begin
        assert (in_frame && enabled && !\dut.filling );
        assert (\dut.in_frame == !\dut.in_data && (closing || \dut.count == 0));
      end else if (in_frame) begin
        assert (\dut.in_frame && \dut.enabled == enabled && !closing);
        if (enabled) assert (S_LANES * \dut.count == count);
      end else begin
        assert (!\dut.in_frame || closing);
      end

      if (\dut.a_check && \dut.a_valid ) assert (\dut.b_valid && (a_second ? \dut.b_check && !b_second : \dut.b_merge ));
      if (\dut.b_check && \dut.b_valid ) assert (\dut.c_valid && (b_second ? \dut.c_check && !c_second : \dut.c_merge ));
      if (\dut.count != 0 && \dut.in_data ) assert (!\dut.a_check );
      if (!\dut.in_data ) begin
        assert (\dut.a_valid && (\dut.count == DATA_BEATS ? \dut.a_merge : \dut.a_check && !a_second));
      end
      if (\dut.a_valid && \dut.a_merge ) assert (!\dut.b_check );
      if (\dut.b_valid && \dut.b_merge ) assert (!\dut.c_check );
      assert (register == CHECK << (8 * S_LANES * moves));
      if (\dut.c_valid && (\dut.c_merge || \dut.c_check )) assert (moves == c_second);

      assert (length_error == expect_error);
      cover (length_error && tracking);
    end
  end

endmodule

// A beat on its way through axis_append: the octets that it is going to bring, the first in the low bits.
module append_stage #(
    parameter        LANES        = 1,
    parameter        FRAME_OCTETS = 3,
    parameter [15:0] CHECK        = 16'h0000
) (
    input  wire               rst,
    input  wire               valid,
    input  wire               last,
    input  wire               merge,   // the last beat of data
    input  wire               check,
    input  wire [  LANES-1:0] keep,
    input  wire [8*LANES-1:0] line,    // in the order of the line
    input  wire               wrong,
    output reg  [8*LANES-1:0] octets
);

  localparam DATA_BEATS = (FRAME_OCTETS + LANES - 1) / LANES;
  localparam BEATS = (FRAME_OCTETS + 2 + LANES - 1) / LANES;
  localparam [LANES-1:0] LAST_KEEP = {LANES{1'b1}} >> (BEATS * LANES - FRAME_OCTETS - 2);

  wire [15:0] sent = CHECK ^ {16{wrong}};
  wire [7:0] beat = check ? (last ? BEATS - 1 : DATA_BEATS) : DATA_BEATS - 1;
  integer n;
  always @(*) begin
    for (n = 0; n < LANES; n = n + 1) begin
      octets[8*n+:8] = line[8*(LANES-1-n)+:8];
      if (check || merge) begin
        if (beat * LANES + n == FRAME_OCTETS) octets[8*n+:8] = sent[15:8];
        if (beat * LANES + n == FRAME_OCTETS + 1) octets[8*n+:8] = sent[7:0];
      end
    end
  end

  always @(*) begin
    if (!rst && valid) begin
      assert (!(check && merge));
      assert (last || &keep);
      if (check) assert (BEATS != DATA_BEATS && (last || BEATS - DATA_BEATS == 2));
      if (merge) assert (last == (BEATS == DATA_BEATS));
      if (check || merge) assert (!last || keep == LAST_KEEP);
    end
  end

endmodule
