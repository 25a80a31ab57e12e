// Checks the wire vectors with libraries and code that the project does not otherwise use: Node's crypto and cbor-x.
// Keys are derived, envelopes opened, messages decoded and whole sequences judged again; the receivers here remember
// everything in plain sets instead of windows. Usage: node cose_check.mjs FOLDER_OF_VECTORS

import { createCipheriv, createDecipheriv, hkdfSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { Encoder } from "cbor-x";

const cbor = new Encoder({ mapsAsObjects: false, useRecords: false, int64AsNumber: false });
const folder = process.argv[2];
const read = (name) => JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8"));
const bytes = (hex) => Buffer.from(hex, "hex");
const UP = { 1: [17, 18], 2: [5, 7], 3: [6], 4: [14, 15, 16], 7: [4, 5], 9: [8], 10: [5] };
const DOWN = { 5: [6], 6: [2, 3], 8: [3], 11: [5, 6] };

let checks = 0;
let failures = 0;
function check(what, got, wanted) {
  checks += 1;
  if (isDeepStrictEqual(got, wanted)) return;
  failures += 1;
  console.error(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}

// --- keys

function derive(secret, salt, id, context, type, length) {
  const info = cbor.encode([id, context, 10, type, length]);
  return Buffer.from(hkdfSync("sha256", secret, salt, info, length));
}

function nonceOf(commonIv, id, partialIv) {
  const nonce = Buffer.from(commonIv);
  nonce[0] ^= id.length;
  id.forEach((byte, i) => (nonce[8 - id.length + i] ^= byte));
  partialIv.forEach((byte, i) => (nonce[13 - partialIv.length + i] ^= byte));
  return nonce;
}

function u16(number) {
  return Buffer.from([number >> 8, number & 255]);
}

const NONE = Buffer.alloc(0);
const keyOf = (secret, id, context) => derive(secret, NONE, id, context, "Key", 16);
const ivOf = (secret) => derive(secret, NONE, NONE, null, "IV", 13);

function checkKeys({ nodes, rfc8613 }) {
  for (const node of nodes) {
    const [kid, secret] = [bytes(node.kid), bytes(node.secret)];
    check(`common IV of ${node.kid}`, ivOf(secret).toString("hex"), node.common_iv);
    check(`key up of ${node.kid}`, keyOf(secret, kid, null).toString("hex"), node.key_up);
    check(`IV up of ${node.kid}`, nonceOf(ivOf(secret), kid, NONE).toString("hex"), node.iv_up);
    check(`IV down of ${node.kid}`, nonceOf(ivOf(secret), NONE, NONE).toString("hex"), node.iv_down);
    for (const [epoch, key] of Object.entries(node.key_down))
      check(`key down ${epoch} of ${node.kid}`, keyOf(secret, NONE, u16(Number(epoch))).toString("hex"), key);
  }
  for (const c of rfc8613) {
    const [secret, salt, id] = [c.secret, c.salt, c.sender].map(bytes);
    const context = c.id_context === null ? null : bytes(c.id_context);
    const iv = derive(secret, salt, NONE, context, "IV", 13);
    check(`RFC 8613 ${c.name}, key`, derive(secret, salt, id, context, "Key", 16).toString("hex"), c.key);
    check(`RFC 8613 ${c.name}, IV`, iv.toString("hex"), c.common_iv);
    check(`RFC 8613 ${c.name}, nonce`, nonceOf(iv, id, NONE).toString("hex"), c.context_iv);
  }
}

function checkCcm({ cases }) {
  for (const c of cases) {
    const text = bytes(c.plaintext);
    const cipher = createCipheriv("aes-128-ccm", bytes(c.key), bytes(c.nonce), { authTagLength: c.tag_bytes });
    cipher.setAAD(bytes(c.aad), { plaintextLength: text.length });
    const sealed = Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
    check(c.name, sealed.toString("hex"), c.sealed);
  }
}

// --- envelopes

function bstr(data) {
  const head = data.length < 24 ? [0x40 + data.length] : data.length < 256 ? [0x58, data.length] : [0x59, ...u16(data.length)];
  return Buffer.concat([Buffer.from(head), data]);
}

// The parts of an envelope, or null where rebuilding them in preferred serialisation does not give the same bytes.
function take(data, down) {
  if (data.length > 512) return null;
  let parts;
  try {
    parts = cbor.decode(data);
  } catch {
    return null;
  }
  if (!Array.isArray(parts) || !(parts[1] instanceof Map)) return null;
  const [header, text] = [parts[1], parts[2]];
  const [kid, partialIv, epoch] = [header.get(4), header.get(6), header.get(10)];
  const wanted = down ? [kid, partialIv, epoch, text] : [kid, partialIv, text];
  if (!wanted.every(Buffer.isBuffer) || text.length < 8 || kid.length !== 4) return null;
  if (partialIv.length < 1 || partialIv.length > 4 || (partialIv[0] === 0 && partialIv.length > 1)) return null;
  if (down && epoch.length !== 2) return null;
  const map = [Buffer.from([down ? 0xa3 : 0xa2, 4]), bstr(kid), Buffer.from([6]), bstr(partialIv)];
  if (down) map.push(Buffer.from([10]), bstr(epoch));
  const again = Buffer.concat([Buffer.from([0x83]), bstr(cbor.encode(new Map([[1, 10]]))), ...map, bstr(text)]);
  return again.equals(data) ? { kid, partialIv, epoch, text } : null;
}

function open(key, nonce, text) {
  const aad = cbor.encode(["Encrypt0", bytes("a1010a"), NONE]);
  const cipher = createDecipheriv("aes-128-ccm", key, nonce, { authTagLength: 8 });
  cipher.setAuthTag(text.subarray(-8));
  cipher.setAAD(aad, { plaintextLength: text.length - 8 });
  try {
    return Buffer.concat([cipher.update(text.subarray(0, -8)), cipher.final()]);
  } catch {
    return null;
  }
}

function decode(plain, types) {
  const lengths = plain.length > 1 ? types[plain[0]] : undefined;
  if (lengths === undefined) return null;
  try {
    const items = cbor.decode(plain.subarray(1));
    return Array.isArray(items) && lengths.includes(items.length) ? items : null;
  } catch {
    return null;
  }
}

class Seen {
  numbers = new Map(); // number -> what it was used for
  newest = -1;
  lost = false; // after a leap, until a Birth
  constructor(depth) {
    this.depth = depth;
  }
  has(number) {
    return this.numbers.has(number) || this.tooOld(number);
  }
  tooOld(number) {
    return number < this.newest - this.depth;
  }
  other(number, content) {
    return !this.tooOld(number) && this.numbers.get(number) !== content;
  }
  add(number, content) {
    this.numbers.set(number, content);
    this.newest = Math.max(this.newest, number);
  }
  nearest(low) {
    const candidates = Array.from({ length: 4 }, (_, i) => low + 65536 * (Math.floor(Math.max(0, this.newest) / 65536) - 1 + i));
    const distance = (n) => (n < 0 ? Infinity : Math.abs(n - this.newest));
    return this.newest < 0 ? low : candidates.reduce((best, n) => (distance(n) <= distance(best) ? n : best));
  }
}

const number = (buffer) => buffer.reduce((sum, byte) => sum * 256 + byte, 0);

class Receiver {
  constructor(down, secrets, epoch) {
    Object.assign(this, { down, secrets, epoch, used: new Map(), known: new Map(), opened: null });
  }
  judge(data) {
    this.opened = null;
    const parts = take(data, this.down);
    if (parts === null) return "malformed";
    const kid = parts.kid.toString("hex");
    const secret = this.secrets[kid];
    if (secret === undefined) return "unknown_node";
    const epoch = this.down ? number(parts.epoch) : undefined;
    if (this.down && epoch < this.epoch) return "bad_tag";
    const id = this.down ? NONE : parts.kid;
    const key = keyOf(secret, id, this.down ? parts.epoch : null);
    const plain = open(key, nonceOf(ivOf(secret), id, parts.partialIv), parts.text);
    if (plain === null) return "bad_tag";
    this.opened = { kid, partial_iv: number(parts.partialIv), ...(this.down && { epoch }), payload: plain.toString("hex") };
    if (this.down && epoch > this.epoch) {
      this.epoch = epoch;
      this.used.clear();
    }
    return this.judgeMessage(kid, this.opened.partial_iv, plain);
  }
  judgeMessage(kid, partialIv, plain) {
    const used = this.used.get(kid) ?? new Seen(64);
    const known = this.known.get(kid) ?? new Seen(512);
    this.used.set(kid, used);
    this.known.set(kid, known);
    const content = plain.toString("hex");
    if (used.has(partialIv)) return !this.down && used.other(partialIv, content) ? "cloned" : "replayed";
    known.lost ||= used.newest >= 0 && partialIv - used.newest > 32768 && known.born === true;
    used.add(partialIv, content);
    const items = decode(plain, this.down ? DOWN : UP);
    if (items === null) return "undecodable";
    return this.down ? "accepted" : this.judgeNumber(known, items, plain[0]);
  }
  judgeNumber(known, items, type) {
    const birth = type === 1;
    const full = birth ? items[3] : known.nearest(items[0]);
    if (birth && known.tooOld(full)) return "cloned";
    if (birth) Object.assign(known, { born: true, lost: false });
    if (known.lost || known.tooOld(full)) return "unplaceable";
    const content = JSON.stringify([type, ...items.toSpliced(1, 1)]); // all but the age
    if (known.has(full)) return known.other(full, content) ? "cloned" : "resent";
    known.add(full, content);
    return "accepted";
  }
}

function checkEnvelopes({ nodes, up, down }) {
  const secrets = Object.fromEntries(nodes.map((n) => [n.kid, bytes(n.secret)]));
  for (const sequence of [...up, ...down]) {
    const isDown = sequence.node !== undefined;
    const own = isDown ? { [sequence.node]: secrets[sequence.node] } : secrets;
    const receiver = new Receiver(isDown, own, sequence.epoch);
    sequence.frames.forEach((frame, i) => {
      const { verdict, envelope, why, ...sound } = frame;
      check(`${sequence.name}, frame ${i} (${why ?? "sound"})`, receiver.judge(bytes(envelope)), verdict);
      if (receiver.opened !== null) check(`${sequence.name}, frame ${i}, contents`, receiver.opened, sound);
    });
  }
}

// --- messages

function plainly(value) {
  if (Buffer.isBuffer(value)) return value.toString("hex");
  if (typeof value === "bigint") return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value.toString();
  return Array.isArray(value) ? value.map(plainly) : value;
}

function elements(message) {
  return Object.entries(message).flatMap(([name, value]) => {
    if (name === "features") return value === null ? [] : [value.feature_set, value.values];
    if (["detail", "argument", "signature"].includes(name) && value === null) return [];
    return value !== null && typeof value === "object" ? [Object.values(value)] : [value];
  });
}

function checkMessages({ message, type, direction, cases }) {
  for (const c of cases.filter((one) => one.valid)) {
    const payload = bytes(c.payload);
    check(`${message} ${c.name}, type`, payload[0], type);
    check(`${message} ${c.name}`, plainly(decode(payload, direction === "up" ? UP : DOWN)), elements(c.message));
  }
}

// --- serial

function crc16(data) {
  let crc = 0xffff;
  for (const byte of data) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x8000 ? 0x1021 : 0)) & 0xffff;
  }
  return crc;
}

