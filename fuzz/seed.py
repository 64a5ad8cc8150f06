"""Writes the seeds of a fuzz target to seeds/<target>/, from the recorded callbacks and the published vectors."""

import hashlib
import pathlib
import sys
import tomllib

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parent
TARGET = sys.argv[1]
# The providers and their schemes in the order of the registry, as src/lib.rs counts them.
SCHEMES = {
    "conversation": ["body-sha256", "url-token"],
    "mifumo": ["body-sha256", "url-token"],
    "resend": ["svix", "body-sha256"],
    "signalwire": ["url-body-sha1", "url-body-sha256", "request", "basic", "url-secret", "url-token", "ip"],
    "twilio": ["request", "body-sha256"],
    "vonage": ["sms", "jwt", "md5-plain", "url-token"],
}


def line(provider, scheme, content_type, query):
    kind = "f" if "form-urlencoded" in content_type else "j" if "json" in content_type else "t" if content_type else "-"
    place = list(SCHEMES).index(provider)
    order = SCHEMES[provider].index(scheme) if scheme in SCHEMES[provider] else 0
    return bytes([place, order]) + kind.encode() + query.encode() + b"\n"


def callbacks():
    """Each recorded callback: its provider, its request and its body."""
    for file in sorted((ROOT / "fixtures").glob("*/*/request.toml")):
        yield file.parent.parent.name, tomllib.loads(file.read_text()), (file.parent / "body").read_bytes()


def described():
    for provider, request, body in callbacks():
        content_type = request.get("headers", {}).get("Content-Type", "")
        yield line(provider, request.get("sign", ""), content_type, request.get("query", "")) + body


def signed():
    """Requests with headers: those that were recorded with a signature, and the vectors."""
    for provider, request, body in callbacks():
        headers = "".join(f"{name}: {value}\n" for name, value in request.get("headers", {}).items())
        yield line(provider, "", "", request.get("query", "")) + headers.encode() + b"\n" + body
    for file in sorted((ROOT / "fixtures").glob("*/vectors.toml")):
        for vector in tomllib.loads(file.read_text())["vector"]:
            headers = "".join(f"{name}: {value}\n" for name, value in vector["headers"].items())
            query = vector.get("target", "").partition("?")[2]
            yield line(file.parent.name, vector.get("scheme", ""), "", query) + headers.encode() + b"\n" + vector["body"].encode()


def heads():
    head = (
        '{"v":1,"service_type":"twilio","account":"default","key":"00112233445566778899aabbccddeeff","verified_by":"request:0",'
        '"method":"POST","url":"/webhooks/twilio?a=b","headers":"{\\"content-type\\":\\"application/json\\"}",'
        '"received_at":1794000000000000,"answer":200,"is_quarantined":false}'
    )
    yield from (head.encode(), head.replace('"v":1', '"v":2').encode(), b"{}", head.replace("default", "\\u00e9").encode())


def configurations():
    example = (ROOT / ".env.example").read_text().splitlines()
    assigned = [entry.lstrip("# ") for entry in example if "=" in entry and entry.lstrip("# ").split("=")[0].isupper()]
    yield "\n".join(assigned).encode()
    yield from (entry.encode() for entry in assigned)
    secret = "canary7f3a" + "0" * 24
    yield from (f"{entry.partition('=')[0]}={secret}".encode() for entry in assigned)
    for url in [
        "postgres://user:canary7f3a@db.example/waybill?sslmode=require", "postgres://u@/db?host=/run/postgresql", "sqlite://x.db",
        "postgresql://a:1,b:2/db?target_session_attrs=any&sslmode=verify-full", "postgres://[::1]:5432/db?service=x", "postgres://%41@%2Frun/x",
    ]:
        yield f"DATABASE_URL={url}".encode()


def addresses():
    yield from (
        text.encode()
        for text in [
            "203.0.113.7, 10.0.0.1", "for=203.0.113.7;proto=https, for=\"[2001:db8::7]:4711\"", "unknown", "_hidden", "::ffff:203.0.113.7",
            "https://hooks.example.com", "https://user:pass@Hooks.Example.com:8443/in/", "http://[2001:db8::7]:8080", "https://m\u00fcller.example.",
            "203.0.113.0/24", "2001:db8::/32", "for=\"a\\\"b\", for=1.2.3.4:99",
        ]
    )


SOURCES = {
    "addresses": addresses,
    "binding": lambda: (hashlib.sha256(entry).digest()[:8] + entry for entry in described()),
    "configuration": configurations,
    "parsers": described,
    "providers": described,
    "queue_head": heads,
    "signatures": signed,
}
folder = HERE / "seeds" / TARGET
folder.mkdir(parents=True, exist_ok=True)
(HERE / "corpus" / TARGET).mkdir(parents=True, exist_ok=True)
for entry in SOURCES[TARGET]():
    (folder / hashlib.sha256(entry).hexdigest()[:16]).write_bytes(entry)
