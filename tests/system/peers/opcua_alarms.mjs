// Alarms as an operator's client sees them (arguments: see opcua_session.mjs). Prints
//   {"alarms": [...]}         what ConditionRefresh returns, between RefreshStart and RefreshEnd
//   {"alarm": {...}}          with --wait NAME: the condition of that ConditionName ("asset/pump-1/anomaly") in the client
//                             library's alarm list, once its state fits --until active|acked|inactive (default: any)
//   {"acknowledge": "Good"}   with --ack COMMENT: acknowledges it; --event HEX names another event than its newest
//   {"acknowledge_again": …}  with --twice
//   {"alarm": {...}}          after a good acknowledgement: its state then
// --timeout SECONDS (default 20) bounds the waiting.
import {
  AttributeIds, ClientMonitoredItem, ClientSubscription, constructEventFilter, installAlarmMonitoring, resolveNodeId,
  TimestampsToReturn, uninstallAlarmMonitoring,
} from "node-opcua-client";
import { acknowledgeCondition, callConditionRefresh, extractConditionFields, fieldsToJson } from "node-opcua-alarm-condition";
import { argumentsOf, connected, say } from "./opcua_session.mjs";

const plain = (f) => ({
  name: f.conditionName.value,
  event_id: f.eventId.value.toString("hex"),
  condition: f.conditionId.value.toString(),
  type: f.eventType.value.toString(),
  source: f.sourceName.value,
  source_node: f.sourceNode.value.toString(),
  time: f.time.value.toISOString(),
  receive_time: f.receiveTime.value.toISOString(),
  message: f.message.value.text,
  severity: f.severity.value,
  retain: f.retain.value,
  active: f.activeState?.id?.value,
  acked: f.ackedState.id.value,
  shelving: f.shelvingState?.currentState?.value?.text ?? f.shelvingState?.currentState?.text,
  suppressed_or_shelved: f.suppressedOrShelved?.value,
  comment: f.comment.value?.text ?? null,
  user: f.clientUserId?.value ?? null,
  branch: f.branchId.value?.toString(),
});

const FITS = {
  any: () => true,
  active: (a) => a.active,
  inactive: (a) => !a.active,
  acked: (a) => a.acked,
};

const args = argumentsOf({
  wait: { type: "string" },
  until: { type: "string", default: "any" },
  ack: { type: "string" },
  event: { type: "string" },
  twice: { type: "boolean", default: false },
  timeout: { type: "string", default: "20" },
});

function waitFor(list, fits) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no alarm ${args.wait} in time`)), Number(args.timeout) * 1000);
    const look = (alarm) => {
      const state = plain(alarm.fields);
      if (state.name !== args.wait || !fits(state)) return;
      clearTimeout(timer);
      list.removeListener("alarmChanged", look);
      say({ alarm: state });
      resolve(alarm);
    };
    list.on("alarmChanged", look);
    const known = list.alarms().find((alarm) => alarm.fields.conditionName.value === args.wait);
    if (known) look(known);
  });
}

async function refresh(session) {
  const subscription = ClientSubscription.create(session, {
    requestedPublishingInterval: 50, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 20, publishingEnabled: true,
  });
  const fields = await extractConditionFields(session, "AlarmConditionType");
  const item = ClientMonitoredItem.create(
    subscription, { nodeId: resolveNodeId("Server"), attributeId: AttributeIds.EventNotifier },
    { samplingInterval: 0, queueSize: 1000, discardOldest: false, filter: constructEventFilter(fields) },
    TimestampsToReturn.Both);
  const ended = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("no RefreshEnd in time")), Number(args.timeout) * 1000).unref();
    let found = null;
    item.on("changed", (values) => {
      const event = fieldsToJson(fields, values);
      const type = event.eventType.value.toString();
      if (type === resolveNodeId("RefreshStartEventType").toString()) found = [];
      else if (type === resolveNodeId("RefreshEndEventType").toString()) resolve(found);
      else if (found) found.push(event);
    });
  });
  await new Promise((resolve) => item.once("initialized", resolve));
  await callConditionRefresh(session, subscription.subscriptionId);
  const found = await ended;
  await subscription.terminate();
  return found;
}

await connected(args, async (session) => {
  const retained = await refresh(session);
  say({ alarms: retained.map(plain) });
  if (!args.wait) return;
  const list = await installAlarmMonitoring(session);
  const alarm = await waitFor(list, FITS[args.until]);
  if (args.ack !== undefined) {
    const eventId = args.event ? Buffer.from(args.event, "hex") : alarm.eventId;
    const acknowledge = () => acknowledgeCondition(session, alarm.conditionId, eventId, args.ack);
    const first = await acknowledge();
    say({ acknowledge: first.name });
    if (args.twice) say({ acknowledge_again: (await acknowledge()).name });
    if (first.isGood()) await waitFor(list, FITS.acked);
  }
  await uninstallAlarmMonitoring(session);
});
