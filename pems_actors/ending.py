"""How a house ends: the signals that ask for it, exit codes, and the report. It is all that `run` knows of the core."""

from __future__ import annotations

import signal

EXIT_MISTAKE, EXIT_UNVERIFIED, EXIT_ESCALATED = 2, 3, 70
REPORT_FILE = "end.json"
ENDING = (signal.SIGTERM, signal.SIGINT)
