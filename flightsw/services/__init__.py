"""Commands, telemetry, events, parameters: what an operator sees of a terminal."""
