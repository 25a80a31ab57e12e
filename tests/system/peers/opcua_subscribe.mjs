// Subscribes (arguments: see opcua_session.mjs) to --value ID (string id in urn:stethos:plant, more than one allowed), with
// --deadband ABSOLUTE or --percent PERCENT, and to the events of --events ID ("Server" or a string id) filtered by
// OfType(--type ID). Prints {"ready": true} when subscribed, then each notification; ends after --count of them.
import {
  AttributeIds, ClientMonitoredItem, ClientSubscription, constructEventFilter, DataChangeFilter, DataChangeTrigger, DeadbandType, ofType,
  resolveNodeId, TimestampsToReturn,
} from "node-opcua-client";
import { argumentsOf, connected, say } from "./opcua_session.mjs";

const args = argumentsOf({
  value: { type: "string", multiple: true, default: [] },
  deadband: { type: "string" },
  percent: { type: "string" },
  events: { type: "string" },
  type: { type: "string", default: "BaseEventType" },
  count: { type: "string", default: "1" },
  timeout: { type: "string", default: "20" },
});
const FIELDS = ["EventId", "EventType", "SourceName", "Time", "Message", "Severity", "ActiveState.Id", "AckedState.Id"];

const monitored = (item) => new Promise((resolve, reject) => {
  item.once("initialized", resolve);
  item.once("err", (message) => reject(new Error(message)));
});

await connected(args, async (session) => {
  const ns = (await session.readNamespaceArray()).indexOf("urn:stethos:plant");
  const idOf = (id) => (id === "Server" || id.endsWith("Type") ? resolveNodeId(id) : `ns=${ns};s=${id}`);
  const subscription = ClientSubscription.create(session, {
    requestedPublishingInterval: 50, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 20,
    maxNotificationsPerPublish: 0, publishingEnabled: true, priority: 1,
  });
  let left = Number(args.count);
  let finish;
  const finished = new Promise((resolve) => { finish = resolve; });
  const got = (what) => {
    say(what);
    left -= 1;
    if (left === 0) finish();
  };
  const width = args.deadband ?? args.percent;
  const filter = width === undefined ? undefined : new DataChangeFilter({
    trigger: DataChangeTrigger.StatusValue,
    deadbandType: args.deadband ? DeadbandType.Absolute : DeadbandType.Percent,
    deadbandValue: Number(width),
  });
  const ready = [];
  for (const id of args.value) {
    const item = ClientMonitoredItem.create(
      subscription, { nodeId: idOf(id), attributeId: AttributeIds.Value },
      { samplingInterval: 0, queueSize: 100, discardOldest: true, filter }, TimestampsToReturn.Both);
    ready.push(monitored(item));
    item.on("changed", (v) => got({
      value: id, is: v.value.value ?? null, status: v.statusCode.name, source: v.sourceTimestamp?.toISOString() ?? null,
    }));
  }
  if (args.events) {
    const item = ClientMonitoredItem.create(
      subscription, { nodeId: idOf(args.events), attributeId: AttributeIds.EventNotifier },
      { samplingInterval: 0, queueSize: 100, discardOldest: true,
        filter: constructEventFilter(FIELDS, ofType(idOf(args.type).toString())) }, TimestampsToReturn.Both);
    ready.push(monitored(item));
    item.on("changed", (values) => got({
      event: values[0].value.toString("hex"), type: values[1].value.toString(), source: values[2].value,
      time: values[3].value.toISOString(), message: values[4].value.text, severity: values[5].value,
      active: values[6].value, acked: values[7].value,
    }));
  }
  await Promise.all(ready);
  say({ ready: true });
  await Promise.race([finished, new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`${left} notifications missing`)), Number(args.timeout) * 1000).unref())]);
  await subscription.terminate();
});
