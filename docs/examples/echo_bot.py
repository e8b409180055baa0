#!/usr/bin/env python3
"""An echo bot for recado: whatever someone writes to it, it writes back to them.

    python3 echo_bot.py --name Echo [--server HOST:PORT] [any other flag of `recado chat`]

It runs `recado chat --json`, reads a JSON object a line and writes one a line; nothing but Python is needed. A message
counts as received when its echo has been written down (`--ack manual`), so a bot that ends in between, however it ends,
gets the message again at its next start and answers then. The echo's id is not known beforehand, but its `ref` is the
id of the message that it answers: that is how the bot knows, also after a restart, which ones it has answered.
"""

import json
import os
import subprocess
import sys

RECADO = os.environ.get("RECADO", "recado")


def main() -> int:
    chat = subprocess.Popen(
        [RECADO, "chat", "--json", "--ack", "manual", *sys.argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )

    def say(**request: object) -> None:
        chat.stdin.write(json.dumps(request) + "\n")
        chat.stdin.flush()

    for line in chat.stdout:
        event = json.loads(line)
        match event["type"]:
            case "ready":
                print(f"{event['name']} answers on {event['server']}", flush=True)
            case "private" if event["replayed"]:
                # Perhaps it was answered before the last end. What was written last tells; `ref` brings back the message.
                say(type="history", limit=1000, **{"with": event["from"], "ref": event})
            case "private":
                echo(say, event)
            case "messages":
                message = event["ref"]
                answered = {item.get("ref") for item in event["items"]}
                if message["id"] in answered:
                    say(type="ack", id=message["id"])
                else:
                    echo(say, message)
            case "state" if event["state"] == "queued" and "ref" in event:
                # The echo is written down here, and is sent whatever happens now.
                say(type="ack", id=event["ref"])
            case "error" if not event.get("retry"):
                print(f"{event['code']}: {event['message']}", file=sys.stderr, flush=True)
    return chat.wait()


def echo(say, message: dict) -> None:
    say(type="private", to=message["from"], text=message["text"], ref=message["id"])


if __name__ == "__main__":
    sys.exit(main())
