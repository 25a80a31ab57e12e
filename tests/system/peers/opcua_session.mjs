// A session with an OPC UA server, for the other opcua_*.mjs programs. All take the same first arguments:
//   node opcua_X.mjs ENDPOINT USER PASSWORD PKI [options]
// USER "" is anonymous. PKI is the client's own folder: certificate and key are made there on first use, and PKI/client.der
// is what the server has to trust. --policy none|basic256|aes256 (default basic256). Output: JSON lines on stdout.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { MessageSecurityMode, OPCUAClient, SecurityPolicy, UserTokenType } from "node-opcua-client";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import { readCertificate } from "node-opcua-crypto";

export const APPLICATION_URI = "urn:stethos:test:client";
const POLICIES = {
  none: [MessageSecurityMode.None, SecurityPolicy.None],
  basic256: [MessageSecurityMode.SignAndEncrypt, SecurityPolicy.Basic256Sha256],
  aes256: [MessageSecurityMode.SignAndEncrypt, SecurityPolicy.Aes256_Sha256_RsaPss],
};

export const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

export function argumentsOf(options = {}) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { policy: { type: "string", default: "basic256" }, ...options },
  });
  const [endpoint, user, password, pki, ...rest] = positionals;
  return { endpoint, user, password, pki, rest, ...values };
}

export async function certificateManager(pki) {
  mkdirSync(pki, { recursive: true });
  const manager = new OPCUACertificateManager({ rootFolder: pki, automaticallyAcceptUnknownCertificate: true });
  await manager.initialize();
  const certificateFile = join(pki, "client.pem");
  if (!existsSync(certificateFile)) {
    await manager.createSelfSignedCertificate({
      applicationUri: APPLICATION_URI,
      subject: "/CN=Stethos test client",
      dns: ["localhost"],
      outputFile: certificateFile,
      startDate: new Date(Date.now() - 3600_000),
      validity: 30,
    });
  }
  writeFileSync(join(pki, "client.der"), readCertificate(certificateFile));
  return { manager, certificateFile };
}

export async function connected(args, work) {
  const { manager, certificateFile } = await certificateManager(args.pki);
  const [securityMode, securityPolicy] = POLICIES[args.policy];
  const client = OPCUAClient.create({
    applicationName: "Stethos test client",
    applicationUri: APPLICATION_URI,
    clientCertificateManager: manager,
    certificateFile,
    privateKeyFile: manager.privateKey,
    securityMode,
    securityPolicy,
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 0 },
    transportTimeout: 10_000,
  });
  try {
    await client.connect(args.endpoint);
    const identity = args.user
      ? { type: UserTokenType.UserName, userName: args.user, password: args.password }
      : { type: UserTokenType.Anonymous };
    const session = await client.createSession(identity);
    await work(session, client);
    await session.close();
    await client.disconnect();
  } catch (error) {
    say({ error: error.message });
    await client.disconnect();
    process.exitCode = 1;
  }
}
