"""Signs random callbacks with the vendors' libraries for Python, and writes each as a JSON object on a line of its own."""

import base64
import hashlib
import hmac
import importlib.metadata
import json
import os
import random
import sys
import time
import urllib.parse
from datetime import datetime, timezone

COUNT, SECRET, SVIX = int(os.environ["VENDORS_COUNT"]), os.environ["SECRET"], os.environ["SVIX"]
ORIGIN = "https://hooks.example.com"
FORM = "application/x-www-form-urlencoded"
chance = random.Random(int(os.environ["VENDORS_SEED"]))
ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    "&=+%?#/;:,.!'\"\\<>{}[]()@$*~^|`_- ",
    "äöüßéèçñøåÆ", "e\u0301a\u0308\u200d\u202e\ufeff", "Привет мир", "مرحبا", "שלום", "你好世界", "ｆｕｌｌ", "😀🏳️‍🌈👩‍👩‍👧", "\t\n\r",
]


def text():
    kind = chance.random()
    if kind < 0.1:
        return ""
    if kind < 0.2:
        return chance.choice([" ", "  x  ", "a&b=c", "%41%zz", "a+b", "null", "0", "-1.50", "To", "MessageSid", "http://x.example/?a=b&c=%20"])
    length = chance.randrange(4000) if kind > 0.98 else chance.randrange(60)
    return "".join(chance.choice(chance.choice(ALPHABETS)) for _ in range(length))


