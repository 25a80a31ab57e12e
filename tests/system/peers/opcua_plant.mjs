// What an integrator does first (arguments: see opcua_session.mjs): browses Objects/Stethos, reads the variables named by
// --read ID (more than one allowed; a string id in urn:stethos:plant), and tries to write those named by --write ID.
import { AttributeIds, DataType, NodeClass, resolveNodeId } from "node-opcua-client";
import { argumentsOf, connected, say } from "./opcua_session.mjs";

const args = argumentsOf({
  read: { type: "string", multiple: true, default: [] },
  write: { type: "string", multiple: true, default: [] },
});

async function browse(session, nodeId, depth) {
  const { references } = await session.browse({
    nodeId, referenceTypeId: "HierarchicalReferences", includeSubtypes: true, browseDirection: 0,
    nodeClassMask: 0, resultMask: 63,
  });
  const children = {};
  for (const r of references) {
    const notifier = ["HasNotifier", "HasEventSource"].some((n) => resolveNodeId(n).toString() === r.referenceTypeId.toString());
    if (notifier) continue;
    const below = r.nodeClass === NodeClass.Object && depth > 0 ? await browse(session, r.nodeId, depth - 1) : {};
    children[r.browseName.name] = { id: r.nodeId.value, type: r.typeDefinition.value, ...(Object.keys(below).length ? { below } : {}) };
  }
  return children;
}

await connected(args, async (session) => {
  const namespaces = await session.readNamespaceArray();
  const ns = namespaces.indexOf("urn:stethos:plant");
  say({ namespaces, tree: await browse(session, `ns=${ns};s=site`, 5) });
  for (const id of args.read) {
    const nodeId = `ns=${ns};s=${id}`;
    const v = await session.read({ nodeId, attributeId: AttributeIds.Value });
    say({
      read: id,
      value: v.value.value ?? null,
      type: DataType[v.value.dataType],
      status: v.statusCode.name,
      source: v.sourceTimestamp?.toISOString() ?? null,
      server: v.serverTimestamp?.toISOString() ?? null,
    });
  }
  for (const id of args.write) {
    const value = { value: { dataType: DataType.Double, value: 1.0 } };
    const status = await session.write({ nodeId: `ns=${ns};s=${id}`, attributeId: AttributeIds.Value, value });
    say({ write: id, status: status.name });
  }
});
