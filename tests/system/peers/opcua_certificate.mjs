// Makes the client's certificate: node opcua_certificate.mjs PKI. Prints the path of the DER file for the server to trust.
import { join } from "node:path";
import { certificateManager, say } from "./opcua_session.mjs";

const pki = process.argv[2];
const { manager } = await certificateManager(pki);
await manager.dispose();
say({ certificate: join(pki, "client.der") });