def word():
    return "".join(chance.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") for _ in range(1 + chance.randrange(12)))


def digits(count):
    return "".join(chance.choice("0123456789abcdef") for _ in range(count))


def number():
    return "+1555" + "".join(chance.choice("0123456789") for _ in range(7))


def query():
    pairs = [(word(), text()[:60]) for _ in range(chance.randrange(4))]
    encode = chance.choice([urllib.parse.quote, urllib.parse.quote_plus])
    return "?" + "&".join(f"{name}={encode(value)}" for name, value in pairs) if pairs else ""


def form(more=True):
    """The pairs of a status or an inbound message, some of them twice, and names that the vendor may add."""
    sid = "SM" + digits(32)
    pairs = [("AccountSid", "AC" + digits(32)), ("MessageSid", sid), ("From", number()), ("To", number()), ("ApiVersion", "2010-04-01")]
    if chance.random() < 0.5:
        pairs += [("MessageStatus", chance.choice(["sent", "delivered", "failed", "undelivered", "read"])), ("ErrorCode", chance.choice(["", "30003"]))]
    else:
        pairs += [("Body", text()), ("NumMedia", "0"), ("NumSegments", "1"), ("SmsStatus", "received"), ("FromCity", text()[:40])]
    if more:
        # A name that occurs with several values is a list of the vendor's own.
        pairs += [(f"X{word()}", text()) for _ in range(chance.randrange(4))]
        name = f"Y{word()}"
        pairs += [(name, text()[:40]) for _ in range(chance.randrange(4))]
    chance.shuffle(pairs)
    return pairs


def document():
    return json.dumps({"id": digits(32), "type": word(), "text": text(), "list": [text(), chance.random(), None], word(): text()}, ensure_ascii=chance.random() < 0.5)


def version(package):
    return f"{package} {importlib.metadata.version(package)}"


def write(label, target, headers, body, method="POST"):
    if isinstance(body, str):
        body = body.encode("utf-8")
    encoded = base64.b64encode(body).decode()
    print(json.dumps({"label": label, "method": method, "target": target, "headers": headers, "body": encoded}), flush=True)


class Pairs(list):
    """The interface of a multi-dictionary that Twilio's library reads."""

    def __iter__(self):
        return iter([name for name, _ in list.__iter__(self)])

    def getall(self, wanted):
        return [value for name, value in list.__iter__(self) if name == wanted]


def twilio():
    from twilio.request_validator import RequestValidator

    validator, library = RequestValidator(SECRET), version("twilio")
    for _ in range(COUNT):
        target, pairs = "/webhooks/twilio" + query(), form()
        signature = validator.compute_signature(ORIGIN + target, Pairs(pairs))
        write(f"Twilio request, form: {library}", target, {"Content-Type": FORM, "X-Twilio-Signature": signature}, urllib.parse.urlencode(pairs))
    for _ in range(COUNT):
        target, pairs = "/webhooks/twilio" + query(), form()
        headers = {
            "Content-Type": FORM,
            "X-Twilio-Signature": validator.compute_signature(ORIGIN + target, Pairs(pairs), "HMAC_SHA256"),
            "X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_01,algorithm=HMAC_SHA256",
        }
        write(f"Twilio request, shared key: {library}", target, headers, urllib.parse.urlencode(pairs))
    for _ in range(COUNT):
        body, asked = document(), query()
        target = f"/webhooks/twilio{asked}{'&' if asked else '?'}bodySHA256={hashlib.sha256(body.encode()).hexdigest()}"
        signature = validator.compute_signature(ORIGIN + target, {})
        assert validator.validate(ORIGIN + target, body, signature)
        write(f"Twilio request, JSON: {library}", target, {"Content-Type": "application/json", "X-Twilio-Signature": signature}, body)


def svix():
    import standardwebhooks
    import svix.webhooks

    for package, webhook, family in [
        ("svix", svix.webhooks.Webhook(SVIX), "svix"),
        ("standardwebhooks", standardwebhooks.Webhook(SVIX), "webhook"),
    ]:
        for _ in range(COUNT):
            body, now, identity = document(), datetime.now(tz=timezone.utc), f"msg_{digits(24)}"
            headers = {
                "Content-Type": "application/json",
                f"{family}-id": identity,
                f"{family}-timestamp": str(int(now.timestamp())),
                f"{family}-signature": webhook.sign(identity, now, body),
            }
            write(f"Resend svix: {version(package)}", "/webhooks/resend", headers, body)


def signalwire():
    from signalwire.core.security import webhook_validator as library

    name = version("signalwire-sdk")
    for _ in range(COUNT):
        target, pairs = "/webhooks/signalwire" + query(), form()
        body = urllib.parse.urlencode(pairs)
        signature = library._b64_hmac_sha1(SECRET, ORIGIN + target + library._sorted_concat_params(pairs))
        assert library.validate_webhook_signature(SECRET, signature, ORIGIN + target, body)
        write(f"SignalWire request: {name}", target, {"Content-Type": FORM, "X-SignalWire-Signature": signature}, body)
    for scheme, header, sign, validate in [
        ("url-body-sha1", "X-SignalWire-Signature", library._hex_hmac_sha1, library.validate_webhook_signature),
        ("url-body-sha256", "X-SignalWire-Sha256-Signature", library._hex_hmac_sha256, library.validate_webhook_signature_sha256),
    ]:
        for _ in range(COUNT):
            target, body = "/webhooks/signalwire" + query(), document()
            signature = sign(SECRET, ORIGIN + target + body)
            assert validate(SECRET, signature, ORIGIN + target, body)
            write(f"SignalWire {scheme}: {name}", target, {"Content-Type": "application/json", header: signature}, body)


def guides():
    for provider in ["mifumo", "conversation"]:
        for _ in range(COUNT):
            body = document().encode()
            signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
            headers = {"Content-Type": "application/json", "X-Webhook-Signature": chance.choice(["", "sha256="]) + signature}
            write(f"{provider} body-sha256: Python's hmac", f"/webhooks/{provider}", headers, body)


def receipt():
    """A delivery receipt or an inbound message of the SMS API."""
    params = {"msisdn": number()[1:], "to": number()[1:], "messageId": digits(16), "api-key": "abcd1234", "timestamp": str(int(time.time()))}
    if chance.random() < 0.5:
        params |= {"status": chance.choice(["delivered", "failed", "buffered"]), "err-code": "0", "scts": "2611281200", "price": "0.0333"}
    else:
        params |= {"text": text(), "type": "text", "keyword": text()[:10], "message-timestamp": "2026-11-28 12:00:00"}
    # The library signs a name and its value as they are, and no name of the vendor has a delimiter.
    return params | {word(): text() for _ in range(chance.randrange(4))}


def vonage():
    import jwt
    from vonage_http_client.auth import Auth
    from vonage_jwt import verify_signature

    library = version("vonage-http-client")
    for method in ["md5", "sha1", "sha256", "sha512"]:
        auth = Auth(api_key="abcd1234", signature_secret=SECRET, signature_method=method)
        for _ in range(COUNT):
            params, target = receipt(), f"/webhooks/vonage/{method}"
            params["sig"] = auth.sign_params(dict(params))
            assert auth.check_signature(dict(params))
            body, label = urllib.parse.urlencode(params), f"Vonage sms, {method}: {library}"
            way = chance.randrange(3)
            if way == 0 and len(body) < 4000:
                write(label, f"{target}?{body}", {}, b"", method="GET")
            elif way == 1:
                write(label, target, {"Content-Type": "application/json"}, json.dumps(params, ensure_ascii=chance.random() < 0.5))
            else:
                write(label, target, {"Content-Type": FORM}, body)
    for _ in range(COUNT):
        body = json.dumps({"message_uuid": digits(32), "status": "delivered", "channel": "sms", "text": text(), word(): text()}, ensure_ascii=False)
        claims = {"iat": int(time.time()), "jti": digits(32), "iss": "Vonage", "payload_hash": hashlib.sha256(body.encode()).hexdigest(), "api_key": "abcd1234"}
        token = jwt.encode(claims, SECRET, algorithm="HS256")
        token = token if isinstance(token, str) else token.decode()
        assert verify_signature(token, SECRET)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        write(f"Vonage jwt: {version('vonage-jwt')}, {version('PyJWT')}", "/webhooks/vonage/sha256", headers, body)


for signer in sys.argv[1:]:
    globals()[signer]()
