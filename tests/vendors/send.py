"""Sends the requests that it reads, one JSON object a line, to a gateway, and counts the responses by scheme and library."""

import base64
import collections
import http.client
import json
import queue
import sys
import threading

THREADS = 8
SHOWN = 2

# The responses to a callback that is stored: Waybill's JSON, and the document that an inbound form wants.
STORED = (b'"success":true', b"<Response")

address = sys.argv[1]
# Few wait, so that the signed time of none is old.
waiting = queue.Queue(maxsize=256)
counts = collections.defaultdict(collections.Counter)
shown = collections.Counter()
lock = threading.Lock()


def send():
    connection = http.client.HTTPConnection(address, timeout=30)
    while (line := waiting.get()) is not None:
        request = json.loads(line)
        body = base64.b64decode(request["body"])
        for attempt in (1, 2):
            try:
                connection.putrequest(request["method"], request["target"], skip_accept_encoding=True)
                for name, value in request["headers"].items():
                    connection.putheader(name, value)
                connection.putheader("Content-Length", str(len(body)))
                connection.endheaders(body)
                response = connection.getresponse()
                answer = response.read()
                break
            except (ConnectionError, http.client.HTTPException):
                # The gateway closes a connection that was idle.
                connection.close()
                if attempt == 2:
                    raise
        with lock:
            label = request["label"]
            is_stored = response.status == 200 and any(text in answer for text in STORED)
            counts[label]["accepted" if is_stored else response.status] += 1
            if not is_stored and shown[label] < SHOWN:
                shown[label] += 1
                print(f"{response.status} {answer.decode()[:200]}: {json.dumps(request)[:4000]}", file=sys.stderr)


threads = [threading.Thread(target=send) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for line in sys.stdin:
    waiting.put(line)
for _ in threads:
    waiting.put(None)
for thread in threads:
    thread.join()
refused = 0
for label, by_status in counts.items():
    others = {status: count for status, count in by_status.items() if status != "accepted"}
    refused += sum(others.values())
    print(f"{label}: {by_status['accepted']} of {sum(by_status.values())} accepted{f', others: {others}' if others else ''}")
sys.exit(1 if refused or not counts else 0)
