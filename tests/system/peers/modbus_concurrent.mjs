// node modbus_concurrent.mjs HOST PORT COUNT: that many reads at once on one connection; prints how many were answered
// with the right registers, as JSON.
import { connect } from './modbus_plc.mjs'

const [host, port, count] = process.argv.slice(2)
const client = await connect(host, port)
const reads = Array.from({ length: Number(count) }, (_, i) => client.readInputRegisters(0, 1 + (i % 100)))
const settled = await Promise.allSettled(reads)
const right = settled.filter((s, i) => s.value?.data.length === 1 + (i % 100) && s.value.data[0] === 0x5354).length
const errors = [...new Set(settled.filter((s) => s.reason).map((s) => s.reason.message))]
console.log(JSON.stringify({ asked: reads.length, right, errors }))
client.close(() => process.exit(0))
