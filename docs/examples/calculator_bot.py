#!/usr/bin/env python3
"""A calculator bot for recado: `2 / 3` to it, or `!calc 2 / 3` to everyone, and it answers with the exact result.

    python3 calculator_bot.py --name Calc [--server HOST:PORT] [any other flag of `recado chat`]

It asks the server's HTTPS calculator by `{"type":"calc"}`, over the same trust as the chat. `ref` carries everything
that is needed to answer, so the bot remembers nothing itself.
"""

import json
import os
import subprocess
import sys

RECADO = os.environ.get("RECADO", "recado")
OPERATIONS = {"+": "add", "-": "subtract", "*": "multiply", "/": "divide"}
SIGNS = {operation: sign for sign, operation in OPERATIONS.items()}


def main() -> int:
    chat = subprocess.Popen(
        [RECADO, "chat", "--json", *sys.argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )

    def say(**request: object) -> None:
        chat.stdin.write(json.dumps(request) + "\n")
        chat.stdin.flush()

    def answer(to: str | None, text: str) -> None:
        if to is None:
            say(type="global", text=text)
        else:
            say(type="private", to=to, text=text)

    def ask(to: str | None, words: list[str]) -> None:
        match words:
            case [x, sign, y] if sign in OPERATIONS:
                say(type="calc", operation=OPERATIONS[sign], x=x, y=y, ref={"to": to})
            case _:
                answer(to, "Write a number, one of + - * / and a number, with spaces between: 2 / 3")

    for line in chat.stdout:
        event = json.loads(line)
        match event["type"]:
            case "ready":
                print(f"{event['name']} calculates on {event['server']}", flush=True)
            case "private":
                ask(event["from"], event["text"].split())
            case "global" if not event["replayed"] and event["text"].startswith("!calc "):
                ask(None, event["text"].split()[1:])
            case "result":
                sign = SIGNS[event["operation"]]
                exact = event["result"] if event["exact"] else event.get("fraction", event["result"])
                answer(event["ref"]["to"], f"{event['x']} {sign} {event['y']} = {exact}")
            case "error" if isinstance(event.get("ref"), dict):
                # The calculation was refused: the message says why.
                answer(event["ref"]["to"], event["message"])
            case "error" if not event.get("retry"):
                print(f"{event['code']}: {event['message']}", file=sys.stderr, flush=True)
    return chat.wait()


if __name__ == "__main__":
    sys.exit(main())
