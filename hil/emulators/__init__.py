"""The device's side of the wire protocol around simulated devices, and the encoder board's RTL.

An emulator works in the world's time: the host's messages say what it sees and how far time has gone on, and its
samples come back before the reply. `emulated` makes one, `process` runs it in a process of its own behind a
pseudo-terminal or TCP, `bus` on the virtual USB bus.
"""
