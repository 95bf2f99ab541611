"""Prints the alerts that Alertmanager sends: a webhook to try the stand with, and to put your own in place of.

python monitoring/receiver.py --port 8080
"""

import argparse
import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


def line(alert: dict[str, Any]) -> str:
    """`firing ImageDrift (1h): what it means. what to do [command] (runbook entry)`."""
    labels, says = alert["labels"], alert["annotations"]
    window = f" ({labels['window']})" if "window" in labels else ""
    message = " ".join(str(says.get(part, "")) for part in ("summary", "action"))
    command = f" [{says['command']}]" if "command" in says else ""
    runbook = says.get("runbook_url") or says.get("runbook", "no runbook")
    return f"{alert['status']} {labels['alertname']}{window}: {' '.join(message.split())}{command} ({runbook})"


class Receiver(BaseHTTPRequestHandler):
    """Answers each message with 200, or 400 where it is none of Alertmanager's."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            lines = [line(alert) for alert in json.loads(body)["alerts"]]
        except (ValueError, KeyError, TypeError):
            self.send_error(HTTPStatus.BAD_REQUEST, "no message of Alertmanager's")
            return
        print(*lines, sep="\n", flush=True)
        self.send_response(HTTPStatus.OK)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the alerts are the log."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    asked = parser.parse_args()
    ThreadingHTTPServer((asked.host, asked.port), Receiver).serve_forever()


main()
