// node modbus_follow.mjs HOST PORT [EVENT]: takes every event from the FIFO, one JSON line each, and ends when event
// EVENT has been taken (or, without it, when the FIFO is empty). Started again, it goes on where it stopped.
import { connect, readFifo, take } from './modbus_plc.mjs'

const [host, port, last] = process.argv.slice(2)
const client = await connect(host, port)
for (;;) {
  const { taken, records } = await readFifo(client)
  for (const record of records) console.log(JSON.stringify(record))
  if (records.length) await take(client, records.at(-1).event)
  const done = records.length ? records.at(-1).event : taken
  if (last === undefined ? !records.length : done >= Number(last)) break
  if (!records.length) await new Promise((resolve) => setTimeout(resolve, 50))
}
client.close(() => process.exit(0))
