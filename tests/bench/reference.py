"""The floor: the bare protocol on one connection, one step after the other, and nothing else.

reference.py TRANSPORT DIRECTORY CA_BUNDLE WEBROOT ACCOUNT NAMES... prints the milliseconds and the requests of each
certificate, and the peak of the memory. TRANSPORT: requests or curl (the system's libcurl). ACCOUNT: the file with key
and URL of the account, made where it is not there. NAMES: the names of one certificate, joined by commas.
"""

import base64
import hashlib
import json
import sys
import time
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

transport, directory_url, ca_bundle, webroot, account_file, *certificates = sys.argv[1:]
state = {"nonce": None, "kid": None, "requests": 0}
POLL_SECONDS = 0.005


def sender():
    """Returns send(method, url, data) -> (status, headers with small names, body)."""
    if transport == "curl":
        from libcurl import Connection  # beside this script

        return Connection(ca_bundle).send
    import requests

    session = requests.Session()
    session.trust_env = False
    session.verify = ca_bundle

    def send(method, url, data):
        kind = {"Content-Type": "application/jose+json"} if data else {}
        reply = session.request(method, url, data=data, headers=kind)
        return reply.status_code, {name.lower(): value for name, value in reply.headers.items()}, reply.content

    return send


def b64(data):
    data = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def call(method, url, data=None):
    status, headers, body = send(method, url, data)
    state["nonce"] = headers.get("replay-nonce", state["nonce"])
    state["requests"] += 1
    return status, headers, body


def post(url, payload):
    who = {"kid": state["kid"]} if state["kid"] else {"jwk": jwk}
    head = b64({"alg": "ES256", "nonce": state["nonce"], "url": url, **who})
    body = "" if payload is None else b64(payload)
    r, s = utils.decode_dss_signature(key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
    signature = b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    data = json.dumps({"protected": head, "payload": body, "signature": signature})
    status, headers, answer = call("POST", url, data)
    if status == 400 and b"badNonce" in answer:
        return post(url, payload)
    if status >= 400:
        raise SystemExit(f"{url}: {status} {answer!r}")
    return headers, answer


def poll(url, waiting):
    while (found := json.loads(post(url, None)[1]))["status"] in waiting:
        time.sleep(POLL_SECONDS)
    return found


def prove(url):
    authorization = json.loads(post(url, None)[1])
    challenge = next(c for c in authorization["challenges"] if c["type"] == "http-01")
    answer = Path(webroot, ".well-known/acme-challenge", challenge["token"])
    answer.write_text(f"{challenge['token']}.{thumbprint}")
    post(challenge["url"], {})
    poll(url, ("pending",))
    answer.unlink()


def certificate(directory, names):
    wanted = {"identifiers": [{"type": "dns", "value": name} for name in names]}
    headers, answer = post(directory["newOrder"], wanted)
    order = json.loads(answer)
    for url in order["authorizations"]:
        prove(url)
    leaf = ec.generate_private_key(ec.SECP256R1())
    alternative = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(alternative, False)
    der = csr.sign(leaf, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    post(order["finalize"], {"csr": b64(der)})
    return post(poll(headers["location"], ("ready", "processing"))["certificate"], None)[1]


def account(directory):
    """Returns the account's key; its URL is in the state from then on."""
    if Path(account_file).exists():
        kept = json.loads(Path(account_file).read_text())
        state["kid"] = kept["kid"]
        return serialization.load_pem_private_key(kept["key"].encode(), None)
    return ec.generate_private_key(ec.SECP256R1())


def register(directory):
    state["kid"] = post(directory["newAccount"], {"termsOfServiceAgreed": True})[0]["location"]
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    Path(account_file).write_text(json.dumps({"key": key.private_bytes(*form).decode(), "kid": state["kid"]}))


send = sender()
directory = json.loads(call("GET", directory_url)[2])
call("HEAD", directory["newNonce"])
key = account(directory)
point = key.public_key().public_numbers()
jwk = {"crv": "P-256", "kty": "EC", "x": b64(point.x.to_bytes(32, "big")), "y": b64(point.y.to_bytes(32, "big"))}
thumbprint = b64(hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest())
if not state["kid"]:
    register(directory)
for names in certificates:
    began = time.perf_counter()
    assert certificate(directory, names.split(",")).startswith(b"-----BEGIN CERTIFICATE")
    print(f"{(time.perf_counter() - began) * 1000:.1f} ms, {state['requests']} requests")
    state["requests"] = 0
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print("peak", int(peak.split()[1]) / 1024)
