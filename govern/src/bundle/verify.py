#!/usr/bin/env python3
"""Verifies an evidence bundle without the product that made it.

usage: verify.py BUNDLE.zip [FINGERPRINT]

Needs Python 3.8 or newer and nothing else. Checks the signature over the manifest, every file against the manifest,
the hash chain of the activity log, the signed Merkle checkpoints over it, that each finding's state follows from its
recorded steps, and that what it rests on is what its digest is of. FINGERPRINT is the SHA-256 of the signing key; take it from the organization by another way than
the bundle. Exit code 0: all good; 1: content is broken; 2: a signature is broken; 3: something is missing.
"""
import base64
import hashlib
import json
import sys
import zipfile

# --- Ed25519 verification (RFC 8032, section 5.1) --------------------------------------------------------------------
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    if x2 == 0:
        return None if sign else 0
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * ROOT % P
    if (x * x - x2) % P:
        return None
    return P - x if x & 1 != sign else x


def point(data):
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    x = recover_x(y, sign)
    return None if x is None else (x, y, 1, x * y % P)


def add(a, b):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = a, b
    m, n = (y1 - x1) * (y2 - x2) % P, (y1 + x1) * (y2 + x2) % P
    c, d = 2 * t1 * t2 * D % P, 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(n, a):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = add(out, a)
        a, n = add(a, a), n >> 1
    return out


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = point(BASE_Y.to_bytes(32, "little"))


