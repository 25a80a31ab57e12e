// node modbus_acknowledge.mjs HOST PORT EVENT: acknowledges it and prints the result registers as JSON.
import { acknowledge, connect } from './modbus_plc.mjs'

const [host, port, event] = process.argv.slice(2)
const client = await connect(host, port)
console.log(JSON.stringify(await acknowledge(client, Number(event))))
client.close(() => process.exit(0))
