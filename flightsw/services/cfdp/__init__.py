"""Files by the CCSDS file delivery protocol, 727.0-B-5: classes 1 and 2, no threads, sockets or wall clock."""