def ed25519(key, message, sig):
    if len(key) != 32 or len(sig) != 64:
        return False
    a, r, s = point(key), point(sig[:32]), int.from_bytes(sig[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(sig[:32] + key + message).digest(), "little") % L
    left, right = times(s, BASE), add(r, times(h, a))
    same = lambda i: (left[i] * right[2] - right[i] * left[2]) % P == 0
    return same(0) and same(1)


# --- checks ----------------------------------------------------------------------------------------------------------
CONTENT, SIGNATURE, MISSING = 1, 2, 3
FINAL = {"fixed", "false-positive", "resource-gone", "superseded"}


class Fault(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def need(ok, code, text):
    if not ok:
        raise Fault(code, text)


def sha(data):
    return hashlib.sha256(data).digest()


def unbase64(text):
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b""


class Tree:
    """An RFC 6962 tree that grows at the right; keeps only the roots of its full subtrees."""

    def __init__(self, size, peaks):
        need(len(peaks) == bin(size).count("1"), CONTENT, "log/start.json does not fit together")
        self.size, self.peaks = size, peaks

    def push(self, leaf):
        n = self.size
        while n & 1:
            leaf, n = sha(b"\x01" + self.peaks.pop() + leaf), n >> 1
        self.peaks.append(leaf)
        self.size += 1

    def root(self):
        if not self.peaks:
            return sha(b"")
        out = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            out = sha(b"\x01" + peak + out)
        return out


def load(data, name):
    try:
        return json.loads(data)
    except ValueError as e:
        raise Fault(CONTENT, "%s cannot be read: %s" % (name, e))


class Bundle:
    """The files of the archive, read where they lie: a list is never whole in memory."""

    def __init__(self, path):
        try:
            self.zip = zipfile.ZipFile(path)
            self.names = set(self.zip.namelist())
        except Exception as e:  # a damaged archive fails in many ways; each means the same
            raise Fault(CONTENT, "the archive cannot be read: %s" % e)
        need(len(self.names) == len(self.zip.namelist()), CONTENT, "the archive holds two files of one name")

    def chunks(self, name):
        need(name in self.names, MISSING, name + " is missing")
        try:
            with self.zip.open(name) as f:
                while True:
                    data = f.read(1 << 16)
                    if not data:
                        return
                    yield data
        except Exception as e:
            raise Fault(CONTENT, "the archive cannot be read: %s: %s" % (name, e))

    def __getitem__(self, name):
        return b"".join(self.chunks(name))

    def rows(self, name):
        rest = b""
        for data in self.chunks(name):
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            yield from (line for line in lines if line)
        if rest:
            yield rest


def check_manifest(files, fingerprint):
    for name in ("manifest.json", "manifest.sig", "keys/signing.pub"):
        need(name in files.names, MISSING, name + " is missing")
    key = unbase64(files["keys/signing.pub"].strip())
    mark = sha(key).hex()
    need(not fingerprint or fingerprint.lower() == mark, SIGNATURE, "signed by the key %s, not by the expected one" % mark)
    sig = unbase64(files["manifest.sig"].strip())
    need(ed25519(key, files["manifest.json"], sig), SIGNATURE, "manifest.sig is not a signature of manifest.json")
    manifest = load(files["manifest.json"], "manifest.json")
    need(manifest["v"] == 1 and manifest["key"] == mark, CONTENT, "manifest.json is of another version or key")
    listed = {f["path"]: f for f in manifest["files"]}
    for path, f in sorted(listed.items()):
        size, digest = 0, hashlib.sha256()
        for data in files.chunks(path):
            size += len(data)
            digest.update(data)
        if size != f["size"] or digest.hexdigest() != f["sha256"]:
            if path == "log/activity.jsonl":
                check_log(files, manifest, key)  # names the first broken entry
            raise Fault(CONTENT, path + " is not what the manifest lists")
        if path.endswith(".jsonl") and f.get("records") is not None:
            count = sum(1 for _ in files.rows(path))
            need(count == f["records"], MISSING, "%s should have %d rows" % (path, f["records"]))
    for path in sorted(files.names):
        need(path in listed or path in ("manifest.json", "manifest.sig"), CONTENT, path + " is not in the manifest")
    return manifest, key


def check_log(files, manifest, key):
    start = load(files["log/start.json"], "log/start.json")
    tree = Tree(start["size"], [bytes.fromhex(p) for p in start["peaks"]])
    keys = {sha(key).hex(): key}
    for k in load(files["keys/log.json"], "keys/log.json"):
        data = unbase64(k["key"])
        keys[sha(data).hex()] = data
    points = sorted((load(l, "checkpoint") for l in files.rows("log/checkpoints.jsonl")), key=lambda c: c["size"])
    prev, signed, todo = start["hash"], start["size"], list(points)

    def checkpoints():
        nonlocal signed
        while todo and todo[0]["size"] <= tree.size:
            c = todo.pop(0)
            last = c["size"] - 1
            note = "%s\n%d\n%s\n" % (c["origin"], c["size"], c["root"])
            need(c["size"] == tree.size and c["origin"] == points[0]["origin"], CONTENT, "the checkpoint at entry %d is malformed" % last)
            good = [s for s in c["signatures"] if s["key"] in keys]
            ok = good and all(ed25519(keys[s["key"]], note.encode(), unbase64(s["sig"])) for s in good)
            need(ok, SIGNATURE, "no trusted key has signed the checkpoint at entry %d" % last)
            need(unbase64(c["root"]) == tree.root(), CONTENT, "entry %d or a later one up to %d was rewritten" % (signed, last))
            signed = c["size"]

    checkpoints()
    for line in files.rows("log/activity.jsonl"):
        n = tree.size
        head, tail = b'{"entry":', b',"hash":"'
        cut = len(line) - 64 - 2 - len(tail)
        shaped = line.startswith(head) and line[cut:cut + len(tail)] == tail and line.endswith(b'"}')
        need(shaped, CONTENT, "entry %d is not an entry" % n)
        entry, stored = line[len(head):cut], line[cut + len(tail):-2].decode("ascii", "replace")
        need(sha(entry).hex() == stored, CONTENT, "entry %d was altered" % n)
        value = load(entry, "entry %d" % n)
        need(value["seq"] == n, CONTENT, "entry %d should be here, but entry %s is" % (n, value["seq"]))
        need(value["prev"] == prev, CONTENT, "entry %d was altered or replaced" % max(n - 1, start["size"]))
        prev = stored
        tree.push(sha(b"\x00" + entry))
        checkpoints()
    need(not todo, MISSING, "entry %d and what follows is cut off" % tree.size)
    end = manifest["log_end"]
    same = end["size"] == tree.size and end["hash"] == prev and end["peaks"] == [p.hex() for p in tree.peaks]
    need(same, MISSING if end["size"] > tree.size else CONTENT, "the log does not end where the manifest says")
    return tree.size - start["size"], len(points), tree.size - signed


def rests(files):
    """The finding and the digest of each row of evidence: what was observed is the row's first member, as it was hashed."""
    head = '{"because":'
    for line in files.rows("evidence/captured.jsonl"):
        row, text = load(line, "a row of evidence"), line.decode()
        need(text.startswith(head), CONTENT, "a row of evidence is not shaped as it should be")
        _, end = json.JSONDecoder().raw_decode(text, len(head))
        yield row["finding"], sha(text[len(head):end].encode()).hex()


def check_findings(files):
    steps = (load(line, "a step") for line in files.rows("findings/transitions.jsonl"))
    step, count = next(steps, None), 0
    lists = ("evidence/captured.jsonl", "ocsf/compliance-findings.jsonl", "ocsf/attack-paths.jsonl")
    told = all(name in files.names for name in lists)  # bundles of earlier versions have no such lists
    uids = lambda name: (load(line, "an event")["finding_info"]["uid"] for line in files.rows(name))
    evidence, events, paths = (rests(files), uids(lists[1]), uids(lists[2])) if told else (iter(()),) * 3
    event, path = next(events, None), next(paths, None)
    for line in files.rows("findings/findings.jsonl"):
        f, mine = load(line, "a finding"), []
        count += 1
        while step is not None and step["finding"] == f["id"]:  # steps come in the order of the findings
            mine.append(step)
            step = next(steps, None)
        state, n = None, 0
        for s in sorted(mine, key=lambda s: s["seq"]):
            n += 1
            need(s["seq"] == n and s["from"] == state, CONTENT, "finding %s: step %d does not follow" % (f["id"], s["seq"]))
            by_product = s["actor_kind"] == "system"
            need(s["to"] != "fixed" or by_product, CONTENT, "finding %s was closed by hand" % f["id"])
            state = s["to"]
        need(state == f["state"], CONTENT, "finding %s is %s, but its steps lead to %s" % (f["id"], f["state"], state))
        need((f["closure"] is not None) == (state in FINAL), CONTENT, "finding %s has a wrong closure" % f["id"])
        if told:
            same = next(evidence, None) == (f["id"], f["facts"]["value_digest"])
            need(same, CONTENT, "the evidence of finding %s is not what it rests on" % f["id"])
            need(f["id"] in (event, path), CONTENT, "finding %s has no OCSF event in its place" % f["id"])
            if f["id"] == event:
                event = next(events, None)
            else:
                path = next(paths, None)
    rest = (event, path, next(evidence, None))
    need(rest == (None, None, None), CONTENT, "there is evidence of a finding that is not in the findings list there")
    need(step is None, CONTENT, "there is a step of a finding that is not in the findings list there")
    return count


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__)
        return 3
    fingerprint = sys.argv[2] if len(sys.argv) == 3 else ""
    try:
        files = Bundle(sys.argv[1])
        manifest, key = check_manifest(files, fingerprint)
        entries, points, tail = check_log(files, manifest, key)
        findings = check_findings(files)
    except Fault as fault:
        print("BROKEN: %s" % fault)
        return fault.code
    except (KeyError, TypeError, AttributeError, ValueError) as e:
        print("BROKEN: the bundle is not shaped as it should be: %r" % e)
        return CONTENT
    print("SOUND: %s, %s to %s" % (manifest["scope"], manifest["from"], manifest["to"]))
    print("%d files, %d log entries, %d signed checkpoints, %d findings" % (len(manifest["files"]), entries, points, findings))
    if tail:
        print("%d entries at the end are chained and in the signed manifest, but under no checkpoint yet" % tail)
    if not fingerprint:
        print("Nobody vouched for the key %s: compare it with the one the organization gives you" % manifest["key"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
