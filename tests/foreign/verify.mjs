import { createHash, createPublicKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";

const bundle = bundleFromJSON(JSON.parse(readFileSync("bundle.json")));
const key = createPublicKey(readFileSync("key.pub.pem")).export({ type: "spki", format: "der" });
const hint = createHash("sha256").update(key).digest("base64");
const stamps = bundle.verificationMaterial.timestampVerificationData?.rfc3161Timestamps.length ?? 0;
const certificate = (file) => ({ rawBytes: new X509Certificate(readFileSync(file)).raw });
const authority = () => ({ certChain: { certificates: ["tsa.pem", "ca.pem"].map(certificate) } });
const trust = { certificateAuthorities: [], timestampAuthorities: stamps ? [authority()] : [], tlogs: [], ctlogs: [] };
const limits = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: stamps };
new Verifier(toTrustMaterial(trust, { [hint]: { rawBytes: key } }), limits).verify(toSignedEntity(bundle));
console.log("verified: signature, time stamps:", stamps);
