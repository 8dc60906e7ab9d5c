"""The host's side of each device: what the engine and the flight software ask of it, over a `hil.link.DeviceLink`.

| module | devices |
| --- | --- |
| `attachment` | any: in service, or lost and asked for again |
| `pointing` | `quad_cell`, `steering_mirror`, a sample at a time |
| `fine_loop` | `fine_loop`, a turn of samples at a time |
| `terminal` | `gimbal`, `camera`, `laser`, `point_ahead`, once a frame |
| `encoder` | `encoder`, a transfer frame at a time |

An emulator works in the world's time: it is shown what it sees, and answers with the samples that come of it. Hardware
works in its own: its samples stream in, and the newest holds.
"""
