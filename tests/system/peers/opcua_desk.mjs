// Runs the other opcua_*.mjs programs one after the other in one process, each with connections of its own: loading the
// client library takes longer than what they do. Each line of input is a JSON array, a program's name and its arguments;
// what it prints is followed by {"done": NAME}.
import { createInterface } from "node:readline";
import { say } from "./opcua_session.mjs";

let run = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const [program, ...args] = JSON.parse(line);
  process.argv = [process.argv[0], program, ...args];
  run += 1;
  await import(`./${program}?run=${run}`); // another query, another run
  say({ done: program });
}