function unstuff(block) {
  const out = [];
  for (let at = 0; at < block.length; ) {
    const code = block[at];
    if (at + code > block.length) return null;
    out.push(...block.subarray(at + 1, at + code));
    at += code;
    if (code !== 0xff && at < block.length) out.push(0);
  }
  return Buffer.from(out);
}

function checkSerial({ cases }) {
  for (const c of cases) {
    const frames = [];
    const counted = {};
    const drop = (name) => (counted[name] = (counted[name] ?? 0) + 1);
    let block = [];
    for (const byte of bytes(c.stream)) {
      if (byte !== 0) {
        block.push(byte);
        continue;
      }
      if (block.length > 0) {
        const data = unstuff(Buffer.from(block));
        if (data === null) drop("cobs");
        else if (data.length - 2 > 512) drop("oversize");
        else if (data.length < 3 || crc16(data.subarray(0, -2)) !== number(data.subarray(-2))) drop("crc");
        else frames.push(data.subarray(0, -2).toString("hex"));
      }
      block = [];
    }
    check(`serial ${c.name}`, { frames, counted }, { frames: c.frames, counted: c.counted });
  }
}

checkKeys(read("keys"));
checkCcm(read("ccm"));
checkEnvelopes(read("envelope"));
const up = ["birth", "flag", "window", "health", "result", "sampled", "learner_state"];
for (const name of [...up, "ack", "command", "offer", "chunk"]) checkMessages(read(name));
checkSerial(read("serial"));
console.log(`${checks} checks, ${failures} failures`);
process.exitCode = failures === 0 ? 0 : 1;
