// node modbus_read.mjs HOST PORT: one JSON object with header, event FIFO and the result of the last command.
import { connect, readFifo, readHeader, readResult } from './modbus_plc.mjs'

const [host, port] = process.argv.slice(2)
const client = await connect(host, port)
const report = { header: await readHeader(client), fifo: await readFifo(client), result: await readResult(client) }
console.log(JSON.stringify(report))
client.close(() => process.exit(0))
