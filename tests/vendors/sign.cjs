// Signs random callbacks with the vendors' libraries for Node, and writes each as a JSON object on a line of its own.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const { getExpectedTwilioSignature, getExpectedBodyHash } = require("twilio/lib/webhooks/webhooks");
const { Webhook } = require("svix");
const { verifySignature } = require("@vonage/jwt");
const jsonwebtoken = require("jsonwebtoken");

const { VENDORS_COUNT, VENDORS_SEED, SECRET, SVIX } = process.env;
const COUNT = Number(VENDORS_COUNT);
const ORIGIN = "https://hooks.example.com";
const FORM = "application/x-www-form-urlencoded";
const ALPHABETS = [
  "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "&=+%?#/;:,.!'\"\\<>{}[]()@$*~^|`_- ", "äöüßéèçñøåÆ",
  "Привет мир", "مرحبا", "你好世界", "ｆｕｌｌ", "😀🏳️👩", "e\u0301\u200d\u202e\ufeff", "\t\n\r",
].map((alphabet) => [...alphabet]);

// The generator mulberry32.
let state = Number(VENDORS_SEED) >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};
const below = (end) => Math.floor(random() * end);
const pick = (list) => list[below(list.length)];
const repeat = (length, make) => Array.from({ length }, make);
const digits = (count) => repeat(count, () => pick("0123456789abcdef")).join("");
const word = () => repeat(1 + below(12), () => pick("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")).join("");
const text = () => {
  const kind = random();
  if (kind < 0.1) return "";
  if (kind < 0.2) return pick([" ", "  x  ", "a&b=c", "%41%zz", "a+b", "null", "To", "http://x.example/?a=b&c=%20"]);
  return repeat(kind > 0.98 ? below(4000) : below(60), () => pick(pick(ALPHABETS))).join("");
};
// Never half of a character.
const start = (whole, length) => [...whole].slice(0, length).join("");
const query = () => {
  const pairs = repeat(below(4), () => `${word()}=${encodeURIComponent(start(text(), 40))}`);
  return pairs.length ? `?${pairs.join("&")}` : "";
};
const documentText = () => JSON.stringify({ id: digits(32), type: word(), text: text(), list: [text(), random(), null] });

const version = (name) => {
  const folder = process.env.NODE_PATH;
  return `${name} ${JSON.parse(fs.readFileSync(`${folder}/${name}/package.json`, "utf8")).version} (Node)`;
};
// Synchronous, so that the pipe holds it back and no signed time is old.
const write = (label, target, headers, body) => {
  const line = Buffer.from(JSON.stringify({ label, method: "POST", target, headers, body: Buffer.from(body, "utf8").toString("base64") }) + "\n");
  for (let at = 0; at < line.length; ) {
    try {
      at += fs.writeSync(1, line, at);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
    }
  }
};

for (let n = 0; n < COUNT; n++) {
  const params = { AccountSid: `AC${digits(32)}`, MessageSid: `SM${digits(32)}`, From: "+15550001111", To: "+15550002222", Body: text(), NumMedia: "0", SmsStatus: "received" };
  for (const _ of repeat(below(3))) params[`X${word()}`] = text();
  // Twilio's libraries sort the values of one name differently if they have characters outside of the basic plane: README.md.
  if (below(2)) params[`Y${word()}`] = repeat(2 + below(3), () => start(text(), 20).replace(/[\u{10000}-\u{10ffff}]/gu, ""));
  const target = `/webhooks/twilio${query()}`;
  const body = Object.entries(params).flatMap(([name, value]) => [value].flat().map((one) => `${name}=${encodeURIComponent(one)}`)).join("&");
  const signature = getExpectedTwilioSignature(SECRET, ORIGIN + target, params);
  write(`Twilio request, form: ${version("twilio")}`, target, { "Content-Type": FORM, "X-Twilio-Signature": signature }, body);
}
for (let n = 0; n < COUNT; n++) {
  const body = documentText();
  const target = `/webhooks/twilio?bodySHA256=${getExpectedBodyHash(body)}`;
  const signature = getExpectedTwilioSignature(SECRET, ORIGIN + target, {});
  write(`Twilio request, JSON: ${version("twilio")}`, target, { "Content-Type": "application/json", "X-Twilio-Signature": signature }, body);
}
const webhook = new Webhook(SVIX);
for (let n = 0; n < COUNT; n++) {
  const [body, now, id] = [documentText(), new Date(), `msg_${digits(24)}`];
  const headers = { "Content-Type": "application/json", "svix-id": id, "svix-timestamp": String(Math.floor(now / 1000)), "svix-signature": webhook.sign(id, now, body) };
  write(`Resend svix: ${version("svix")}`, "/webhooks/resend", headers, body);
}
for (let n = 0; n < COUNT; n++) {
  const body = JSON.stringify({ message_uuid: digits(32), status: "delivered", channel: "sms", text: text() });
  const payload_hash = crypto.createHash("sha256").update(body).digest("hex");
  const token = jsonwebtoken.sign({ jti: digits(32), iss: "Vonage", payload_hash, api_key: "abcd1234" }, SECRET, { algorithm: "HS256" });
  if (!verifySignature(token, SECRET)) throw new Error("the vendor's library refuses the token");
  write(`Vonage jwt: ${version("@vonage/jwt")}`, "/webhooks/vonage/sha256", { "Content-Type": "application/json", Authorization: `Bearer ${token}` }, body);
}
for (let n = 0; n < COUNT; n++) {
  const body = documentText();
  const signature = crypto.createHmac("sha256", SECRET).update(body).digest("hex");
  write("mifumo body-sha256: Node's crypto", "/webhooks/mifumo", { "Content-Type": "application/json", "X-Webhook-Signature": signature }, body);
}
