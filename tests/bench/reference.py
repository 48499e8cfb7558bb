"""The bare protocol in sixty lines: what one certificate costs at the least with requests and cryptography.

python -m tests.bench.reference DIRECTORY CA_BUNDLE HTTP_PORT COUNT prints the milliseconds of each certificate.
"""

import base64
import hashlib
import http.server
import json
import sys
import threading
import time

import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

directory_url, ca_bundle, port, count = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
session = requests.Session()
session.trust_env = False
session.verify = ca_bundle
key = ec.generate_private_key(ec.SECP256R1())
state = {"nonce": None, "kid": None, "requests": 0}
proofs = {}


def b64(data):
    data = json.dumps(data).encode() if isinstance(data, dict) else data
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


point = key.public_key().public_numbers()
jwk = {"crv": "P-256", "kty": "EC", "x": b64(point.x.to_bytes(32, "big")), "y": b64(point.y.to_bytes(32, "big"))}
thumbprint = b64(hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest())


def post(url, payload):
    who = {"kid": state["kid"]} if state["kid"] else {"jwk": jwk}
    head = b64({"alg": "ES256", "nonce": state["nonce"], "url": url, **who})
    body = "" if payload is None else b64(payload)
    r, s = utils.decode_dss_signature(key.sign(f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256())))
    signature = b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    data = json.dumps({"protected": head, "payload": body, "signature": signature})
    reply = session.post(url, data=data, headers={"Content-Type": "application/jose+json"})
    state["nonce"] = reply.headers["Replay-Nonce"]
    state["requests"] += 1
    if reply.status_code == 400 and "badNonce" in reply.text:
        return post(url, payload)
    reply.raise_for_status()
    return reply


def poll(url, waiting):
    while (found := post(url, None).json())["status"] in waiting:
        time.sleep(0.005)
    return found


class Responder(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(proofs[self.path.rpartition("/")[2]].encode())

    def log_message(self, *args):
        pass


def certificate(directory, name):
    placed = post(directory["newOrder"], {"identifiers": [{"type": "dns", "value": name}]})
    order, order_url = placed.json(), placed.headers["Location"]
    authorization = post(order["authorizations"][0], None).json()
    challenge = next(c for c in authorization["challenges"] if c["type"] == "http-01")
    proofs[challenge["token"]] = f"{challenge['token']}.{thumbprint}"
    post(challenge["url"], {})
    poll(order["authorizations"][0], ("pending",))
    leaf = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, False)
    der = csr.sign(leaf, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    post(order["finalize"], {"csr": b64(der)})
    return post(poll(order_url, ("ready", "processing"))["certificate"], None).text


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Responder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    directory = session.get(directory_url).json()
    state["nonce"] = session.head(directory["newNonce"]).headers["Replay-Nonce"]
    state["requests"] = 2
    state["kid"] = post(directory["newAccount"], {"termsOfServiceAgreed": True}).headers["Location"]
    for number in range(count):
        began = time.perf_counter()
        assert certificate(directory, f"reference{number}.example.com").startswith("-----BEGIN CERTIFICATE")
        print(f"{(time.perf_counter() - began) * 1000:.1f} ms, {state['requests']} requests")
        state["requests"] = 0


main()
