// Body that every proof of a streaming module begins with: a free source and sink, the rules of both streams, the followed
// octet, and progress. The module gives S_LANES, M_LANES, PUSH, BITS and LIMIT, has the inputs clk, rst, s_tdata,
// s_tkeep, s_tvalid, s_tlast and m_tready, and drives push, push_octets and push_last (what enters) and due (true
// where a beat must come out within LIMIT cycles if the sink takes it).

  wire s_tready, m_tvalid, m_tlast;
  wire [8*M_LANES-1:0] m_tdata;
  wire [M_LANES-1:0] m_tkeep;

  initial assume (rst);

  stream_rules #(
      .LANES  (S_LANES),
      .ASSUMED(1)
  ) source (
      .clk   (clk),
      .rst   (rst),
      .tdata (s_tdata),
      .tkeep (s_tkeep),
      .tvalid(s_tvalid),
      .tready(s_tready),
      .tlast (s_tlast)
  );

  stream_rules #(
      .LANES(M_LANES)
  ) sink (
      .clk   (clk),
      .rst   (rst),
      .tdata (m_tdata),
      .tkeep (m_tkeep),
      .tvalid(m_tvalid),
      .tready(m_tready),
      .tlast (m_tlast)
  );

  // Octets of the beat that enters.
  wire s_beat = s_tvalid && s_tready;
  reg [BITS-1:0] s_octets;
  integer s_lane;
  always @(*) begin
    s_octets = 0;
    for (s_lane = 0; s_lane < S_LANES; s_lane = s_lane + 1) s_octets = s_octets + (s_beat && s_tkeep[s_lane]);
  end

  wire [BITS-1:0] push;
  wire [8*PUSH-1:0] push_octets;
  wire push_last;
  wire tracking, last;
  wire [BITS-1:0] inside, ahead;
  wire [7:0] octet;

  octet_tracker #(
      .PUSH(PUSH),
      .POP (M_LANES),
      .BITS(BITS)
  ) tracker (
      .clk        (clk),
      .rst        (rst),
      .push       (push),
      .push_octets(push_octets),
      .push_last  (push_last),
      .pop        (m_tvalid && m_tready),
      .pop_octets (m_tdata),
      .pop_keep   (m_tkeep),
      .pop_last   (m_tlast),
      .inside     (inside),
      .tracking   (tracking),
      .ahead      (ahead),
      .octet      (octet),
      .last       (last)
  );

  wire due;
  progress #(
      .LIMIT(LIMIT)
  ) live (
      .clk   (clk),
      .rst   (rst),
      .due   (m_tready && due),
      .tvalid(m_tvalid)
  );
