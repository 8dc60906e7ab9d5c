"""Space Data Link Security, CCSDS 355.0-B-2: frames that are authentic, fresh and, with AES-GCM, secret."""
