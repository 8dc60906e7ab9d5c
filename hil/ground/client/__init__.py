"""`beamlock ground`, the operator's client: sessions with spacecraft, telecommands by line of text, telemetry to watch.

```
 terminal --> console --> session --> contact --> station --> line --> a spacecraft's port
                |                       |
                +-- telecommand         +-- archive (values, events), verification (telecommands), files
```
"""
